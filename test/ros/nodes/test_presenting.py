"""The cell's side of PresentPart: no answer of the robot side is lost."""

import threading
import time

import pytest
from inspection_cell_msgs.action import PresentPart
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.task import Future

from inspection_cell.cell import Robot
from inspection_cell.nodes.board import StoppedError
from inspection_cell.nodes.presenting import Presenter

SLOW_S = 0.3  # between sending a request and noting it


@pytest.fixture
def spun(ros):
    """A node whose executor spins in a thread of its own, as the cell's does."""
    node, robot = Node('cell'), Node('robot')
    executors = [SingleThreadedExecutor(), MultiThreadedExecutor(3)]
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


class MovingRobot:
    """Accepts when it is told to, and then moves until it is told to stop."""

    def __init__(self, node):
        self.may_accept, self.asked, self.stopped = (threading.Event() for _ in range(3))
        self.server = ActionServer(
            node,
            PresentPart,
            'present_part',
            self.move,
            goal_callback=self.accept,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
            callback_group=ReentrantCallbackGroup(),
        )

    def accept(self, _goal):
        self.asked.set()
        assert self.may_accept.wait(10)
        return GoalResponse.ACCEPT

    def move(self, goal):
        end_s = time.monotonic() + 10
        while not goal.is_cancel_requested and time.monotonic() < end_s:
            time.sleep(0.01)
        if goal.is_cancel_requested:
            goal.canceled()
            self.stopped.set()
        return PresentPart.Result()


def test_a_move_that_is_taken_back_before_the_robot_accepted_it_is_cancelled_then(spun):
    node, robot_node = spun
    robot = MovingRobot(robot_node)
    presenter = Presenter(node, Robot(action='present_part', timeout_s=20.0))

    def taken_back():
        if robot.asked.is_set():
            raise StoppedError('the client took its goal back')

    with pytest.raises(StoppedError):
        presenter.present(PresentPart.Goal(presentation='top'), taken_back)
    robot.may_accept.set()
    assert robot.stopped.wait(10)
    presenter.close()
    robot.server.destroy()


def test_a_move_that_the_robot_accepted_while_it_was_taken_back_is_cancelled_at_once(spun):
    node, _ = spun
    presenter = Presenter(node, Robot(action='present_part', timeout_s=5.0))
    cancelled = threading.Event()

    class Accepted:
        accepted = True

        def cancel_goal_async(self):
            cancelled.set()
            return Future()

    answered = Future()
    answered.set_result(Accepted())
    presenter._in_executor(lambda: presenter._cancel_once_accepted([answered]))
    assert cancelled.wait(10)
    presenter.close()


def test_a_cell_that_stops_in_the_middle_of_a_move_has_it_cancelled(spun):
    node, robot_node = spun
    robot = MovingRobot(robot_node)
    robot.may_accept.set()
    presenter = Presenter(node, Robot(action='present_part', timeout_s=20.0))
    stopping, began = threading.Event(), threading.Event()

    def check():
        if presenter._moving:
            began.set()
        if stopping.is_set():
            raise StoppedError('the cell stops')

    def present():
        with pytest.raises(StoppedError):
            presenter.present(PresentPart.Goal(presentation='top'), check)

    moving = threading.Thread(target=present)
    moving.start()
    assert began.wait(10)

    def stop():  # as the lifecycle does: in the executor, which does nothing else meanwhile
        stopping.set()
        moving.join(10)
        presenter.close()

    node.executor.create_task(stop)
    assert robot.stopped.wait(10)
    moving.join(10)
    assert not moving.is_alive()
    lives = threading.Event()
    node.executor.create_task(lives.set)  # what was still to be asked has not ended it
    assert lives.wait(10)
    robot.server.destroy()
