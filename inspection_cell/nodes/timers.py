"""Timers that run only while something waits: each wake-up of rclpy costs about a millisecond."""

import time
from collections.abc import Callable

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.timer import Timer

NEVER_S = 3600.0  # the period of an alarm that is not set
SOON_NS = 1_000_000


def wake(timer: Timer) -> None:
    """Have a timer run; one that runs already keeps its beat.

    Only its own callback may cancel it: an executor with several threads may have chosen it to be
    called already, and ends with an error when it finds it cancelled then.
    """
    if timer.is_canceled():
        timer.reset()


class Alarm:
    """Rings once at a time that is set; earlier at times, never later."""

    def __init__(self, node: Node, ring: Callable[[], None]) -> None:
        """Set to no time; `ring` is called by the node's executor."""
        self._node = node
        self._ring = ring
        self._at_ns: int | None = None
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(NEVER_S, self._rings, clock=steady)
        self._timer.cancel()

    def set(self, due_ns: int) -> None:
        """Ring at this time of `time.monotonic_ns`; an earlier time that is set stays."""
        if self._at_ns is not None and self._at_ns <= due_ns:
            return
        self._at_ns = due_ns
        self._timer.timer_period_ns = max(due_ns - time.monotonic_ns(), SOON_NS)
        self._timer.reset()

    def close(self) -> None:
        """Ring no more."""
        self._node.destroy_timer(self._timer)

    def _rings(self) -> None:
        self._timer.cancel()
        self._at_ns = None
        self._ring()
