"""The section `coverage` of `recipe.yaml`: how much of the part must have been seen."""

from typing import Literal

from pydantic import Field

from inspection_cell.schema import Share, StrictModel


class CoverageDemand(StrictModel):
    """How much must have been seen."""

    minimum: Share = 0.0
    """Share of the reference surface that valid views must have seen."""
    max_incidence_deg: float = Field(default=75.0, gt=0, lt=90)
    """A surface element counts as seen up to this angle between normal and line of sight."""
    by: Literal['any', 'scanner', 'camera'] = 'any'
    """Which sensors' views count."""
