"""The places of the surface at which coverage is judged: of the whole part, and of zones.

The reference's samples serve the part as a whole. A zone is often so small that few of them lie in
it, so each zone gets places of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from inspection_cell.geometry import Points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.zone_file import Zone
from inspection_cell.zones import SurfaceZone

ZONE_PLACES = 1500
_FIRST_DRAWN = 50_000
_MOST_DRAWN = 3_200_000  # on the whole part, until a zone has enough; tiny zones get fewer places
_ACROSS = 4.0  # spacings: so far off counts the opposite side for who looks for the nearest


@dataclass(frozen=True, slots=True)
class Places:
    """Places of one reference: first its samples, then those of each zone.

    Attributes:
        points: (N, 3) on the surface, part frame, metres.
        normals: (N, 3) unit, outward.
        samples: (N,) the reference's sample that is nearest to each, on the same side; it speaks
            for the place where only samples are known to have been seen.
        whole: how many of the first places are samples of the whole surface.
        zones: where the places of each zone stand.
        spacing_m: between neighbouring samples.
    """

    points: Points
    normals: Points
    samples: NDArray[np.intp]
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
    points, normals = [reference.samples], [reference.sample_normals]
    nearest: list[NDArray[np.intp]] = [np.arange(len(reference.samples))]
    spacing_m = float(np.sqrt(reference.areas.sum() / len(reference.samples)))
    by_side = _ACROSS * spacing_m / 2.0
    tree = cKDTree(np.hstack([reference.samples, by_side * reference.sample_normals]))
    slices, end = {}, len(reference.samples)
    for name, zone in zones:
        own, triangles = _of_zone(reference, SurfaceZone(name, zone, reference))
        points.append(own)
        normals.append(reference.normals[triangles])
        _, speakers = tree.query(np.hstack([own, by_side * normals[-1]]))
        nearest.append(np.asarray(speakers, dtype=np.intp))
        slices[name] = slice(end, end + len(own))
        end += len(own)
    together = (np.concatenate(points), np.concatenate(normals), np.concatenate(nearest))
    for array in together:
        array.flags.writeable = False
    return Places(*together, len(reference.samples), slices, spacing_m)


def _of_zone(reference: ReferenceMesh, zone: SurfaceZone) -> tuple[Points, NDArray[np.intp]]:
    """Up to `ZONE_PLACES` points (K, 3) of a zone and their triangles (K,), evenly spread."""
    count = _FIRST_DRAWN
    while True:
        points, triangles = _drawn(reference, count)
        rows = np.flatnonzero(zone.contains(points, triangles))
        if len(rows) >= ZONE_PLACES or count >= _MOST_DRAWN:
            break
        count *= 4
    if len(rows) > ZONE_PLACES:
        steps = (np.arange(ZONE_PLACES) + 0.5) * (len(rows) / ZONE_PLACES)
        rows = rows[steps.astype(np.intp)]
    return points[rows], triangles[rows]


def _drawn(reference: ReferenceMesh, count: int) -> tuple[Points, NDArray[np.intp]]:
    """`count` points on the surface, stratified by area, and the triangles they lie on."""
    generator = np.random.default_rng(20_260_102)  # fixed: the same zone has the same places
    cumulated = np.cumsum(reference.areas)
    steps = (np.arange(count) + generator.random(count)) / count * cumulated[-1]
    triangles = np.searchsorted(cumulated, steps).clip(max=len(cumulated) - 1)
    u, v = generator.random((2, count))
    flip = u + v > 1
    u[flip], v[flip] = 1 - u[flip], 1 - v[flip]
    a, b, c = np.moveaxis(reference.vertices[reference.triangles[triangles]], 1, 0)
    return a + u[:, None] * (b - a) + v[:, None] * (c - a), triangles
