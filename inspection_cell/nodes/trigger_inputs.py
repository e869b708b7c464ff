"""The driver's side of triggers, for sensors without hardware."""

from collections.abc import Callable

from rclpy.node import Node
from rclpy.service import Service
from rclpy.subscription import Subscription
from std_msgs.msg import Bool, Empty
from std_srvs.srv import Trigger as TriggerService

from inspection_cell.cell import Trigger
from inspection_cell.nodes.qos import RELIABLE


class TriggerInput:
    """Calls `expose` whenever a trigger asks for it; `expose` says whether there is a picture."""

    def __init__(self, node: Node, trigger: Trigger, expose: Callable[[], bool]) -> None:
        """Listen as the trigger's kind wants it."""
        self._node = node
        self._expose = expose
        self._subscription: Subscription | None = None
        self._service: Service | None = None
        if trigger.kind == 'service':
            self._service = node.create_service(TriggerService, trigger.service, self._called)
        elif trigger.kind == 'pulse' or trigger.message == 'bool':
            self._subscription = node.create_subscription(
                Bool, trigger.topic, self._switched, RELIABLE
            )
        else:
            self._subscription = node.create_subscription(
                Empty, trigger.topic, lambda _: expose(), RELIABLE
            )

    def close(self) -> None:
        """Listen no more."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
        if self._service is not None:
            self._node.destroy_service(self._service)

    def _switched(self, message: Bool) -> None:
        if message.data:
            self._expose()

    def _called(
        self, request: TriggerService.Request, response: TriggerService.Response
    ) -> TriggerService.Response:
        response.success = self._expose()
        response.message = '' if response.success else 'no part is held'
        return response
