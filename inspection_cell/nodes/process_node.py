"""process_node: all process sensors of the cell; recordings in, findings of their views out."""

import sys
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from inspection_cell_msgs.msg import ProcessSignal

from inspection_cell.cell import Cell, ProcessSensor
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.nodes.capture_edge import CapturedView
from inspection_cell.nodes.conversions.signals import signal_from_msg
from inspection_cell.nodes.inspector_node import InspectorNode
from inspection_cell.nodes.run import run
from inspection_cell.observations import Observation
from inspection_cell.recipe import Recipe
from inspection_cell.views.process import ProcessInspection, ProcessInspector


class ProcessNode(InspectorNode[ProcessSignal, ProcessInspector, ProcessInspection]):
    """Judges the recordings of the recipes' views."""

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__('process_node')
        self._inspectors: dict[str, ProcessInspector] = {}

    def sensors_of(self, cell: Cell) -> Mapping[str, ProcessSensor]:
        """The process sensors."""
        return cell.process_sensors

    def load(self, cell: Cell, recipes: Sequence[Recipe], evidence: EvidenceFolder) -> None:
        """Take the limits of all recipes that look at signals."""
        self._inspectors = {
            recipe.part_type: ProcessInspector(recipe, evidence)
            for recipe in recipes
            if recipe.file.process
        }

    def inspector_of(self, view: CapturedView[ProcessSignal]) -> ProcessInspector | None:
        """Who knows the part type's limits."""
        return self._inspectors.get(view.order.part_type)

    def observe(self, view: CapturedView[ProcessSignal]) -> Observation:
        """Decode one recording."""
        return Observation(
            view.order.inspection_id,
            view.key,
            view.captured.exposure_start_ns,
            signal_from_msg(view.message),
            view.order.transform_part_to_cell,
            np.eye(4),
        )

    def inspect(
        self, inspector: ProcessInspector, observations: Sequence[Observation]
    ) -> Iterable[ProcessInspection]:
        """Judge each recording."""
        return map(inspector.inspect, observations)

    def show(self, view: CapturedView[ProcessSignal], result: ProcessInspection) -> None:
        """Nothing: the signal has its topic already."""


def main() -> int:
    """Run process_node."""
    return run(ProcessNode)


if __name__ == '__main__':
    sys.exit(main())
