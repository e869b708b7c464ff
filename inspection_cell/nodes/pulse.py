"""A pulse on a std_msgs/Bool topic per diverted part, for simple ejectors.

Not fail-safe: a broken wire lets parts pass. Use ActuatorCommand where it can be had.
"""

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from std_msgs.msg import Bool

from inspection_cell.cell import Disposition
from inspection_cell.nodes.qos import RELIABLE, publisher_events


class Pulse:
    """True for `pulse_ms`, then false; a part that comes during a pulse prolongs it."""

    def __init__(self, node: Node, settings: Disposition) -> None:
        """Open the topic and send false."""
        topic = settings.pulse_topic
        self._node = node
        self._publisher = node.create_publisher(
            Bool, topic, RELIABLE, event_callbacks=publisher_events(node, topic)
        )
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(
            max(settings.pulse_ms, 1.0) / 1000.0, self._end, clock=steady, autostart=False
        )
        self._publisher.publish(Bool(data=False))

    def fire(self) -> None:
        """Begin a pulse, or prolong the one that is on."""
        self._publisher.publish(Bool(data=True))
        self._timer.reset()

    def close(self) -> None:
        """End a pulse and close the topic."""
        if self._node.context.ok():
            self._publisher.publish(Bool(data=False))
        self._node.destroy_timer(self._timer)
        self._node.destroy_publisher(self._publisher)

    def _end(self) -> None:
        self._timer.cancel()
        self._publisher.publish(Bool(data=False))
