"""The cell's side of the PresentPart action, for a thread that waits for the robot."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from action_msgs.msg import GoalStatus
from inspection_cell_msgs.action import PresentPart
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.task import Future

from inspection_cell.cell import Robot
from inspection_cell.geometry import Transform
from inspection_cell.nodes.board import POLL_S, StoppedError
from inspection_cell.nodes.conversions.poses import pose_from_msg, stamp_from_msg

CLOCKS_AGREE_S = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """The robot holds the part still, since `settled_ns` on the ROS clock.

    The pose is the one that was asked for where the cell takes the part's pose from TF.
    """

    settled_ns: int
    transform_part_to_cell: Transform


class Presenter:
    """Asks the robot side for one pose after the other."""

    def __init__(self, node: Node, robot: Robot) -> None:
        """Connect to the robot's action."""
        self._node = node
        self._robot = robot
        self._client = ActionClient(node, PresentPart, robot.action)
        # Between tasks of the executor and `close`; a future that is done calls back at once.
        self._lock = threading.RLock()
        self._is_open = True
        self._moving: dict[int, Any] = {}  # handles of goals that the robot works on, by `id`

    @property
    def is_ready(self) -> bool:
        """Whether the robot side is there."""
        return bool(self._client.server_is_ready())

    def close(self) -> None:
        """Have the robot stop what it still does for the cell, and disconnect."""
        with self._lock:
            self._is_open = False
            for handle in self._moving.values():
                handle.cancel_goal_async()
            self._client.destroy()

    def present(self, goal: PresentPart.Goal, check: Callable[[], None]) -> Settled:
        """Have a part held in a pose.

        Args:
            goal: which part, in which pose.
            check: called while waiting; raises StoppedError to give up, and the move is cancelled.

        Raises:
            StoppedError: when the robot side is not there, refuses, aborts or takes too long.
            DataError: when it reports an impossible pose.
        """
        sent_ns = self._now_ns()
        until_s = time.monotonic() + self._robot.timeout_s
        what = f'presentation {goal.presentation}'
        if not self._client.wait_for_server(timeout_sec=min(self._robot.timeout_s, 5.0)):
            raise StoppedError(f'{what}: nobody serves the action {self._robot.action}')
        sent: list[Future] = []

        def send() -> Future:
            sent.append(self._client.send_goal_async(goal))
            return sent[0]

        try:
            handle = self._answer(send, until_s, check, what)
        except StoppedError:
            self._in_executor(partial(self._cancel_once_accepted, sent))
            raise
        if not handle.accepted:
            raise StoppedError(f'{what}: the robot side refused the goal')
        self._moving[id(handle)] = handle
        try:
            answer = self._answer(handle.get_result_async, until_s, check, what)
        except StoppedError:
            self._in_executor(partial(self._cancel, handle))
            raise
        self._moving.pop(id(handle), None)
        if answer.status != GoalStatus.STATUS_SUCCEEDED:
            raise StoppedError(
                f'{what}: the robot side aborted: {answer.result.message or "no reason"}'
            )
        settled_ns = stamp_from_msg(answer.result.settled)
        ahead_s = (settled_ns - self._now_ns()) / 1e9
        if settled_ns <= 0 or ahead_s > CLOCKS_AGREE_S:
            told = f'settled at {settled_ns / 1e9:.3f} s, {ahead_s:+.3f} s from now'
            raise StoppedError(f'{what}: the robot side reports an impossible time: {told}')
        # What the robot held before this goal is nobody's evidence for it.
        settled_ns = max(settled_ns, sent_ns)
        if self._robot.part_from_tf is not None:  # each exposure has its own
            return Settled(settled_ns, pose_from_msg(goal.part_to_cell))
        return Settled(settled_ns, pose_from_msg(answer.result.part_to_cell))

    def _now_ns(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    def _in_executor(self, ask: Callable[[], Future]) -> Future:
        """Have the executor's own thread ask the robot side.

        rclpy's action client notes a request only after sending it, without a lock: an answer
        that the executor takes in between is dropped as unexpected, and never comes again.
        """
        executor = self._node.executor
        if executor is None:
            raise StoppedError('the cell stops')
        return executor.create_task(partial(self._asked, ask))

    def _asked(self, ask: Callable[[], Future]) -> Future:
        """Ask, unless the cell has stopped meanwhile; what a task raises would end the process."""
        with self._lock:
            return ask() if self._is_open else Future()

    def _cancel(self, handle: Any) -> Future:
        self._moving.pop(id(handle), None)
        return handle.cancel_goal_async()

    def _cancel_once_accepted(self, sent: Sequence[Future]) -> Future:
        """The cell gave up before the robot side had answered: it must not move."""

        def cancel(answered: Future) -> None:
            if answered.exception() is None and answered.result().accepted:
                self._asked(answered.result().cancel_goal_async)

        for future in sent:
            future.add_done_callback(cancel)
        return Future()

    def _answer(
        self, ask: Callable[[], Future], until_s: float, check: Callable[[], None], what: str
    ) -> Any:
        asked = self._result(self._in_executor(ask), until_s, check, what)
        return self._result(asked, until_s, check, what)

    def _result(self, future: Any, until_s: float, check: Callable[[], None], what: str) -> Any:
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())
        while not done.wait(POLL_S):
            check()
            if time.monotonic() > until_s:
                raise StoppedError(f'{what}: the robot took more than {self._robot.timeout_s:g} s')
        return future.result()
