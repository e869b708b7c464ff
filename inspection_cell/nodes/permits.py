"""Release permits: granted after ACCEPT, repeated while they hold, withdrawn when in doubt."""

import threading
import time
from collections import deque

from inspection_cell_msgs.msg import Release
from rclpy.clock import Clock, ClockType
from rclpy.node import Node

from inspection_cell.cell import Disposition
from inspection_cell.disposition import REMEMBERED
from inspection_cell.nodes.qos import RELIABLE, publisher_events


class Permits:
    """The permits that wait for their part to be disposed of; safe to use from several threads."""

    def __init__(self, node: Node, settings: Disposition) -> None:
        """Open the topic; each permit is repeated three times within its validity."""
        self._node = node
        self._settings = settings
        self._open: dict[str, Release] = {}
        self._until_s: dict[str, float] = {}
        self._over: deque[str] = deque(maxlen=REMEMBERED)
        self._lock = threading.Lock()
        self._is_open = True
        self._publisher = node.create_publisher(
            Release, 'release', RELIABLE, event_callbacks=publisher_events(node, 'release')
        )
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        period_s = settings.release_valid_s / 3.0
        self._timer = node.create_timer(period_s, self._repeat, clock=steady)

    def grant(self, inspection_id: str, part_id: str) -> None:
        """Let one part pass, until it is disposed of or nobody decided in time.

        A cell that only watches grants nothing.
        """
        if self._settings.only_watches:
            return
        permit = Release(inspection_id=inspection_id, part_id=part_id)
        permit.valid_for_s = self._settings.release_valid_s
        with self._lock:
            if not self._is_open:
                return  # the cell stops: the part is diverted
            if inspection_id in self._over:
                return  # it was diverted before its verdict came: nothing of it may be released
            self._open[inspection_id] = permit
            self._until_s[inspection_id] = time.monotonic() + self._settings.decide_within_s
            self._publisher.publish(permit)

    def end(self, inspection_id: str) -> None:
        """Repeat it no more, and grant it none: the part was disposed of."""
        with self._lock:
            self._over.append(inspection_id)
            self._open.pop(inspection_id, None)
            self._until_s.pop(inspection_id, None)

    def withdraw_all(self) -> None:
        """Take every open permit back."""
        with self._lock:
            for permit in self._open.values():
                permit.withdrawn = True
                self._publisher.publish(permit)
            self._open.clear()
            self._until_s.clear()

    def close(self) -> None:
        """Take every permit back, grant none any more, and close the topic."""
        with self._lock:
            self._is_open = False
        self.withdraw_all()
        self._node.destroy_timer(self._timer)
        self._node.destroy_publisher(self._publisher)

    def _repeat(self) -> None:
        now_s = time.monotonic()
        with self._lock:
            for inspection_id in [name for name, end_s in self._until_s.items() if now_s > end_s]:
                del self._open[inspection_id], self._until_s[inspection_id]
            for permit in self._open.values():
                self._publisher.publish(permit)
