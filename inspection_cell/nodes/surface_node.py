"""surface_node: all scanners of the cell; clouds in, findings of their views out."""

import sys
from collections.abc import Iterable, Mapping, Sequence

from rclpy.publisher import Publisher
from sensor_msgs.msg import PointCloud2

from inspection_cell.cell import Cell, Scanner
from inspection_cell.deviation_colours import deviation_rgb
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.frames import Frames
from inspection_cell.nodes.capture_edge import CapturedView
from inspection_cell.nodes.conversions.sensor_data import deviation_to_msg, scan_from_msg
from inspection_cell.nodes.inspector_node import InspectorNode
from inspection_cell.nodes.run import run
from inspection_cell.observations import Observation
from inspection_cell.recipe import Recipe
from inspection_cell.reference import load_reference
from inspection_cell.shown_topics import deviation_topic
from inspection_cell.views.surface import SurfaceInspection, SurfaceInspector


class SurfaceNode(InspectorNode[PointCloud2, SurfaceInspector, SurfaceInspection]):
    """Compares the scans of the recipes' views with the reference meshes."""

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__('surface_node')
        self._inspectors: dict[str, SurfaceInspector] = {}
        self._shown: dict[str, Publisher] = {}

    def sensors_of(self, cell: Cell) -> Mapping[str, Scanner]:
        """The scanners."""
        return cell.scanners

    def load(self, cell: Cell, recipes: Sequence[Recipe], evidence: EvidenceFolder) -> None:
        """Prepare the references of all recipes that look at surfaces."""
        self._inspectors = {}
        for recipe in recipes:
            reference = load_reference(recipe)
            if recipe.file.surface is not None and reference is not None:
                inspector = SurfaceInspector(recipe, reference, evidence)
                self._inspectors[recipe.part_type] = inspector

    def activate(self) -> None:
        """Open the scanners' topics."""
        scanners = self._cell.scanners
        self._shown = {name: self.shown(PointCloud2, deviation_topic(name)) for name in scanners}
        super().activate()

    def deactivate(self) -> None:
        """Close the scanners' topics."""
        super().deactivate()
        for publisher in self._shown.values():
            self.destroy_publisher(publisher)

    def inspector_of(self, view: CapturedView[PointCloud2]) -> SurfaceInspector | None:
        """Who knows the part type's surface."""
        return self._inspectors.get(view.order.part_type)

    def observe(self, view: CapturedView[PointCloud2]) -> Observation:
        """Decode one cloud."""
        return Observation(
            view.order.inspection_id,
            view.key,
            view.captured.exposure_start_ns,
            scan_from_msg(view.message),
            view.order.transform_part_to_cell,
            self._cell.scanners[view.key.sensor].pose.transform(),
        )

    def inspect(
        self, inspector: SurfaceInspector, observations: Sequence[Observation]
    ) -> Iterable[SurfaceInspection]:
        """Compare each cloud."""
        return map(inspector.inspect, observations)

    def show(self, view: CapturedView[PointCloud2], result: SurfaceInspection) -> None:
        """Publish the deviation of every point, if somebody looks."""
        publisher = self._shown[view.key.sensor]
        surface = self._recipes[view.order.part_type].file.surface
        if surface and len(result.deviation_mm) and publisher.get_subscription_count():
            colours = deviation_rgb(result.deviation_mm, surface.tolerance_mm)
            msg = deviation_to_msg(result.points_part, result.deviation_mm, colours)
            msg.header.stamp = view.message.header.stamp
            msg.header.frame_id = Frames.of(self.get_namespace()).part
            publisher.publish(msg)


def main() -> int:
    """Run surface_node."""
    return run(SurfaceNode)


if __name__ == '__main__':
    sys.exit(main())
