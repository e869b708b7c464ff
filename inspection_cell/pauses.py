"""Growing pauses between attempts, on the steady clock."""

import time

FIRST_S = 2.0
LONGEST_S = 60.0


class Pauses:
    """Each pause is twice as long as the one before, up to a minute."""

    def __init__(self) -> None:
        """Nothing has failed yet."""
        self._next_s = FIRST_S
        self._end_s = 0.0

    @property
    def are_over(self) -> bool:
        """Whether it is time for the next attempt."""
        return time.monotonic() >= self._end_s

    def begin(self) -> float:
        """An attempt has failed: the length of the pause that begins, s."""
        pause_s, self._next_s = self._next_s, min(2.0 * self._next_s, LONGEST_S)
        self._end_s = time.monotonic() + pause_s
        return pause_s

    def end(self) -> None:
        """An attempt has succeeded."""
        self._next_s, self._end_s = FIRST_S, 0.0
