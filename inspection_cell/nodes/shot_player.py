"""One view's lighting sequence: lights on, settle, expose, lights off, shot by shot."""

import time
from collections.abc import Callable
from dataclasses import replace

from inspection_cell.capture.gate import trigger_spare_ns
from inspection_cell.cell import Cell
from inspection_cell.nodes.board import GRACE_S, Board
from inspection_cell.nodes.cell_topics import CellTopics
from inspection_cell.nodes.conversions.capturing import CaptureOrder
from inspection_cell.observations import ViewKey

STEP_S = 0.002  # between two looks at a ROS clock that may stand still


class ShotPlayer:
    """Takes the shots of one camera after the other; only one player plays at a time."""

    def __init__(
        self, cell: Cell, board: Board, topics: CellTopics, check: Callable[[], None]
    ) -> None:
        """Take what is needed; `check` raises StoppedError when the inspection must end."""
        self._cell = cell
        self._board = board
        self._topics = topics
        self._check = check

    def play(self, order: CaptureOrder, sensor: str, until_s: float) -> str:
        """Take all shots of a camera until a steady time; its lights are off when this returns.

        Returns:
            Which shot was not taken and why, in words; empty when all are, or when the inspector
            itself says what is missing.
        """
        try:
            for shot in self._cell.cameras[sensor].shots:
                if why := self._taken(replace(order, sensors=(sensor,), shot=shot), until_s):
                    return why
                if self._ended(order, sensor):
                    break
            return ''
        finally:
            self._topics.lights.off()

    def _taken(self, order: CaptureOrder, until_s: float) -> str:
        """Take one shot; why not, in words."""
        (sensor,), shot = order.sensors, order.shot
        camera = self._cell.cameras[sensor]
        settled_ns = self._topics.lights.prepare(sensor, camera.shots[shot])
        self._wait(lambda: time.monotonic_ns() >= settled_ns, until_s)
        lit_ns = max(self._topics.now_ns(), order.settled_ns)
        due_ns = lit_ns + trigger_spare_ns(camera.stamp)
        if not self._wait(lambda: self._topics.now_ns() >= due_ns, until_s):
            return f'shot {shot}: its light was not steady within {camera.deadline_s:g} s'
        left_s = until_s - time.monotonic()
        self._topics.publish_capture(replace(order, settled_ns=lit_ns, deadline_s=left_s))
        view = ViewKey(order.presentation, sensor)

        def answered() -> bool:
            came = self._board.shot_came(order.inspection_id, view, shot)
            return came or self._ended(order, sensor)

        if not self._board.wait(answered, until_s + GRACE_S, self._check):
            return f'shot {shot}: no inspector answered within {camera.deadline_s:g} s'
        return ''

    def _ended(self, order: CaptureOrder, sensor: str) -> bool:
        """Whether the inspector has said how the whole view went."""
        view = ViewKey(order.presentation, sensor)
        return self._board.answer(order.inspection_id, view) is not None

    def _wait(self, done: Callable[[], bool], until_s: float) -> bool:
        while not done():
            self._check()
            if time.monotonic() > until_s:
                return False
            time.sleep(STEP_S)
        return True
