"""How much of the part valid views have really seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.findings import Coverage, ViewFindings, ZoneCoverage
from inspection_cell.fusion.places import Places
from inspection_cell.fusion.visibility import CameraView
from inspection_cell.fusion.visibility_cache import VisibilityCache
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.coverage import CountedBy


@dataclass(frozen=True, slots=True)
class SeenBy:
    """How many views saw each place: (N,) of cameras and (N,) of scanners."""

    cameras: NDArray[np.int64]
    scanners: NDArray[np.int64]

    def views(self, by: CountedBy) -> NDArray[np.int64]:
        """(N,) views of the sensors that count."""
        if by == 'any':
            return self.cameras + self.scanners
        return self.cameras if by == 'camera' else self.scanners


def surface_coverage(
    recipe: Recipe,
    reference: ReferenceMesh,
    scans: Sequence[ViewFindings],
    cameras: Sequence[CameraView],
    required: Sequence[ViewFindings],
    *,
    cache: VisibilityCache | None = None,
) -> Coverage:
    """The share of the reference's surface, and of zones, that enough valid views saw.

    Args:
        recipe: says which sensors count, at which angles, and how many views are enough.
        reference: of this recipe.
        scans: valid views of scanners; each brings what it saw.
        cameras: valid views of cameras; what they saw follows from pose and occlusion.
        required: all views of the part, to name those whose evidence lacks when the share
            falls short.
        cache: of this recipe and reference, kept from part to part.

    Raises:
        DataError: for a cache of another recipe or reference.
    """
    cache = cache or VisibilityCache(recipe, reference)
    cache.check(recipe, reference)
    return judged_coverage(recipe, cache.places, seen_by(cache, scans, cameras), required)


def judged_coverage(
    recipe: Recipe, places: Places, seen: SeenBy, required: Sequence[ViewFindings] = ()
) -> Coverage:
    """What the recipe demands against how many views saw each of the places.

    Args:
        recipe: brings the demand.
        places: of the recipe's reference and of every zone that coverage is demanded of.
        seen: how many views saw each of them.
        required: views to name where the whole falls short and they are no evidence.
    """
    demand = recipe.file.coverage
    share = places.share(seen.views(demand.by) >= demand.min_views)
    zones = []
    for name, zone in demand.zones.items():
        by, enough = demand.of_zone(name)
        own = places.share(seen.views(by) >= enough, name)
        zones.append(ZoneCoverage(name, own, zone.minimum))
    return _coverage(share, demand.minimum, required, tuple(zones))


def seen_by(
    cache: VisibilityCache, scans: Sequence[ViewFindings], cameras: Sequence[CameraView]
) -> SeenBy:
    """Count the valid views that saw each of the cache's places."""
    places = cache.places
    by_cameras = np.zeros(len(places.points), dtype=np.int64)
    by_scanners = np.zeros(len(places.points), dtype=np.int64)
    for camera in cameras:
        by_cameras += cache.seen(camera)
    for scan in scans:
        if scan.seen is not None and len(scan.seen) == places.sample_count:
            by_scanners += scan.seen[places.samples]
    return SeenBy(by_cameras, by_scanners)


def view_coverage(recipe: Recipe, required: Sequence[ViewFindings]) -> Coverage:
    """Without a reference: the share of the required views of the part that are valid."""
    valid = sum(view.is_evidence for view in required)
    return _coverage(valid / max(len(required), 1), recipe.file.coverage.minimum, required)


def _coverage(
    share: float,
    minimum: float,
    required: Sequence[ViewFindings],
    zones: tuple[ZoneCoverage, ...] = (),
) -> Coverage:
    """What falls short is named: zones, and views without evidence where the whole does."""
    short = tuple(zone.name for zone in zones if zone.share < zone.minimum)
    lacking = tuple(str(view.view) for view in required if not view.is_evidence)
    return Coverage(share, minimum, short + (lacking if share < minimum else ()), zones)
