"""The cell's side of PresentPart: no answer of the robot side is lost."""

import threading
import time

import pytest
from inspection_cell_msgs.action import PresentPart
from rclpy.action import ActionServer
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from inspection_cell.cell import Robot
from inspection_cell.nodes.presenting import Presenter

SLOW_S = 0.3  # between sending a request and noting it


@pytest.fixture
def spun(ros):
    """A node whose executor spins in a thread of its own, as the cell's does."""
    node, robot = Node('cell'), Node('robot')
    executors = [SingleThreadedExecutor() for _ in range(2)]
    threads = []
    for executor, one in zip(executors, (node, robot), strict=True):
        executor.add_node(one)
        threads.append(threading.Thread(target=executor.spin, daemon=True))
        threads[-1].start()
    yield node, robot
    for executor, thread in zip(executors, threads, strict=True):
        executor.shutdown()
        thread.join()
    node.destroy_node()
    robot.destroy_node()


def slowly(send):
    """The request goes out, then its thread is held up: the answer is there first."""

    def sent(request):
        number = send(request)
        time.sleep(SLOW_S)
        return number

    return sent


class HeldUp:
    """The middleware's action client with a pause after each request."""

    def __init__(self, handle):
        self._handle = handle
        self.send_goal_request = slowly(handle.send_goal_request)
        self.send_result_request = slowly(handle.send_result_request)

    def __getattr__(self, name):
        return getattr(self._handle, name)

    def __enter__(self):
        return self._handle.__enter__()

    def __exit__(self, *error):
        return self._handle.__exit__(*error)


def test_an_answer_that_comes_at_once_is_not_lost(spun):
    node, robot = spun

    def hold(goal):
        goal.succeed()
        result = PresentPart.Result(settled=robot.get_clock().now().to_msg())
        result.part_to_cell.orientation.w = 1.0
        return result

    server = ActionServer(robot, PresentPart, 'present_part', hold)
    presenter = Presenter(node, Robot(action='present_part', timeout_s=5.0))
    presenter._client._client_handle = HeldUp(presenter._client._client_handle)
    for _ in range(3):
        settled = presenter.present(PresentPart.Goal(presentation='top'), lambda: None)
        assert settled.transform_part_to_cell[3, 3] == 1
    presenter.close()
    server.destroy()
