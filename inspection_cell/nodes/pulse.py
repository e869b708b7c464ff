"""Pulses on a std_msgs/Bool topic: for simple ejectors, and for outputs that trigger a sensor.

For an ejector it is not fail-safe: a broken wire lets parts pass. Use ActuatorCommand where it
can be had.
"""

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_msgs.msg import Bool

from inspection_cell.nodes.qos import RELIABLE, publisher_events


class Pulse:
    """True for `pulse_ms`, then false; one that comes during a pulse prolongs it."""

    def __init__(self, node: Node, topic: str, pulse_ms: float) -> None:
        """Open the topic; nothing is sent yet."""
        self._node = node
        self._publisher = node.create_publisher(
            Bool, topic, RELIABLE, event_callbacks=publisher_events(node, topic)
        )
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(
            max(pulse_ms, 1.0) / 1000.0, self.end, clock=steady, autostart=False
        )

    def fire(self) -> None:
        """Begin a pulse, or prolong the one that is on."""
        self._publisher.publish(Bool(data=True))
        self._timer.reset()

    def end(self) -> None:
        """Send false."""
        self._timer.cancel()
        self._publisher.publish(Bool(data=False))

    def close(self) -> None:
        """End a pulse and close the topic."""
        if self._node.context.ok():
            self.end()
        self._node.destroy_timer(self._timer)
        self._node.destroy_publisher(self._publisher)
