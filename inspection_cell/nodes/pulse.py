"""Pulses on a std_msgs/Bool topic: for simple ejectors, and for outputs that trigger a sensor.

For an ejector it is not fail-safe: a broken wire lets parts pass. Use ActuatorCommand where it
can be had.
"""

import time

from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration
from rclpy.node import Node
from std_msgs.msg import Bool

from inspection_cell.nodes.qos import RELIABLE, publisher_events

DELIVERED_WITHIN_S = 0.5


class Pulse:
    """True for `pulse_ms`, then false; one that comes during a pulse prolongs it."""

    def __init__(self, node: Node, topic: str, pulse_ms: float) -> None:
        """Open the topic; nothing is sent yet."""
        self._node = node
        self._publisher = node.create_publisher(
            Bool, topic, RELIABLE, event_callbacks=publisher_events(node, topic)
        )
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._lasts_s = max(pulse_ms, 1.0) / 1000.0
        self._timer = node.create_timer(self._lasts_s, self.end, clock=steady, autostart=False)
        self._ends_s = 0.0

    def fire(self) -> None:
        """Begin a pulse, or prolong the one that is on."""
        self._publisher.publish(Bool(data=True))
        self._timer.reset()
        self._ends_s = time.monotonic() + self._lasts_s

    def end(self) -> None:
        """Send false."""
        self._timer.cancel()
        self._ends_s = 0.0
        self._publisher.publish(Bool(data=False))

    def close(self) -> None:
        """Wait for the end of a pulse, which an ejector needs whole, and close the topic."""
        time.sleep(max(self._ends_s - time.monotonic(), 0.0))
        if self._node.context.ok():
            self.end()
            self._publisher.wait_for_all_acked(Duration(seconds=DELIVERED_WITHIN_S))
        self._node.destroy_timer(self._timer)
        self._node.destroy_publisher(self._publisher)
