"""How many parts may be between robot and bin, and whose turn it is."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from inspection_cell.nodes.board import POLL_S


class Traffic:
    """Lets parts in, in the order in which their goals came; one robot holds one at a time.

    A part is in flight from its turn until it was disposed of. At most `buffer` parts are in
    flight, and as many goals may wait for their turn.
    """

    def __init__(self, buffer: int, dispose_within_s: float) -> None:
        """Start empty.

        Args:
            buffer: parts that may be in flight.
            dispose_within_s: longest time from verdict to disposition; then the part is given up.
        """
        self._buffer = buffer
        self._dispose_within_s = dispose_within_s
        self._accepted = 0  # goals that have not yet queued
        self._queue: list[str] = []  # for their turn
        self._robot: list[str] = []  # in flight, not yet captured
        self._in_flight: dict[str, float] = {}  # until when, steady seconds
        self._changed = threading.Condition()

    @property
    def has_room(self) -> bool:
        """Whether one more goal may be accepted."""
        with self._changed:
            return self._accepted + len(self._queue) + self._held() < 2 * self._buffer

    def accept(self) -> None:
        """Count a goal whose client was told that it is accepted; `enter` must follow."""
        with self._changed:
            self._accepted += 1

    def enter(self, inspection_id: str, check: Callable[[], None]) -> None:
        """Wait for the turn of an accepted goal; `check` raises StoppedError to give up."""
        with self._changed:
            self._accepted -= 1
            self._queue.append(inspection_id)
            try:
                while self._queue[0] != inspection_id or self._held() >= self._buffer:
                    check()
                    self._changed.wait(POLL_S)
                self._in_flight[inspection_id] = float('inf')
                self._robot.append(inspection_id)
            finally:
                self._queue.remove(inspection_id)
                self._changed.notify_all()

    @contextmanager
    def robot(self, inspection_id: str, check: Callable[[], None]) -> Iterator[None]:
        """Hold the robot for the presentations of a part, after those before it."""
        try:
            with self._changed:
                while self._robot[0] != inspection_id:
                    check()
                    self._changed.wait(POLL_S)
            yield
        finally:
            with self._changed:
                self._robot.remove(inspection_id)
                self._changed.notify_all()

    def decided(self, inspection_id: str) -> None:
        """The verdict was published: from now on the disposition is awaited."""
        with self._changed:
            if inspection_id in self._in_flight:
                self._in_flight[inspection_id] = time.monotonic() + self._dispose_within_s

    def disposed(self, inspection_id: str) -> None:
        """The part has left."""
        with self._changed:
            self._in_flight.pop(inspection_id, None)
            self._changed.notify_all()

    def _held(self) -> int:
        now_s = time.monotonic()
        self._in_flight = {name: end_s for name, end_s in self._in_flight.items() if end_s > now_s}
        return len(self._in_flight)
