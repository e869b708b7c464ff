"""The places of the surface at which coverage is judged: of the whole part, and of zones.

A share to a fraction of a percent needs places that lie more evenly than drawn ones: they follow a
sequence of low discrepancy (R2 of M. Roberts, "The unreasonable effectiveness of quasirandom
sequences", 2018). A zone may be so small that few of them lie in it, so each gets its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from inspection_cell.geometry import Points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.zones import Zone
from inspection_cell.zones import SurfaceZone

WHOLE_PLACES = 8000
ZONE_PLACES = 1500
_FIRST_SPREAD = 50_000
_MOST_SPREAD = 3_200_000  # on the whole part, until a zone has enough; tiny zones get fewer places
_STEPS = (0.7548776662466927, 0.5698402909980532)  # 1 / g and 1 / g², with g³ = g + 1
_ACROSS = 4.0  # spacings: so far off counts the opposite side for who looks for the nearest


@dataclass(frozen=True, slots=True)
class Places:
    """Places of one reference: first those of the whole surface, then those of each zone.

    Attributes:
        points: (N, 3) on the surface, part frame, metres.
        normals: (N, 3) unit, outward.
        samples: (N,) the reference's sample that is nearest to each, on the same side; it speaks
            for the place where only samples are known to have been seen.
        sample_count: how many samples the reference has.
        whole: how many of the first places spread over the whole surface.
        zones: where the places of each zone stand.
        spacing_m: between neighbouring places of the whole surface.
    """

    points: Points
    normals: Points
    samples: NDArray[np.intp]
    sample_count: int
    whole: int
    zones: Mapping[str, slice]
    spacing_m: float

    def share(self, chosen: NDArray[np.bool_], zone: str = '') -> float:
        """Share of the surface, or of one zone, where (N,) `chosen`; 0 of a zone without any."""
        own = chosen[self.zones[zone] if zone else slice(self.whole)]
        return float(own.mean()) if len(own) else 0.0


def places_of(reference: ReferenceMesh, zones: Mapping[str, Zone]) -> Places:
    """The places of a reference and of some zones of its recipe; the same every time."""
    return _places(reference, tuple(zones.items()))


@lru_cache(maxsize=8)
def _places(reference: ReferenceMesh, zones: tuple[tuple[str, Zone], ...]) -> Places:
    found = [_spread(reference, WHOLE_PLACES)]
    slices, end = {}, WHOLE_PLACES
    for name, zone in zones:
        found.append(_of_zone(reference, SurfaceZone(name, zone, reference)))
        slices[name] = slice(end, end + len(found[-1][0]))
        end = slices[name].stop
    points = np.concatenate([one for one, _ in found])
    normals = reference.normals[np.concatenate([triangles for _, triangles in found])]
    samples = _nearest_samples(reference, points, normals)
    for array in (points, normals, samples):
        array.flags.writeable = False
    spacing_m = float(np.sqrt(reference.areas.sum() / WHOLE_PLACES))
    count = len(reference.samples)
    return Places(points, normals, samples, count, WHOLE_PLACES, slices, spacing_m)


def _nearest_samples(
    reference: ReferenceMesh, points: Points, normals: Points
) -> NDArray[np.intp]:
    """(N,) by place and direction: the other side of a thin wall is near, but not the same."""
    apart_m = float(np.sqrt(reference.areas.sum() / len(reference.samples)))
    weight_m = _ACROSS * apart_m / 2.0
    tree = cKDTree(np.hstack([reference.samples, weight_m * reference.sample_normals]))
    _, nearest = tree.query(np.hstack([points, weight_m * normals]))
    return np.asarray(nearest, dtype=np.intp)


def _of_zone(reference: ReferenceMesh, zone: SurfaceZone) -> tuple[Points, NDArray[np.intp]]:
    """Up to `ZONE_PLACES` points (K, 3) of a zone and their triangles (K,), evenly spread."""
    count = _FIRST_SPREAD
    while True:
        points, triangles = _spread(reference, count)
        rows = np.flatnonzero(zone.contains(points, triangles))
        if len(rows) >= ZONE_PLACES or count >= _MOST_SPREAD:
            break
        count *= 4
    if len(rows) > ZONE_PLACES:
        steps = (np.arange(ZONE_PLACES) + 0.5) * (len(rows) / ZONE_PLACES)
        rows = rows[steps.astype(np.intp)]
    return points[rows], triangles[rows]


def _spread(reference: ReferenceMesh, count: int) -> tuple[Points, NDArray[np.intp]]:
    """`count` points, as many on each triangle as its area demands, and their triangles."""
    number = np.arange(count)
    cumulated = np.cumsum(reference.areas)
    triangles = np.searchsorted(cumulated, (number + 0.5) / count * cumulated[-1])
    triangles = triangles.clip(max=len(cumulated) - 1)
    u, v = ((0.5 + number * step) % 1.0 for step in _STEPS)
    flip = u + v > 1.0
    u[flip], v[flip] = 1.0 - u[flip], 1.0 - v[flip]
    a, b, c = np.moveaxis(reference.vertices[reference.triangles[triangles]], 1, 0)
    return a + u[:, None] * (b - a) + v[:, None] * (c - a), triangles
