"""Timers that run only while something waits: each wake-up of rclpy costs about a millisecond."""

from rclpy.timer import Timer


def wake(timer: Timer) -> None:
    """Have a timer run; one that runs already keeps its beat.

    Only its own callback may cancel it: an executor with several threads may have chosen it to be
    called already, and ends with an error when it finds it cancelled then.
    """
    if timer.is_canceled():
        timer.reset()
