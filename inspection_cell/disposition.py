"""Release or divert: the reject side as a state machine on its own steady clock.

Times are nanoseconds of the reject side's steady clock, passed in. Every input returns what
follows from it at once; `tick` returns what follows from time alone.
"""

from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from math import isfinite

from inspection_cell.cell import Disposition as DispositionSettings
from inspection_cell.findings import Decision

REMEMBERED = 4096  # disposed inspections whose permits stay void


class Action(IntEnum):
    """What an actuator does with a part; a value never filled in diverts."""

    DIVERT = 0
    RELEASE = 1


@dataclass(frozen=True, slots=True)
class Command:
    """What the actuators are to do with one part.

    Attributes:
        sequence: counts up by one per command.
        inspection_id: empty for a part that nobody announced.
        latency_s: from the permit's (or the verdict's, or the part's) receipt to this command.
    """

    sequence: int
    inspection_id: str
    part_id: str
    action: Action
    bin: str
    decision: Decision
    reason: str
    latency_s: float


@dataclass(frozen=True, slots=True)
class Disposition:
    """What was done with one part; `confirmed` only when the actuator said so."""

    command: Command
    confirmed: bool
    bin: str
    reason: str


Step = Command | Disposition


def destination(settings: DispositionSettings, action: Action, decision: Decision) -> str:
    """Name of the bin; a part that is diverted in spite of ACCEPT goes where UNKNOWN goes."""
    if action is Action.DIVERT and decision is Decision.ACCEPT:
        decision = Decision.UNKNOWN
    return settings.bins[decision.name]  # type: ignore[index]


@dataclass(slots=True)
class _Known:
    """What the cell said about one inspection that has not been disposed of."""

    since_ns: int
    part_id: str = ''
    decision: Decision | None = None
    valid_until_ns: int | None = None
    void: bool = False  # withdrawn, or contradicted by the verdict: never released any more
    why_void: str = 'the permit was withdrawn'


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A part at the reject side; `refused` says why it cannot be released at all."""

    inspection_id: str
    part_id: str
    arrived_ns: int
    refused: str = ''


class RejectSide:
    """Diverts every part that has no valid permit of its own.

    Parts are decided in the order in which they arrive, one command each. A part waits at most
    `decide_within_s` for its permit, and less when its verdict is not ACCEPT or the buffer is
    full. A permit holds for its validity, at most `release_valid_s`, and is repeated as the
    cell's heartbeat: when the cell dies, it expires. A withdrawn permit never comes back.

    A part that arrives without a name is taken for the one part in flight when `buffer` is 1 and
    exactly one is announced; otherwise counts disagree: it is diverted, and so is all that was
    announced.
    """

    def __init__(self, settings: DispositionSettings) -> None:
        """Start with nothing announced, nothing waiting and no permit."""
        self._settings = settings
        self._known: dict[str, _Known] = {}
        self._waiting: deque[_Waiting] = deque()
        self._disposed: deque[str] = deque(maxlen=REMEMBERED)
        self._unconfirmed: dict[int, tuple[Command, int]] = {}
        self._late: dict[int, Command] = {}  # told as unconfirmed; the actuator may be slow
        self._sequence = 0

    @property
    def due_ns(self) -> int | None:
        """When something follows from time alone: `tick` must be called then; None: never."""
        dues_ns = [self._confirmed_by_ns(sent_ns) for _, sent_ns in self._unconfirmed.values()]
        if self._waiting:
            dues_ns.append(self._decided_by_ns(self._waiting[0]))
        return min(dues_ns, default=None)

    def permit(
        self,
        inspection_id: str,
        part_id: str,
        valid_for_s: float,
        now_ns: int,
        *,
        withdrawn: bool = False,
    ) -> tuple[Step, ...]:
        """Take a permit, its repetition or its withdrawal."""
        known = self._announced(inspection_id, part_id, now_ns)
        if known is not None and (withdrawn or not isfinite(valid_for_s) or valid_for_s <= 0):
            known.void |= withdrawn
            known.valid_until_ns = None
        elif known is not None:
            valid_s = min(valid_for_s, self._settings.release_valid_s)
            known.valid_until_ns = now_ns + round(valid_s * 1e9)
        return self.tick(now_ns)

    def verdict(
        self, inspection_id: str, part_id: str, decision: Decision, now_ns: int
    ) -> tuple[Step, ...]:
        """Take a verdict: it names the bin; anything but ACCEPT ends the wait at once."""
        known = self._announced(inspection_id, part_id, now_ns)
        if known is not None:
            known.decision = decision
            known.void |= decision is not Decision.ACCEPT
        return self.tick(now_ns)

    def part_arrived(self, inspection_id: str, part_id: str, now_ns: int) -> tuple[Step, ...]:
        """Take a part that is physically there; it gets exactly one command."""
        refused = ''
        if not inspection_id:
            inspection_id, refused = self._identified()
        elif inspection_id in self._disposed or self._is_waiting(inspection_id):
            refused = f'a second part came as inspection {inspection_id}'
            inspection_id = ''  # nothing of it is told of the first one
        self._waiting.append(_Waiting(inspection_id, part_id, now_ns, refused))
        return self.tick(now_ns)

    def cell_lost(self, reason: str, now_ns: int) -> tuple[Step, ...]:
        """Take that the cell is silent: what was announced or waits is never released."""
        for part in self._waiting:
            self._announced(part.inspection_id, part.part_id, now_ns)
        for known in self._known.values():
            if not known.void:
                known.void, known.why_void, known.decision = True, reason, None
        return self.tick(now_ns)

    def stop(self, now_ns: int) -> tuple[Step, ...]:
        """End: what waits is diverted, and every open command is told as unconfirmed."""
        why = 'the reject side stops'
        steps = list(self.cell_lost(why, now_ns))
        for command, _ in self._unconfirmed.values():
            reason = command.reason if command.reason == why else f'{command.reason}; {why}'
            steps.append(Disposition(command, False, command.bin, reason))
        self._unconfirmed.clear()
        return tuple(steps)

    def confirmation(
        self, sequence: int, inspection_id: str, ok: bool, bin_name: str, message: str, now_ns: int
    ) -> tuple[Step, ...]:
        """Take what an actuator has done; an answer that fits no command is ignored.

        One that comes after its time is told too: then the part has a second disposition.
        """
        command, _ = self._unconfirmed.get(sequence, (self._late.get(sequence), 0))
        if command is None or command.inspection_id != inspection_id:
            return self.tick(now_ns)
        late = self._unconfirmed.pop(sequence, None) is None
        self._late.pop(sequence, None)
        reason = f'{command.reason}; confirmed late' if late and ok else command.reason
        if not ok:
            reason = f'{reason}; the actuator failed: {message or "no reason given"}'
        elif bin_name != command.bin:
            reason = f'{reason}; the part is in bin {bin_name!r}, expected {command.bin!r}'
        confirmed = ok and bin_name == command.bin
        return (Disposition(command, confirmed, bin_name, reason), *self.tick(now_ns))

    def tick(self, now_ns: int) -> tuple[Step, ...]:
        """Decide about parts whose time has come; nothing changes before `due_ns`."""
        steps: list[Step] = []
        while self._waiting and (command := self._decided(self._waiting[0], now_ns)):
            self._waiting.popleft()
            self._unconfirmed[command.sequence] = (command, now_ns)
            steps.append(command)
        for sequence, (command, sent_ns) in list(self._unconfirmed.items()):
            if now_ns >= self._confirmed_by_ns(sent_ns):
                del self._unconfirmed[sequence]
                self._late[sequence] = command
                self._late.pop(sequence - REMEMBERED, None)
                within_s = self._settings.confirm_within_s
                reason = f'{command.reason}; no confirmation within {within_s:g} s'
                steps.append(Disposition(command, False, command.bin, reason))
        return tuple(steps)

    def _decided_by_ns(self, part: _Waiting) -> int:
        return part.arrived_ns + round(self._settings.decide_within_s * 1e9)

    def _confirmed_by_ns(self, sent_ns: int) -> int:
        return sent_ns + round(self._settings.confirm_within_s * 1e9)

    def _announced(self, inspection_id: str, part_id: str, now_ns: int) -> _Known | None:
        """The entry of an inspection; None where permits and verdicts have no effect any more."""
        if not inspection_id or inspection_id in self._disposed:
            return None
        if len(self._known) >= REMEMBERED and inspection_id not in self._known:
            del self._known[next(iter(self._known))]  # announced long ago, never arrived
        known = self._known.setdefault(inspection_id, _Known(now_ns))
        known.part_id = part_id or known.part_id
        return known

    def _is_waiting(self, inspection_id: str) -> bool:
        return any(part.inspection_id == inspection_id for part in self._waiting)

    def _identified(self) -> tuple[str, str]:
        """Who a nameless part is, or why nobody can know."""
        announced = [name for name in self._known if not self._is_waiting(name)]
        if self._settings.buffer == 1 and len(announced) == 1 and not self._waiting:
            return announced[0], ''
        for name in announced:
            del self._known[name]
            self._disposed.append(name)
        return '', f'a part came without a name while {len(announced)} were announced'

    def _decided(self, part: _Waiting, now_ns: int) -> Command | None:
        """The command for the first waiting part, or None while it may still be permitted."""
        known = self._known.get(part.inspection_id) if not part.refused else None
        decision = (known.decision if known else None) or Decision.UNKNOWN
        if part.refused:
            reason = part.refused
        elif known and known.void:
            reason = known.why_void
            if decision is not Decision.ACCEPT and known.decision is not None:
                reason = f'the verdict is {decision.name}'
        elif known and known.valid_until_ns is not None and now_ns < known.valid_until_ns:
            return self._command(part, Action.RELEASE, Decision.ACCEPT, 'permit is valid', now_ns)
        elif now_ns >= self._decided_by_ns(part):
            reason = f'no valid permit within {self._settings.decide_within_s:g} s'
        elif len(self._waiting) > self._settings.buffer:
            reason = f'more than {self._settings.buffer} parts wait'
        else:
            return None
        return self._command(part, Action.DIVERT, decision, reason, now_ns)

    def _command(
        self, part: _Waiting, action: Action, decision: Decision, reason: str, now_ns: int
    ) -> Command:
        known = self._known.pop(part.inspection_id, None) if not part.refused else None
        if part.inspection_id and not part.refused:
            self._disposed.append(part.inspection_id)
        self._sequence += 1
        since_ns = known.since_ns if known else part.arrived_ns
        return Command(
            self._sequence,
            part.inspection_id,
            part.part_id or (known.part_id if known else ''),
            action,
            destination(self._settings, action, decision),
            decision,
            reason,
            (now_ns - since_ns) / 1e9,
        )
