"""Waiting for what other processes do."""

import time


def wait_until(condition, timeout_s=60.0):
    """The condition's last value: true as soon as it is, else when the time is over."""
    end_s = time.monotonic() + timeout_s
    while not condition() and time.monotonic() < end_s:
        time.sleep(0.05)
    return condition()
