"""What a row of the benchmark says."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from inspection_cell.errors import DataError


@dataclass(frozen=True, slots=True)
class Settings:
    """How long and with what to measure.

    Attributes:
        seconds: of images that `transport` sends.
        model: folder of the detector's model; None: the demo recipe's.
    """

    seconds: float = 10.0
    model: Path | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One more measured number; the unit is part of its name."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Result:
    """One row: our number, the peer's from the same run, and how many times better ours is.

    Attributes:
        unit: of `ours` and `peer`.
        ours: None when the row was not measured.
        peer: None where there is nothing to compare with.
        ratio: above 1 when ours is better; None without a peer.
        measured: what was measured and how, in words.
        bar: what is to be reached, in words.
        figures: the numbers behind it.
    """

    key: str
    unit: str
    ours: float | None
    peer: float | None
    ratio: float | None
    measured: str
    bar: str
    figures: tuple[Figure, ...] = ()

    def __post_init__(self) -> None:
        """Refuse numbers that JSON cannot say."""
        numbers = [self.ours, self.peer, self.ratio, *(f.value for f in self.figures)]
        if not all(number is None or math.isfinite(number) for number in numbers):
            raise DataError(f'bench row {self.key}: expected finite numbers, got {numbers}')


def not_measured(key: str, bar: str, why: str) -> Result:
    """A row without numbers, and why."""
    return Result(key, '', None, None, None, f'not measured: {why}', bar)


def results_to_json(results: Sequence[Result]) -> Mapping[str, object]:
    """One key per row, as `bench --json` prints it."""
    return {
        result.key: {
            'ours': result.ours,
            'peer': result.peer,
            'ratio': result.ratio,
            'unit': result.unit,
            'measured': result.measured,
            'bar': result.bar,
            'figures': {figure.name: figure.value for figure in result.figures},
        }
        for result in results
    }
