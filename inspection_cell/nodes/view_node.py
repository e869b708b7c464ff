"""view_node: what RViz shows of the cell: its frames, the part with what was seen, the verdict.

It only listens. Nobody waits for it, and it works only while somebody looks.
"""

import sys

from inspection_cell_msgs.msg import Capture
from inspection_cell_msgs.msg import Verdict as VerdictMsg
from rclpy.clock import Clock, ClockType
from visualization_msgs.msg import MarkerArray

from inspection_cell.bringup import load_recipes
from inspection_cell.cell import load_cell
from inspection_cell.errors import DataError
from inspection_cell.frames import Frames
from inspection_cell.nodes.conversions.capturing import capture_order_from_msg
from inspection_cell.nodes.conversions.markers import markers_to_msg
from inspection_cell.nodes.conversions.verdicts import verdict_from_msg
from inspection_cell.nodes.frame_publisher import FramePublisher
from inspection_cell.nodes.held_recipes import HeldRecipes
from inspection_cell.nodes.params import CellParams
from inspection_cell.nodes.qos import LATCHED, RELIABLE, publisher_events
from inspection_cell.nodes.run import ManagedNode, run
from inspection_cell.nodes.worker import Worker
from inspection_cell.recipe import Recipe
from inspection_cell.reference import load_reference
from inspection_cell.showing.part_markers import PartMarker
from inspection_cell.showing.rviz_view import rviz_config
from inspection_cell.showing.topics import MARKERS

LOOK_PERIOD_S = 0.5  # who begins to look sees the last verdict within this time


class ViewNode(ManagedNode[CellParams]):
    """Makes markers of the newest verdict in a worker thread; older ones are dropped."""

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__('view_node', CellParams)
        self._newest: VerdictMsg | None = None
        self._begun: VerdictMsg | None = None

    def configure(self) -> None:
        """Load cell, recipes and references; write the RViz configuration of this cell."""
        self._cell = load_cell(self.params.cell_path)
        self._parts = HeldRecipes[PartMarker](self, self._cell, self._marker)
        self._parts.load(load_recipes(self._cell, self.params.recipe_paths))
        file = self.params.data_path / f'{self._cell.file.name}.rviz'
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(rviz_config(self._cell, self.get_namespace().strip('/')))
        self.get_logger().info(f'to see this cell: rviz2 -d {file}')

    def activate(self) -> None:
        """Open topics, frames, worker and timer."""
        events = publisher_events(self, MARKERS)
        self._markers = self.create_publisher(
            MarkerArray, MARKERS, LATCHED, event_callbacks=events
        )
        self._frames = FramePublisher(self, self._cell)
        self._begun = None  # who looked before has to be shown it again
        # One token waits at most: whoever takes it shows the newest verdict.
        self._worker = Worker(self.get_name(), 1, self._show, _failed, self.get_logger())
        self._heard = [
            self.create_subscription(Capture, 'capture', self._on_capture, RELIABLE),
            self.create_subscription(VerdictMsg, 'verdict', self._on_verdict, RELIABLE),
        ]
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = self.create_timer(LOOK_PERIOD_S, self._look, clock=steady)

        self._parts.open()

    def deactivate(self) -> None:
        """Close topics, frames, worker and timer."""
        self._parts.close()
        self.destroy_timer(self._timer)
        for subscription in self._heard:
            self.destroy_subscription(subscription)
        self._worker.stop()
        self._frames.close()
        self.destroy_publisher(self._markers)

    def _marker(self, recipe: Recipe) -> PartMarker:
        return PartMarker(recipe, self._cell, load_reference(recipe))

    def _on_capture(self, msg: Capture) -> None:
        try:
            order = capture_order_from_msg(msg)
        except DataError as error:
            self.get_logger().error(f'capture of inspection {msg.inspection_id}: {error}')
            return
        self._frames.part_is_held(order.transform_part_to_cell, order.settled_ns)

    def _on_verdict(self, msg: VerdictMsg) -> None:
        self._newest = msg
        self._look()

    def _look(self) -> None:
        if self._newest is not self._begun and self._markers.get_subscription_count():
            self._worker.submit(True)

    def _show(self, _: bool) -> None:
        msg = self._newest
        if msg is None or msg is self._begun:
            return
        self._begun = msg
        part = self._parts.ready(msg.recipe_hash)
        if part is None:
            self.get_logger().error(f'verdict on {msg.part_id}: no recipe {msg.part_type!r}')
            return
        frames = Frames.of(self.get_namespace(), self._cell)
        markers = markers_to_msg(part.of(verdict_from_msg(msg)), frames)
        if msg is self._newest:
            self._markers.publish(markers)


def _failed(_: bool, reason: str) -> None:
    """Nobody waits for markers; the log tells why there are none."""


def main() -> int:
    """Run view_node."""
    return run(ViewNode)


if __name__ == '__main__':
    sys.exit(main())
