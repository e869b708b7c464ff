"""The cell's frames in TF: the sensors as cell.yaml places them, the part as the robot holds it.

What the cell itself takes from TF is somebody else's to publish.
tf2_ros is not needed to publish: a transform is a message. Its package tf2_msgs comes with every
installed ROS 2, but not with the wheels.
"""

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from inspection_cell.cell import Cell
from inspection_cell.frames import Frames
from inspection_cell.geometry import Transform
from inspection_cell.nodes.conversions.transforms import transform_to_msg
from inspection_cell.nodes.qos import LATCHED, RELIABLE

try:
    from tf2_msgs.msg import TFMessage
except ImportError:
    TFMessage = None

PERIOD_S = 0.1  # who starts later sees the part at once, and fresh clouds find its pose
MISSING = (
    'tf2_msgs is not installed (apt: ros-<distribution>-tf2-msgs): no frames are published, '
    'and RViz can show the part only where somebody else publishes them'
)


class FramePublisher:
    """Publishes on /tf_static and /tf; does nothing, and says so, without tf2_msgs."""

    def __init__(self, node: Node, cell: Cell) -> None:
        """Publish where the sensors are."""
        self._node = node
        self._frames = Frames.of(node.get_namespace(), cell)
        self._part: Transform | None = None
        self._part_is_ours = cell.file.robot.part_from_tf is None
        self._open = TFMessage is not None
        if not self._open:
            node.get_logger().warning(MISSING)
            return
        self._static = node.create_publisher(TFMessage, '/tf_static', LATCHED)
        self._moving = node.create_publisher(TFMessage, '/tf', RELIABLE)
        self._static.publish(TFMessage(transforms=self._sensors(cell)))
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(PERIOD_S, self._repeat, clock=steady)

    def part_is_held(self, transform_part_to_cell: Transform, since_ns: int) -> None:
        """From `since_ns` (ROS clock) on the part is here."""
        if not self._part_is_ours:
            return
        self._part = transform_part_to_cell
        if self._open:
            self._publish(transform_part_to_cell, since_ns)
            self._repeat()

    def close(self) -> None:
        """Publish no more."""
        if self._open:
            self._node.destroy_timer(self._timer)
            self._node.destroy_publisher(self._static)
            self._node.destroy_publisher(self._moving)

    def _sensors(self, cell: Cell) -> list[object]:
        now_ns = self._node.get_clock().now().nanoseconds
        return [
            transform_to_msg(
                sensor.pose.transform(), self._frames.cell, self._frames.optical(name), now_ns
            )
            for name, sensor in cell.posed_sensors.items()
            if sensor.pose is not None
        ]

    def _repeat(self) -> None:
        if self._part is not None:
            self._publish(self._part, self._node.get_clock().now().nanoseconds)

    def _publish(self, transform_part_to_cell: Transform, stamp_ns: int) -> None:
        cell, part = self._frames.cell, self._frames.part
        held = transform_to_msg(transform_part_to_cell, cell, part, stamp_ns)
        self._moving.publish(TFMessage(transforms=[held]))
