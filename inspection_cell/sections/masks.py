"""How `recipe.yaml` says where on the part findings of cameras are judged."""

from collections.abc import Collection, Iterable
from typing import Annotated

from pydantic import Field

from inspection_cell.errors import Problem
from inspection_cell.schema import Name, StrictModel

PositiveShare = Annotated[float, Field(gt=0.0, le=1.0)]


class Region(StrictModel):
    """A zone of interest: findings that are mostly beside all such zones are not judged."""

    zone: Name
    """Name of a zone of this recipe."""
    labels: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Classes that it confines; default: all. A class without regions is judged everywhere."""
    sensors: tuple[Name, ...] | None = Field(default=None, min_length=1)
    """Cameras that it confines; default: all."""

    def concerns(self, label: str, sensor: str) -> bool:
        """Whether it speaks of this class in this camera."""
        by_label = self.labels is None or label in self.labels
        return by_label and (self.sensors is None or sensor in self.sensors)


class Mask(Region):
    """A zone whose findings are shown and recorded, but not judged: clamp marks, an engraving.

    A zone is taken at the pose that the robot reports and is not widened: draw it as much larger
    than what it hides as the pose may be wrong. Missing features are never masked.
    """

    labels: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Classes that are not judged there; default: all."""
    sensors: tuple[Name, ...] | None = Field(default=None, min_length=1)
    """Cameras whose findings are not judged there; default: all."""
    min_share: PositiveShare = 0.5
    """Share of a finding's surface that must lie in the zone."""


def where_problems(
    key: str,
    entries: Iterable[Region],
    zones: Collection[str],
    labels: Collection[str],
    sensors: Collection[str],
) -> list[Problem]:
    """Names of masks or regions that the recipe does not know; `key` is the section's."""
    problems: list[Problem] = []
    for index, entry in enumerate(entries):
        named = (
            ('zone', (entry.zone,), zones, 'a zone of this recipe'),
            ('labels', entry.labels or (), labels, 'a class under detection.classes'),
            ('sensors', entry.sensors or (), sensors, 'a sensor of a presentation'),
        )
        for field, values, known, what in named:
            allowed = f'{what}: {", ".join(known) or "there is none"}'
            problems += [
                Problem(f'{key}.{index}.{field}', value, allowed)
                for value in values
                if value not in known
            ]
    return problems
