"""Timers that run only while something waits: woken by anybody, put to sleep by themselves."""

import threading
import time

from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import Empty

from inspection_cell.nodes.timers import wake

SECONDS = 1.0


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
        while time.monotonic() < end_s:
            executor.spin_once(timeout_sec=0.1)
    finally:
        stop.set()
        publishing.join()
        executor.shutdown()
        node.destroy_node()
    assert len(ticks) > 10


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
