"""surface_node: all scanners of the cell; clouds in, findings of their views out."""

import sys
from collections.abc import Mapping

from builtin_interfaces.msg import Time
from rclpy.publisher import Publisher
from sensor_msgs.msg import PointCloud2

from inspection_cell.cell import Cell, Scanner
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import ViewFindings
from inspection_cell.frames import Frames
from inspection_cell.nodes.capture_edge import CapturedView
from inspection_cell.nodes.conversions.capturing import CaptureOrder
from inspection_cell.nodes.conversions.poses import stamp_to_msg
from inspection_cell.nodes.conversions.sensor_data import deviation_to_msg, scan_from_msg
from inspection_cell.nodes.inspector_node import InspectorNode
from inspection_cell.nodes.joint_worker import JointWorker
from inspection_cell.nodes.run import run
from inspection_cell.observations import Observation
from inspection_cell.recipe import Recipe
from inspection_cell.reference import load_reference
from inspection_cell.showing.deviation_colours import deviation_rgb
from inspection_cell.showing.topics import deviation_topic
from inspection_cell.views.surface import SurfaceInspection, SurfaceInspector


class SurfaceNode(InspectorNode[PointCloud2, SurfaceInspector, SurfaceInspection]):
    """Compares the scans of the recipes' views with the reference meshes."""

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__('surface_node')
        self._shown: dict[str, Publisher] = {}

    def sensors_of(self, cell: Cell) -> Mapping[str, Scanner]:
        """The scanners."""
        return cell.scanners

    def begin_to_load(self, cell: Cell, evidence: EvidenceFolder) -> None:
        """Note where evidence goes."""
        self._evidence = evidence

    def make_ready(self, recipe: Recipe) -> SurfaceInspector | None:
        """Prepare the reference of a recipe that looks at surfaces."""
        reference = load_reference(recipe)
        if recipe.file.surface is None or reference is None:
            return None
        return SurfaceInspector(recipe, reference, self._evidence)

    def activate(self) -> None:
        """Open the scanners' topics."""
        scanners = self._cell.scanners
        self._shown = {name: self.shown(PointCloud2, deviation_topic(name)) for name in scanners}
        self._together = JointWorker(
            self, self._cell.file.limits.queue, self.tell, self._show_together
        )
        super().activate()

    def deactivate(self) -> None:
        """Close the scanners' topics."""
        self._together.close()
        super().deactivate()
        for publisher in self._shown.values():
            self.destroy_publisher(publisher)

    def inspector_of(self, view: CapturedView[PointCloud2]) -> SurfaceInspector | None:
        """Who knows the recipe's surface."""
        inspector: SurfaceInspector | None = self._recipes.ready(view.order.recipe_hash)
        return inspector

    def observe(self, view: CapturedView[PointCloud2]) -> Observation:
        """Decode one cloud."""
        return Observation(
            view.order.inspection_id,
            view.key,
            view.captured.exposure_start_ns,
            scan_from_msg(view.message, self._cell.scanners[view.key.sensor].axes),
            self.held.part(view),
            self.held.sensor(view),
        )

    def inspect(self, inspector: SurfaceInspector, observation: Observation) -> SurfaceInspection:
        """Compare one cloud; one that is judged with others is kept for them."""
        if observation.view in inspector.joint_scans:
            self._together.keep(observation, inspector)
        return inspector.inspect(observation)

    def said(self, order: CaptureOrder, findings: ViewFindings) -> None:
        """Have the scans of a part judged together once all its views have spoken."""
        try:
            required = self._recipes.recipe(order.recipe_hash).file.joint_scans
        except KeyError:  # a recipe that is not held: nobody can judge
            return
        self._together.said(order, findings, required)

    def show(self, view: CapturedView[PointCloud2], result: SurfaceInspection) -> None:
        """Publish the deviation of every point, if somebody looks."""
        self._show(view.order, view.message.header.stamp, result)

    def _show_together(self, order: CaptureOrder, result: SurfaceInspection) -> None:
        self._show(order, stamp_to_msg(result.view_findings.stamp_ns), result)

    def _show(self, order: CaptureOrder, stamp: Time, result: SurfaceInspection) -> None:
        publisher = self._shown[result.view_findings.view.sensor]
        surface = self._recipes.recipe(order.recipe_hash).file.surface
        if surface and len(result.deviation_mm) and publisher.get_subscription_count():
            colours = deviation_rgb(result.deviation_mm, surface.tolerance_mm)
            msg = deviation_to_msg(result.points_part, result.deviation_mm, colours)
            msg.header.stamp = stamp
            msg.header.frame_id = Frames.of(self.get_namespace(), self._cell).part
            publisher.publish(msg)


def main() -> int:
    """Run surface_node."""
    return run(SurfaceNode)


if __name__ == '__main__':
    sys.exit(main())
