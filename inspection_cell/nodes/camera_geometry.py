"""Where a camera's geometry comes from: its CameraInfo topic, or cell.yaml."""

import threading

from rclpy.node import Node
from sensor_msgs.msg import CameraInfo

from inspection_cell.cell import Camera
from inspection_cell.errors import DataError
from inspection_cell.geometry import Intrinsics
from inspection_cell.nodes.conversions.poses import camera_info_from_msg
from inspection_cell.nodes.qos import sensor_profile

WAIT_S = 0.5  # CameraInfo of the first image may come after it


class CameraGeometry:
    """The latest geometry of one camera; read from the worker thread."""

    def __init__(self, node: Node, name: str, camera: Camera) -> None:
        """Take the geometry of cell.yaml, or listen to the topic that it names."""
        self._name = name
        self._node = node
        self._topic = camera.camera_info_topic
        self._known = threading.Event()
        self._intrinsics: Intrinsics | None = None
        self._problem = ''
        self._subscription = None
        if self._topic:
            profile = sensor_profile(node, self._topic, 'best_effort')
            self._subscription = node.create_subscription(
                CameraInfo, self._topic, self._on_info, profile
            )
        elif camera.intrinsics is not None:
            self._intrinsics = camera.intrinsics.value()
            self._known.set()

    def intrinsics(self) -> Intrinsics:
        """The geometry; raises DataError when none has come, or an impossible one."""
        if not self._known.wait(WAIT_S):
            raise DataError(f'{self._name}: no CameraInfo has come on {self._topic}')
        if self._intrinsics is None:
            raise DataError(f'{self._name}: {self._problem}')
        return self._intrinsics

    def close(self) -> None:
        """Unsubscribe."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)

    def _on_info(self, msg: CameraInfo) -> None:
        try:
            self._intrinsics = camera_info_from_msg(msg)
        except DataError as error:
            self._intrinsics, self._problem = None, str(error)
        self._known.set()
