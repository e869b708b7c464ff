"""Timers that run only while something waits: each wake-up of rclpy costs about a millisecond."""

from rclpy.timer import Timer


def run_while(timer: Timer, waits: bool) -> None:
    """Have a timer run, or not; one that runs already keeps its beat."""
    if not waits:
        timer.cancel()
    elif timer.is_canceled():
        timer.reset()
