"""Whether the cell still beats, on the reject side's steady clock."""

from dataclasses import dataclass

from inspection_cell.nodes.heartbeat import LOST_AFTER_S


@dataclass(frozen=True, slots=True)
class Lost:
    """The cell fell silent, or stopped, with perhaps a part in work."""

    reason: str
    in_work: str


class CellWatch:
    """Follows the cell's heartbeat; steady nanoseconds are passed in."""

    def __init__(self) -> None:
        """Start without a heartbeat: nothing is lost that never was there."""
        self.problem = 'no heartbeat of the cell yet'
        self._last_ns: int | None = None
        self._in_work = ''
        self._stopped = False
        self._arrived = ''
        self._ever = False

    @property
    def is_lost(self) -> bool:
        """Whether the cell was there and is not any more."""
        return self._last_ns is None and self._ever

    def beat(self, in_work: str, stopped: bool, now_ns: int) -> None:
        """Take a heartbeat, with the inspection in work; `stopped`: the cell stops by itself."""
        self._last_ns, self._ever = now_ns, True
        self._stopped = stopped
        self._in_work = '' if stopped else in_work
        self.problem = ''

    def arrived(self, inspection_id: str) -> None:
        """The part of this inspection is known to the reject side."""
        self._arrived = inspection_id

    def lost(self, now_ns: int) -> Lost | None:
        """Say once that the heartbeat was lost."""
        if self._last_ns is None:
            return None
        silent_s = (now_ns - self._last_ns) / 1e9
        if not self._stopped and silent_s <= LOST_AFTER_S:
            return None
        reason = f"the cell's heartbeat stopped {silent_s:.1f} s ago"
        if self._stopped:
            reason = 'the cell has stopped'
        in_work = self._in_work if self._in_work != self._arrived else ''
        self._last_ns, self._in_work, self.problem = None, '', reason
        return Lost(reason, in_work)
