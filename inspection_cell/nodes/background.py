"""One long task at a time beside the executor, for a service that waits for its result."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

from rclpy.clock import Clock, ClockType
from rclpy.task import Future

from inspection_cell.nodes.run import ManagedNode, guarded

T = TypeVar('T')

JOIN_S = 8.0  # less than a child process is given to end


class Background(Generic[T]):
    """Runs a task in a thread; who awaits it does not hold up the node."""

    def __init__(self, node: ManagedNode[Any], name: str) -> None:
        """Nothing runs yet; the name is for the log."""
        self._node = node
        self._name = name
        self._thread: threading.Thread | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a task runs, perhaps one for which nobody waits any more."""
        return self._thread is not None and self._thread.is_alive()

    def do(self, action: Callable[[], T], within_s: float, late: str) -> Future:
        """Begin a task.

        Args:
            action: the task.
            within_s: when it takes longer, its result is not used.
            late: why there is none then.

        Returns:
            A future (result or None, why there is none), settled by the thread or by the clock.
        """
        executor = self._node.executor
        future = Future(executor=executor)

        def settle(result: T | None, why: str) -> None:
            if not future.done():
                future.set_result((result, why))
            if executor is not None:
                executor.wake()  # a result from another thread does not wake it by itself

        def work() -> None:
            results: list[T] = []
            why = guarded(self._node.get_logger(), self._name, lambda: results.append(action()))
            settle(results[0] if results else None, why)

        steady = Clock(clock_type=ClockType.STEADY_TIME)
        timer = self._node.create_timer(within_s, partial(settle, None, late), clock=steady)
        future.add_done_callback(lambda _: self._node.destroy_timer(timer))
        self._thread = threading.Thread(target=work, name=self._name, daemon=True)
        self._thread.start()
        return future

    def join(self) -> None:
        """Wait for the task, for a while."""
        if self._thread is not None:
            self._thread.join(JOIN_S)
