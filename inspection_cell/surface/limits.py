"""What is allowed where: the recipe's tolerance, those of its zones, and masks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Points
from inspection_cell.sections.surface import Surface
from inspection_cell.zones import SurfaceZone


@dataclass(frozen=True, slots=True)
class PointLimits:
    """The limits of points.

    Attributes:
        low_mm: (N,) negative.
        high_mm: (N,) positive.
        mask: (N,) into `Limits.masks`; -1 where the point counts.
    """

    low_mm: NDArray[np.float64]
    high_mm: NDArray[np.float64]
    mask: NDArray[np.intp]


@dataclass(frozen=True)
class Limits:
    """Limits by place on the reference.

    Attributes:
        tolerance_mm: lower and upper limit where no zone says otherwise.
        min_area_mm2: smaller regions are no findings.
        zones: those with a tolerance of their own; the first that contains a point rules.
        masks: where deviations are shown but not judged.
        systematic_mm: expanded uncertainty of the scanner itself, which no averaging lowers.
    """

    tolerance_mm: tuple[float, float]
    min_area_mm2: float = 1.0
    zones: tuple[tuple[SurfaceZone, tuple[float, float]], ...] = ()
    masks: tuple[SurfaceZone, ...] = field(default=())
    systematic_mm: float = 0.0

    @cached_property
    def tightest_mm(self) -> tuple[float, float]:
        """The tightest lower and upper limit anywhere."""
        pairs = [self.tolerance_mm, *(pair for _, pair in self.zones)]
        return max(low for low, _ in pairs), min(high for _, high in pairs)

    def at(self, closest: Points, faces: NDArray[np.integer]) -> PointLimits:
        """Limits at points (N, 3) of the surface, each on a triangle (N,)."""
        low = np.full(len(closest), self.tolerance_mm[0])
        high = np.full(len(closest), self.tolerance_mm[1])
        for zone, pair in reversed(self.zones):
            inside = zone.contains(closest, faces)
            low[inside], high[inside] = pair
        mask = np.full(len(closest), -1, dtype=np.intp)
        for index, zone in reversed(tuple(enumerate(self.masks))):
            mask[zone.contains(closest, faces)] = index
        return PointLimits(low, high, mask)


def limits_of(surface: Surface, zones: Mapping[str, SurfaceZone]) -> Limits:
    """The recipe's limits with its zones resolved on the mesh."""
    return Limits(
        surface.tolerance_mm,
        surface.min_area_mm2,
        tuple((zones[name], pair) for name, pair in surface.zone_tolerances_mm.items()),
        tuple(zones[name] for name in surface.masks),
        surface.systematic_mm,
    )
