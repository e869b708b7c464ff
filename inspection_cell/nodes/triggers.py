"""How the cell makes its sensors expose, each in the way that its driver understands."""

from collections.abc import Callable, Iterable
from functools import partial

from rclpy.client import Client
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.task import Future
from std_msgs.msg import Bool, Empty
from std_srvs.srv import Trigger as TriggerService

from inspection_cell.cell import Cell, Trigger
from inspection_cell.nodes.pulse import Pulse
from inspection_cell.nodes.qos import RELIABLE, publisher_events


class Triggers:
    """The triggers of a cell's sensors; fired from the inspections' threads."""

    def __init__(self, node: Node, cell: Cell) -> None:
        """Open topics and services."""
        self._node = node
        self._is_open = True
        self._publishers: list[Publisher] = []
        self._clients: list[Client] = []
        self._pulses: list[Pulse] = []
        self._fire: dict[str, Callable[[], None]] = {}
        for name, sensor in cell.sensors.items():
            makes: dict[str, Callable[[Trigger], Callable[[], None]]] = {
                'software': self._software,
                'pulse': self._pulse,
                'service': partial(self._service, name),
            }
            if sensor.trigger.kind in makes:
                self._fire[name] = makes[sensor.trigger.kind](sensor.trigger)

    def fire(self, sensors: Iterable[str]) -> None:
        """Have sensors expose; those that run freely are left alone."""
        for name in sensors:
            if name in self._fire:
                self._fire[name]()

    def close(self) -> None:
        """Close topics and services."""
        self._is_open = False
        for pulse in self._pulses:
            pulse.close()
        for client in self._clients:
            self._node.destroy_client(client)
        for publisher in self._publishers:
            self._node.destroy_publisher(publisher)

    def _software(self, trigger: Trigger) -> Callable[[], None]:
        kind, message = (Bool, Bool(data=True)) if trigger.message == 'bool' else (Empty, Empty())
        return partial(self._publisher(kind, trigger.topic).publish, message)

    def _pulse(self, trigger: Trigger) -> Callable[[], None]:
        self._pulses.append(Pulse(self._node, trigger.topic, trigger.pulse_ms))
        return self._pulses[-1].fire

    def _service(self, name: str, trigger: Trigger) -> Callable[[], None]:
        client = self._node.create_client(TriggerService, trigger.service)
        self._clients.append(client)

        def answered(future: Future) -> None:
            if not future.result().success:
                why = future.result().message or 'no reason'
                self._node.get_logger().error(f'{name}: {trigger.service} refused: {why}')

        def ask() -> None:
            if self._is_open:  # what a task raises would end the process
                client.call_async(TriggerService.Request()).add_done_callback(answered)

        def fire() -> None:
            executor = self._node.executor
            if executor is not None:
                executor.create_task(ask)  # a request is sent by the thread that takes the answer

        return fire

    def _publisher(self, kind: type, topic: str) -> Publisher:
        events = publisher_events(self._node, topic)
        publisher = self._node.create_publisher(kind, topic, RELIABLE, event_callbacks=events)
        self._publishers.append(publisher)
        return publisher
