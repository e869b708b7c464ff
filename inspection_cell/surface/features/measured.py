"""What a measurement says: value, limits, uncertainty, and the decision that follows."""

from dataclasses import dataclass
from math import isfinite, nan
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.findings import Conformity
from inspection_cell.geometry import read_only

_MOST_OPEN = 1e12  # condition of normal equations that determine nothing
Kind = Literal['flatness', 'diameter', 'position', 'distance', 'angle']


@dataclass(frozen=True, slots=True)
class Measured:
    """One measured quantity of one part.

    Attributes:
        name: of the feature in the recipe; `<bore>_position` for the position of a bore.
        value: in `unit`; NaN where it could not be measured.
        low: smallest good value; None: there is none.
        high: greatest good value; None: there is none.
        uncertainty: expanded, coverage about 95 %, in `unit`; NaN where not measured.
        points: of the scan that the value rests on.
        position_m: (3,) where the feature is on the part, part frame; None where not known.
        reason: why it could not be measured; empty when it was.
    """

    name: str
    kind: Kind
    value: float
    unit: Literal['mm', 'deg']
    low: float | None
    high: float | None
    uncertainty: float
    points: int
    position_m: NDArray[np.float64] | None = None
    reason: str = ''

    def __post_init__(self) -> None:
        """A measurement without a reason is a number: NaN would pass every limit."""
        if not self.reason and not (isfinite(self.value) and isfinite(self.uncertainty)):
            raise DataError(f'{self.name}: value {self.value} ± {self.uncertainty} is no number')
        if self.position_m is not None:
            frozen = read_only(self.position_m, (3,), f'{self.name}: position_m')
            object.__setattr__(self, 'position_m', frozen)

    @property
    def conformity(self) -> Conformity:
        """Whether the feature is proven good, proven bad, or neither."""
        if self.reason:
            return Conformity.UNKNOWN
        below = nan if self.low is None else self.value - self.low  # above 0 is good
        above = nan if self.high is None else self.high - self.value
        margins = [margin for margin in (below, above) if margin == margin]
        if any(margin < -self.uncertainty for margin in margins):
            return Conformity.BREAKS
        if all(margin >= self.uncertainty for margin in margins):
            return Conformity.CONFORMS
        return Conformity.UNCERTAIN

    @property
    def nearest_limit(self) -> float:
        """The limit that is broken, or nearest to being."""
        margins = [
            (self.value - self.low, self.low) if self.low is not None else None,
            (self.high - self.value, self.high) if self.high is not None else None,
        ]
        return min(pair for pair in margins if pair is not None)[1]

    def __str__(self) -> str:
        """One line for a report: value ± uncertainty, limits and decision."""
        if self.reason:
            return f'{self.name}: not measured: {self.reason}'
        low = '' if self.low is None else f'{self.low:.4g}'
        high = '' if self.high is None else f'{self.high:.4g}'
        value = f'{self.value:.4f} ± {self.uncertainty:.4f} {self.unit}'
        return f'{self.name}: {value} [{low}, {high}] {self.conformity.name.lower()}'


class UnmeasurableError(DataError):
    """A feature that this scan does not show well enough; the message says what is missing."""

    def __init__(self, message: str, points: int = 0) -> None:
        """Keep how many points there were."""
        self.points = points
        super().__init__(message)


def inverse(matrix: NDArray[np.float64], points: int) -> NDArray[np.float64]:
    """Of normal equations; UnmeasurableError where the points leave something open."""
    if not np.isfinite(matrix).all() or np.linalg.cond(matrix) > _MOST_OPEN:
        raise UnmeasurableError(f'the {points} points leave its place open', points)
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)
