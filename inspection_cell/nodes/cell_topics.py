"""The topics of the cell_node: requests and verdicts out, answers and dispositions in."""

from collections.abc import Callable

from inspection_cell_msgs.msg import Capture, Captured, PartArrived
from inspection_cell_msgs.msg import Disposition as DispositionMsg
from inspection_cell_msgs.msg import Verdict as VerdictMsg
from inspection_cell_msgs.msg import ViewFindings as ViewFindingsMsg
from rclpy.node import Node
from rclpy.publisher import Publisher

from inspection_cell.cell import Cell
from inspection_cell.disposition import Disposition
from inspection_cell.errors import DataError
from inspection_cell.findings import Verdict
from inspection_cell.nodes.board import Board
from inspection_cell.nodes.conversions.capturing import (
    CaptureOrder,
    capture_answer_from_msg,
    capture_order_to_msg,
)
from inspection_cell.nodes.conversions.findings import view_findings_from_msg
from inspection_cell.nodes.conversions.rejecting import disposition_from_msg
from inspection_cell.nodes.conversions.verdicts import verdict_to_msg
from inspection_cell.nodes.lights import Lights
from inspection_cell.nodes.qos import RELIABLE, publisher_events
from inspection_cell.nodes.triggers import Triggers


class CellTopics:
    """What cell_node sends and hears; the sending side is used from the inspections' threads."""

    def __init__(
        self, node: Node, cell: Cell, board: Board, disposed: Callable[[Disposition], None]
    ) -> None:
        """Open the topics; answers go to the board, dispositions to `disposed`."""
        self._node = node
        self._board = board
        self._disposed = disposed
        self._captures = self._publisher(Capture, 'capture')
        self._verdicts = self._publisher(VerdictMsg, 'verdict')
        self._triggers = Triggers(node, cell)
        self.lights = Lights(node, cell)
        self._arrivals: Publisher | None = None
        if not cell.file.disposition.part_present_topic:
            self._arrivals = self._publisher(PartArrived, 'part_arrived')
        self._heard = [
            node.create_subscription(Captured, 'captured', self._on_captured, RELIABLE),
            node.create_subscription(Captured, 'shot_captured', self._on_shot, RELIABLE),
            node.create_subscription(ViewFindingsMsg, 'findings', self._on_findings, RELIABLE),
            node.create_subscription(
                DispositionMsg, 'disposition', self._on_disposition, RELIABLE
            ),
        ]

    def close(self) -> None:
        """Close the topics; the lights are off then."""
        self.lights.close()
        for subscription in self._heard:
            self._node.destroy_subscription(subscription)
        self._triggers.close()
        publishers = [self._captures, self._verdicts]
        for publisher in publishers + ([self._arrivals] if self._arrivals else []):
            self._node.destroy_publisher(publisher)

    @property
    def is_open(self) -> bool:
        """Whether messages can still be sent."""
        return bool(self._node.context.ok())

    def now_ns(self) -> int:
        """ROS clock."""
        return int(self._node.get_clock().now().nanoseconds)

    def publish_capture(self, order: CaptureOrder) -> None:
        """Publish a capture request, then trigger its sensors."""
        self._captures.publish(capture_order_to_msg(order))
        self._triggers.fire(order.sensors)

    def announce(self, inspection_id: str, part_id: str) -> None:
        """Say that the part goes to the reject side; nothing where that has its own sensor."""
        if self._arrivals is not None and self.is_open:
            arrived = PartArrived(inspection_id=inspection_id, part_id=part_id)
            arrived.stamp = self._node.get_clock().now().to_msg()
            self._arrivals.publish(arrived)

    def publish_verdict(self, verdict: Verdict) -> None:
        """Publish a verdict that has been recorded."""
        if self.is_open:
            self._verdicts.publish(verdict_to_msg(verdict))

    def _publisher(self, kind: type, topic: str) -> Publisher:
        events = publisher_events(self._node, topic)
        return self._node.create_publisher(kind, topic, RELIABLE, event_callbacks=events)

    def _on_captured(self, msg: Captured) -> None:
        self._board.put_answer(capture_answer_from_msg(msg))

    def _on_shot(self, msg: Captured) -> None:
        self._board.put_shot(capture_answer_from_msg(msg))

    def _on_findings(self, msg: ViewFindingsMsg) -> None:
        where = f'findings of {msg.sensor} at {msg.presentation}'
        try:
            findings = view_findings_from_msg(msg)
        except DataError as error:
            self._node.get_logger().error(f'{where}: {error}')
            return
        if not self._board.put_findings(findings):
            self._node.get_logger().warning(
                f'{where}: nobody waits for {msg.inspection_id} any more'
            )

    def _on_disposition(self, msg: DispositionMsg) -> None:
        try:
            self._disposed(disposition_from_msg(msg))
        except DataError as error:
            self._node.get_logger().error(f'disposition of {msg.inspection_id}: {error}')
