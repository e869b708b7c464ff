"""Where the robot's driver would publish TF: what moves, in a cell without hardware."""

from collections.abc import Mapping
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from inspection_cell.cell import Cell
from inspection_cell.errors import DataError
from inspection_cell.frames import Frames
from inspection_cell.geometry import Transform
from inspection_cell.nodes.conversions.transforms import transform_to_msg
from inspection_cell.nodes.held_poses import keys_of_tf
from inspection_cell.nodes.qos import RELIABLE

try:
    from tf2_msgs.msg import TFMessage
except ImportError:
    TFMessage = None

PERIOD_S = 0.02  # as often as a slow robot driver


class MovedFrames:
    """Publishes the poses that the cell looks up in TF while a part is held, and none before."""

    def __init__(self, node: Node, cell: Cell) -> None:
        """Open the topic, where the cell needs it; raises DataError without tf2_msgs."""
        self._node = node
        self._frames = Frames.of(node.get_namespace(), cell)
        self._part = cell.file.robot.part_from_tf is not None
        self._held: dict[str, Transform] = {}
        self._publisher: Any = None
        if not keys_of_tf(cell, cell.sensors):
            return
        if TFMessage is None:
            raise DataError(
                f'{cell.path}: from_tf: expected tf2_msgs, which is not installed: '
                'apt install ros-$ROS_DISTRO-tf2-msgs'
            )
        self._publisher = node.create_publisher(TFMessage, '/tf', RELIABLE)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(PERIOD_S, self._repeat, clock=steady)

    def hold(
        self, transform_part_to_cell: Transform, sensors: Mapping[str, Transform], since_ns: int
    ) -> None:
        """From `since_ns` (ROS clock) on everything stands still here.

        Args:
            transform_part_to_cell: of the part.
            sensors: `transform_sensor_to_cell` of those that move, by name.
            since_ns: when the robot had settled.
        """
        held = {self._frames.optical(name): pose for name, pose in sensors.items()}
        if self._part:
            held[self._frames.part] = transform_part_to_cell
        self._held = held
        self._publish(since_ns)
        self._repeat()

    def let_go(self) -> None:
        """The robot moves: nothing is known until it holds still again."""
        self._held = {}

    def close(self) -> None:
        """Publish no more."""
        if self._publisher is not None:
            self._node.destroy_timer(self._timer)
            self._node.destroy_publisher(self._publisher)

    def _repeat(self) -> None:
        self._publish(self._node.get_clock().now().nanoseconds)

    def _publish(self, stamp_ns: int) -> None:
        if not self._held:
            return
        poses = self._held.items()
        cell = self._frames.cell
        transforms = [transform_to_msg(pose, cell, frame, stamp_ns) for frame, pose in poses]
        self._publisher.publish(TFMessage(transforms=transforms))
