"""What was asked of the cell and what it answered, part by part: one JSON line each."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from inspection_cell.errors import DataError


@dataclass(frozen=True, slots=True)
class Truth:
    """What is really the matter with a part, where that is known."""

    good: bool
    defects: tuple[str, ...] = ()  # in words: kind and size


@dataclass(frozen=True, slots=True)
class PartOrder:
    """One part that is to be inspected."""

    part_id: str
    part_type: str
    truth: Truth | None = None


@dataclass(frozen=True, slots=True)
class DefectOutcome:
    """One defect of a verdict; position in the part frame."""

    label: str
    probability: float
    position_mm: tuple[float, float, float] | None = None
    length_mm: float = 0.0
    peak_mm: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the cell did with one part, as its client saw it.

    Attributes:
        decision: name of the decision; UNKNOWN when there was no verdict.
        disposition: where the part went, in words; empty when nobody said.
        verdict_latency_ms: last frame's stamp to the verdict's receipt; None without both.
        cycle_s: goal sent to the verdict and its disposition received.
        release_latency_ms: verdict published to the actuator's command published.
    """

    part_id: str
    part_type: str
    truth: Truth | None
    decision: str
    reasons: tuple[str, ...] = ()
    defects: tuple[DefectOutcome, ...] = ()
    inspection_id: str = ''
    disposition: str = ''
    verdict_latency_ms: float | None = None
    cycle_s: float = 0.0
    release_latency_ms: float | None = None

    @property
    def is_escape(self) -> bool:
        """A defective part that was accepted."""
        return self.truth is not None and not self.truth.good and self.decision == 'ACCEPT'

    @property
    def is_false_reject(self) -> bool:
        """A good part with any other decision than ACCEPT."""
        return self.truth is not None and self.truth.good and self.decision != 'ACCEPT'


_ORDER = TypeAdapter(PartOrder)
_OUTCOME = TypeAdapter(Outcome)


def write_orders(path: Path, orders: Iterable[PartOrder]) -> None:
    """Write a parts file: one JSON line per part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b''.join(_ORDER.dump_json(order) + b'\n' for order in orders))


def read_orders(path: Path) -> tuple[PartOrder, ...]:
    """Read a parts file; raises DataError naming file and line."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataError(f'{path}: cannot read the parts file: {error.strerror}') from error
    orders = []
    for number, line in enumerate(lines, start=1):
        try:
            orders.append(_ORDER.validate_json(line))
        except ValidationError as error:
            text = '; '.join(f'{e["loc"]}: {e["msg"]}' for e in error.errors())
            raise DataError(f'{path}, line {number}: not a part order: {text}') from error
    return tuple(orders)


def outcome_to_json(outcome: Outcome) -> str:
    """The outcome as one line of JSON."""
    return _OUTCOME.dump_json(outcome).decode()


def outcome_from_json(line: str) -> Outcome:
    """The outcome in one line of JSON; raises DataError when it is none."""
    try:
        return _OUTCOME.validate_json(line)
    except ValidationError as error:
        raise DataError(f'expected the outcome of a part as JSON, got {line!r}') from error
