"""The section `process` of `recipe.yaml`: what is allowed of recorded signals."""

from typing import Literal, Self

from pydantic import Field, model_validator

from inspection_cell.cell import Seconds
from inspection_cell.schema import StrictModel


class MeasureLimit(StrictModel):
    """What is allowed of one quantity of a recording."""

    measure: Literal['peak', 'rms', 'minimum', 'maximum', 'mean', 'band_rms']
    """`peak` is the greatest absolute value, `rms` the root mean square, `band_rms` that of the
    frequencies in `band_hz` alone."""
    band_hz: tuple[float, float] | None = None
    """Lowest and highest frequency of `band_rms`, Hz; both are inside."""
    low: float | None = None
    """Smallest value that is still good, in the section's unit; also what a dead sensor would
    not reach."""
    high: float | None = None
    """Greatest value that is still good, in the section's unit."""

    @model_validator(mode='after')
    def _consistent(self) -> Self:
        if (self.measure == 'band_rms') != (self.band_hz is not None):
            raise ValueError('band_hz is required for band_rms and for no other measure')
        if self.band_hz is not None and not 0.0 <= self.band_hz[0] < self.band_hz[1]:
            raise ValueError('band_hz must be [lowest, highest], at least 0')
        if self.low is None and self.high is None:
            raise ValueError('give low, high or both')
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError('low must not exceed high')
        return self


class ProcessLimits(StrictModel):
    """What is allowed of the recordings of one process sensor."""

    unit: str = Field(min_length=1, max_length=20)
    """Unit of the limits: that of the sensor."""
    min_duration_s: Seconds
    """Shortest recording that is judged, s."""
    limits: tuple[MeasureLimit, ...] = Field(min_length=1)
    """The quantities; one beyond its limits rejects the part."""
