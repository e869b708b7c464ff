"""The section `decision` of `recipe.yaml`: which defects are good, and which are not."""

from collections.abc import Collection
from typing import Literal, Self

from pydantic import Field, model_validator

from inspection_cell.errors import Problem
from inspection_cell.schema import Name, Share, StrictModel
from inspection_cell.sections.surface import PositiveMm

SURFACE_KINDS = ('dent', 'missing_material', 'burr', 'extra_material')
"""The labels of regions that scans find."""


class SeverityRule(StrictModel):
    """How many defects of which classes, where, how large and how near to each other are good.

    The first rule that names a defect's class and zone judges it, in the place of the class's
    `max_length_mm` and of the tolerance for scans.
    """

    labels: tuple[str, ...] = Field(min_length=1)
    """Classes under `detection.classes`, or dent, missing_material, burr, extra_material."""
    zones: tuple[Name, ...] | None = Field(default=None, min_length=1)
    """Zones of this recipe, taken together; default: the whole part."""
    max_count: int | None = Field(default=None, ge=0)
    """How many such defects are good; 0: none. Default: any number."""
    max_length_mm: PositiveMm | None = None
    """Longest extent of each that is good, mm; default: any."""
    max_area_mm2: float | None = Field(default=None, gt=0.0)
    """Area of each that is good, mm²; where only cameras saw it, that of a disc as wide as it is
    long. Default: any."""
    max_peak_mm: PositiveMm | None = None
    """Distance from the reference that is good, to both sides, mm; only scans measure it.
    Default: any."""
    min_distance_mm: PositiveMm | None = None
    """Least distance between any two of them, from rim to rim, mm; default: any."""
    ignore_below_mm: float = Field(default=0.0, ge=0.0)
    """Defects shorter than this are good and do not count, mm."""
    decision: Literal['reject', 'review'] = 'reject'
    """What a part that breaks the rule gets; at most `review` while the defects that break it
    are only `review_probability` probable or within their uncertainty."""

    @model_validator(mode='after')
    def _limits_something(self) -> Self:
        if self.max_count is None and self.min_distance_mm is None and not self.limits_size:
            raise ValueError(
                'give max_count, max_length_mm, max_area_mm2, max_peak_mm or min_distance_mm'
            )
        if self.max_length_mm is not None and self.ignore_below_mm > self.max_length_mm:
            raise ValueError('ignore_below_mm must not exceed max_length_mm')
        return self

    @property
    def limits_size(self) -> bool:
        """Whether it limits how large a defect may be."""
        sizes = (self.max_length_mm, self.max_area_mm2, self.max_peak_mm)
        return any(size is not None for size in sizes)


class DecisionLimits(StrictModel):
    """From which probability on a defect decides, and how severe it may be."""

    reject_probability: Share = 0.5
    """A defect at least this probable, beyond its limit, means REJECT; so does a part that is
    bad with this probability."""
    review_probability: float = Field(default=0.3, ge=0.0, le=0.99)
    """A defect at least this probable, beyond its limit, means REVIEW; so does a part that is
    bad with this probability. Defects below are not judged by rules. At most 0.99: no single
    view is believed more."""
    rules: tuple[SeverityRule, ...] = ()
    """How many defects of which size are good, where; the first that names a defect's class and
    zone judges it, so zones stand before the whole part."""

    @model_validator(mode='after')
    def _ordered(self) -> Self:
        if self.review_probability > self.reject_probability:
            raise ValueError('review_probability must not exceed reject_probability')
        return self


def rule_problems(
    decision: DecisionLimits,
    zones: Collection[str],
    labels: Collection[str],
    *,
    measured: bool,
) -> list[Problem]:
    """What the rules name and this recipe does not have.

    Args:
        decision: the section.
        zones: of the recipe.
        labels: that defects of this recipe may have.
        measured: whether there is a reference mesh, without which nothing has a size.
    """
    problems: list[Problem] = []
    for index, rule in enumerate(decision.rules):
        key = f'decision.rules.{index}'
        named = (
            ('labels', rule.labels, labels, 'a class under detection.classes or of the scans'),
            ('zones', rule.zones or (), zones, 'a zone of this recipe'),
        )
        for field, values, known, what in named:
            allowed = f'{what}: {", ".join(known) or "there is none"}'
            problems += [
                Problem(f'{key}.{field}', value, allowed) for value in values if value not in known
            ]
        if not measured and (rule.limits_size or rule.min_distance_mm or rule.ignore_below_mm):
            problems.append(
                Problem(key, 'a size or distance', 'max_count alone: there is no reference mesh')
            )
    return problems
