"""The sections `fusion` and `decision` of `recipe.yaml`: from findings to a verdict."""

from typing import Self

from pydantic import model_validator

from inspection_cell.schema import Share, StrictModel
from inspection_cell.surface_file import PositiveMm


class Fusion(StrictModel):
    """How findings of several views become defects."""

    merge_mm: PositiveMm = 6.0
    """Findings of one physical defect lie this near to each other on the surface, mm."""


class DecisionLimits(StrictModel):
    """Probability limits for a defect."""

    reject_probability: Share = 0.5
    """A defect at least this probable, beyond its class's limit, means REJECT."""
    review_probability: Share = 0.3
    """A defect at least this probable, beyond its class's limit, means REVIEW."""

    @model_validator(mode='after')
    def _ordered(self) -> Self:
        if self.review_probability > self.reject_probability:
            raise ValueError('review_probability must not exceed reject_probability')
        return self
