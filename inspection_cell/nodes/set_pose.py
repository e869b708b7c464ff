"""Moves models in Gazebo by the service that ros_gz_bridge passes on; needs ros_gz_interfaces."""

from collections.abc import Callable

from rclpy.node import Node
from ros_gz_interfaces.msg import Entity
from ros_gz_interfaces.srv import SetEntityPose

from inspection_cell.geometry import Transform
from inspection_cell.nodes.conversions.poses import pose_to_msg


class SetPose:
    """The client of one world's service."""

    def __init__(self, node: Node, service: str) -> None:
        """Connect."""
        self._node = node
        self._client = node.create_client(SetEntityPose, service)

    @property
    def is_ready(self) -> bool:
        """Whether the bridge serves it."""
        return bool(self._client.service_is_ready())

    def move(self, model: str, transform_to_world: Transform) -> Callable[[], bool | None]:
        """Put a model somewhere; the answer says whether it was done, None: not known yet."""
        request = SetEntityPose.Request(entity=Entity(name=model, type=Entity.MODEL))
        request.pose = pose_to_msg(transform_to_world)
        asked = self._client.call_async(request)
        return lambda: bool(asked.result().success) if asked.done() else None

    def close(self) -> None:
        """Disconnect."""
        self._node.destroy_client(self._client)
