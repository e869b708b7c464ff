"""process_node: all process sensors of the cell; recordings in, findings of their views out."""

import sys
from collections.abc import Mapping

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

    def sensors_of(self, cell: Cell) -> Mapping[str, ProcessSensor]:
        """The process sensors."""
        return cell.process_sensors

    def begin_to_load(self, cell: Cell, evidence: EvidenceFolder) -> None:
        """Note where evidence goes."""
        self._evidence = evidence

    def make_ready(self, recipe: Recipe) -> ProcessInspector | None:
        """Take the limits of a recipe that looks at signals."""
        return ProcessInspector(recipe, self._evidence) if recipe.file.process else None

    def inspector_of(self, view: CapturedView[ProcessSignal]) -> ProcessInspector | None:
        """Who knows the recipe's limits."""
        inspector: ProcessInspector | None = self._recipes.ready(view.order.recipe_hash)
        return inspector

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

    def inspect(self, inspector: ProcessInspector, observation: Observation) -> ProcessInspection:
        """Judge one recording."""
        return inspector.inspect(observation)

    def show(self, view: CapturedView[ProcessSignal], result: ProcessInspection) -> None:
        """Nothing: the signal has its topic already."""


def main() -> int:
    """Run process_node."""
    return run(ProcessNode)


if __name__ == '__main__':
    sys.exit(main())
