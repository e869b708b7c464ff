"""Timers that run only while something waits, and alarms that ring when it is due."""

import threading
import time

import pytest
from rclpy.executors import MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import Empty

from inspection_cell.nodes.timers import Alarm, wake

SECONDS, TICKS = 1.0, 10


def test_a_timer_that_is_woken_and_sleeps_all_the_time_never_ends_the_executor(ros):
    node, executor = Node('sleepy'), MultiThreadedExecutor(3)
    executor.add_node(node)
    ticks = []

    def tick():
        ticks.append(time.monotonic())
        timer.cancel()

    timer = node.create_timer(0.001, tick)
    publisher = node.create_publisher(Empty, 'go_on', 50)
    node.create_subscription(Empty, 'go_on', lambda _: wake(timer), 50)
    stop = threading.Event()

    def publish():
        while not stop.wait(0.0005):
            publisher.publish(Empty())

    publishing = threading.Thread(target=publish)
    publishing.start()
    end_s = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end_s or len(ticks) <= TICKS:  # a busy machine takes longer
            executor.spin_once(timeout_sec=0.1)
    finally:
        stop.set()
        publishing.join()
        executor.shutdown()
        node.destroy_node()
    assert len(ticks) > TICKS


def test_a_timer_that_runs_keeps_its_beat_when_it_is_woken_again(ros):
    node = Node('steady')
    timer = node.create_timer(1000.0, lambda: None)
    time.sleep(0.05)
    before_ns = timer.time_until_next_call()
    wake(timer)
    assert timer.time_until_next_call() <= before_ns
    timer.cancel()
    wake(timer)
    assert not timer.is_canceled()
    node.destroy_node()


class Rung:
    """A node with an alarm, and when it rang."""

    def __init__(self):
        self.node, self.executor = Node('sleeper'), SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.times_ns = []
        self.alarm = Alarm(self.node, lambda: self.times_ns.append(time.monotonic_ns()))

    def spin(self, seconds):
        end_s = time.monotonic() + seconds
        while (left_s := end_s - time.monotonic()) > 0:
            self.executor.spin_once(timeout_sec=left_s)

    def close(self):
        self.alarm.close()
        self.executor.shutdown()
        self.node.destroy_node()


@pytest.fixture
def rung(ros):
    rung = Rung()
    yield rung
    rung.close()


def test_an_alarm_rings_once_when_it_is_due(rung):
    due_ns = time.monotonic_ns() + 200_000_000
    rung.alarm.set(due_ns)
    rung.spin(0.6)
    (rang_ns,) = rung.times_ns
    assert rang_ns >= due_ns - 5_000_000  # the clocks of ROS and Python may drift


def test_the_earlier_of_two_times_counts(rung):
    now_ns = time.monotonic_ns()
    rung.alarm.set(now_ns + 100_000_000_000)
    rung.alarm.set(now_ns + 100_000_000)
    rung.alarm.set(now_ns + 200_000_000_000)
    rung.spin(0.5)
    assert len(rung.times_ns) == 1


def test_an_alarm_that_rang_is_set_again(rung):
    for _ in range(3):
        rung.alarm.set(time.monotonic_ns())  # past already: at once
        rung.spin(0.2)
    assert len(rung.times_ns) == 3


def test_an_alarm_that_was_never_set_is_silent(rung):
    rung.spin(0.2)
    assert not rung.times_ns
