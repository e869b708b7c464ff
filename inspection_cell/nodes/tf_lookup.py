"""Poses out of TF: the one place that reads it.

tf2_ros comes with every installed ROS 2, but not with the wheels: a cell that needs no TF runs
without it.
"""

import time
from typing import Protocol

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time

from inspection_cell.capture.refusal import as_seconds
from inspection_cell.errors import DataError, PoseError
from inspection_cell.geometry import Transform, checked_transform
from inspection_cell.nodes.conversions.transforms import transform_from_msg

try:
    import tf2_ros
except ImportError:
    tf2_ros = None

KEPT_S = 30.0  # longer than a frame may wait for its inspector
POLL_S = 0.005


class PoseSource(Protocol):
    """Where frames are, and were."""

    def pose(self, child: str, parent: str, stamp_ns: int, until_steady_ns: int) -> Transform:
        """`transform_child_to_parent` at a time of the ROS clock; waits for it, in a worker.

        Args:
            child: frame whose points are mapped.
            parent: frame that they are mapped to.
            stamp_ns: when, ROS clock.
            until_steady_ns: how long it may take to be known, steady clock.

        Raises:
            PoseError: that names both frames and the time, when it is not known by then.
        """

    def close(self) -> None:
        """Listen no more."""


class Tf:
    """A PoseSource over tf2's buffer and its listener on /tf and /tf_static."""

    def __init__(self, node: Node) -> None:
        """Begin to listen; the node's executor fills the buffer."""
        self._buffer = tf2_ros.Buffer(Duration(seconds=KEPT_S))
        self._listener = tf2_ros.TransformListener(self._buffer, node)

    def pose(self, child: str, parent: str, stamp_ns: int, until_steady_ns: int) -> Transform:
        """`transform_child_to_parent`; see `PoseSource`."""
        where = f'TF: {child} in {parent} at {as_seconds(stamp_ns)}'
        if stamp_ns <= 0:
            raise PoseError(f'{where}: expected a time after 0')  # tf2's word for the newest pose
        when = Time(nanoseconds=stamp_ns)
        while True:
            try:
                # tf2's target is what points are mapped to, its source where they come from.
                found = self._buffer.lookup_transform_core(parent, child, when)
                return checked_transform(transform_from_msg(found), where)
            except tf2_ros.TransformException as error:
                if time.monotonic_ns() >= until_steady_ns:
                    raise PoseError(f'{where}: {" ".join(str(error).split())}') from error
            except PoseError:
                raise
            except DataError as error:
                raise PoseError(f'{where}: {error}') from error
            time.sleep(POLL_S)

    def close(self) -> None:
        """Listen no more."""
        self._listener.unregister()


def require_tf2(where: str) -> None:
    """Raise DataError that names the package, when tf2_ros is not installed."""
    if tf2_ros is None:
        raise DataError(
            f'{where}: expected tf2_ros, which is not installed: '
            'apt install ros-$ROS_DISTRO-tf2-ros-py'
        )
