"""One part on its way to a pose in a simulated world, until it has stood still for long enough."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from inspection_cell.gazebo.cell_in_gazebo import CLOCK_LAG_MS
from inspection_cell.geometry import Transform

Answer = Callable[[], bool | None]

# In simulated time. The clock that we read lags; what it shows is at most this much too early, and
# a frame counts only if it is newer than the settling by as much.
LAG_S = CLOCK_LAG_MS / 1000.0
SETTLE_S = LAG_S + 0.05
HOLD_S = LAG_S + 0.02


class PartMover(Protocol):
    """What puts a model of the world somewhere."""

    @property
    def is_ready(self) -> bool:
        """Whether it can be asked."""

    def move(self, model: str, transform_to_world: Transform) -> Answer:
        """Begin to move a model; the answer is None until it is known."""

    def close(self) -> None:
        """Ask no more."""


@dataclass(frozen=True, slots=True)
class Placed:
    """How it ended: held still since `settled_ns` on the ROS clock, or why not."""

    settled_ns: int = 0
    problem: str = ''


class Placing:
    """Looks now and then how far it is; the simulated clock may stand still meanwhile."""

    def __init__(
        self,
        mover: PartMover,
        moves: Mapping[str, Transform],
        timeout_s: float,
        now_ns: Callable[[], int],
    ) -> None:
        """Take where each model is to be, the longest time, steady clock, and the ROS clock."""
        self._mover = mover
        self._moves = moves
        self._now_ns = now_ns
        self._timeout_s = timeout_s
        self._until_s = time.monotonic() + timeout_s
        self._answers: list[Answer] = []
        self._moved_ns: int | None = None

    def look(self) -> Placed | None:
        """Whether the part is there, or never will be; None: go on."""
        now_ns = self._now_ns()
        if not self._answers and self._mover.is_ready and now_ns > 0:  # the world runs
            self._answers = [self._mover.move(*move) for move in self._moves.items()]
        elif self._answers and self._moved_ns is None:
            told = [answer() for answer in self._answers]
            if False in told:
                return Placed(problem='Gazebo did not move the part: see its log')
            self._moved_ns = None if None in told else now_ns
        elif self._moved_ns is not None:
            settled_ns = self._moved_ns + round(1e9 * SETTLE_S)
            if now_ns >= settled_ns + round(1e9 * HOLD_S):
                return Placed(settled_ns)
        return Placed(problem=self._why()) if time.monotonic() > self._until_s else None

    def _why(self) -> str:
        within = f'within {self._timeout_s:g} s'
        if self._moved_ns is None:
            return f'Gazebo did not answer {within}: do the world and ros_gz_bridge run?'
        return f'simulated time did not go on {within}: is Gazebo paused?'
