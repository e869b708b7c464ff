"""A node's summary on /diagnostics, once per second unless its parameter says otherwise."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType

from inspection_cell.nodes.run import ManagedNode


@dataclass(frozen=True, slots=True)
class Reading:
    """One thing that people look at: `problem` in words, empty when all is well."""

    name: str
    problem: str = ''
    values: Mapping[str, str] = field(default_factory=dict)


class Diagnosis:
    """Publishes the readings of a node."""

    def __init__(self, node: ManagedNode[Any], readings: Callable[[], Sequence[Reading]]) -> None:
        """Begin to publish what `readings` returns."""
        self._node = node
        self._readings = readings
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 10)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        period_s = node.params.diagnostics_period_s
        self._timer = node.create_timer(period_s, self._publish, clock=steady)
        node.heard_of_parameters.append(self._take_period)

    def close(self) -> None:
        """Stop."""
        self._node.heard_of_parameters.remove(self._take_period)
        self._node.destroy_timer(self._timer)
        self._node.destroy_publisher(self._publisher)

    def _take_period(self) -> None:
        self._timer.timer_period_ns = round(self._node.params.diagnostics_period_s * 1e9)

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
