"""A node's summary on /diagnostics, once per second."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

PERIOD_S = 1.0


@dataclass(frozen=True, slots=True)
class Reading:
    """One thing that people look at: `problem` in words, empty when all is well."""

    name: str
    problem: str = ''
    values: Mapping[str, str] = field(default_factory=dict)


class Diagnosis:
    """Publishes the readings of a node."""

    def __init__(self, node: Node, readings: Callable[[], Sequence[Reading]]) -> None:
        """Begin to publish what `readings` returns."""
        self._node = node
        self._readings = readings
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(PERIOD_S, self._publish, clock=steady)

    def close(self) -> None:
        """Stop."""
        self._node.destroy_timer(self._timer)
        self._node.destroy_publisher(self._publisher)

    def _publish(self) -> None:
        msg = DiagnosticArray()
        msg.header.stamp = self._node.get_clock().now().to_msg()
        msg.status = [self._status(reading) for reading in self._readings()]
        self._publisher.publish(msg)

    def _status(self, reading: Reading) -> DiagnosticStatus:
        level = DiagnosticStatus.ERROR if reading.problem else DiagnosticStatus.OK
        name = f'{self._node.get_fully_qualified_name()}: {reading.name}'
        status = DiagnosticStatus(level=level, name=name, message=reading.problem or 'ok')
        status.values = [KeyValue(key=key, value=value) for key, value in reading.values.items()]
        return status
