"""The section `coverage` of `recipe.yaml`: how much of the part must have been seen."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from inspection_cell.errors import Problem
from inspection_cell.schema import Name, Share, StrictModel

CountedBy = Literal['any', 'scanner', 'camera']
Views = Annotated[int, Field(ge=1, le=100)]


class ZoneDemand(StrictModel):
    """How much of one zone must have been seen."""

    minimum: Share
    """Share of the zone's surface that enough valid views must have seen."""
    by: CountedBy | None = None
    """Which sensors' views count; default: as for the whole part."""
    min_views: Views | None = None
    """How many valid views must have seen a place; default: as for the whole part."""


class CoverageDemand(StrictModel):
    """How much must have been seen."""

    minimum: Share = 0.0
    """Share of the reference surface that enough valid views must have seen."""
    max_incidence_deg: float = Field(default=75.0, gt=0, lt=90)
    """A surface element counts as seen up to this angle between normal and line of sight."""
    min_pixels_per_mm: float = Field(default=0.0, ge=0, le=10_000)
    """A camera counts as seeing a place only where a millimetre of the surface, foreshortened,
    has at least so many pixels in its image; 0: any."""
    by: CountedBy = 'any'
    """Which sensors' views count."""
    min_views: Views = 1
    """How many valid views must have seen a place, each sensor in each presentation once."""
    zones: dict[Name, ZoneDemand] = Field(default={})
    """What zones of the recipe demand beside that, by name."""

    def of_zone(self, name: str) -> tuple[CountedBy, int]:
        """Which sensors' views count for a place of the zone, and how many are enough."""
        zone = self.zones.get(name)
        by = zone.by if zone else None
        views = zone.min_views if zone else None
        return by or self.by, views or self.min_views


def coverage_problems(
    demand: CoverageDemand, zones: Mapping[str, object], views: int
) -> list[Problem]:
    """Zones that the recipe does not have, and more views than the part gets.

    Args:
        demand: the section.
        zones: the recipe's, by name.
        views: how many views the presentations give.
    """
    allowed = f'a zone of the recipe: {", ".join(zones) or "there is none"}'
    problems = [
        Problem(f'coverage.zones.{name}', name, allowed)
        for name in demand.zones
        if name not in zones
    ]
    counts = {'coverage.min_views': demand.min_views}
    counts |= {
        f'coverage.zones.{name}.min_views': zone.min_views or 1
        for name, zone in demand.zones.items()
    }
    allowed = f'at most {views}: so many views have the presentations'
    return problems + [
        Problem(key, str(count), allowed) for key, count in counts.items() if count > views
    ]
