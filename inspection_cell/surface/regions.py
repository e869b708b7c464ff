"""Regions of a scan that lie outside their limits: one defect each.

Where material is missing, a scan shows what lay behind it. Such points are placed where the line
of sight first meets the reference, so that one hole is one region.

A region is judged as a whole, with the uncertainty considered (ISO 14253-1): it breaks the limit
where enough of its surface is beyond the limit by more than the uncertainty, and is uncertain
where that cannot be told.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from inspection_cell.findings import Conformity
from inspection_cell.geometry import Points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.candidates import Candidates, SigmaMm, find_candidates
from inspection_cell.surface.deviation import DeviationField, Deviations
from inspection_cell.surface.limits import Limits

MIN_REGION_POINTS = 5
_BY_CHANCE = 0.05  # share of a surface at its limit that is beyond it by the uncertainty or more
_DEEP_MM = 1.0  # a hollow this deep may be seen through
_TOGETHER_M = 1.5e-3  # deep points placed this near to each other are one region
# Up to here a hollow is a dent and a rise a burr; beyond, material is missing or extra.
_SMALL_MM2 = 400.0
_SHALLOW_MM = 3.0


@dataclass(frozen=True, slots=True)
class Region:
    """Connected points outside their limits.

    Attributes:
        kind: dent, missing_material (negative), burr, extra_material (positive).
        conformity: BREAKS or UNCERTAIN.
        peak_mm: largest local deviation, signed.
        limit_mm: what it was judged against, signed alike.
        uncertainty_mm: of the peak, expanded (k = 2).
        position_m: (3,) on the reference, part frame.
        normal: (3,) unit, outward.
        volume_mm3: between the surface and the reference.
        length_mm: longest extent.
        width_mm: extent across the longest.
        points: how many scan points show it.
        mask: the zone that takes it out; empty: it counts.
    """

    kind: str
    conformity: Conformity
    peak_mm: float
    limit_mm: float
    uncertainty_mm: float
    position_m: NDArray[np.float64]
    normal: NDArray[np.float64]
    area_mm2: float
    volume_mm3: float
    length_mm: float
    width_mm: float
    points: int
    mask: str = ''


def find_regions(
    deviations: Deviations,
    field: DeviationField,
    limits: Limits,
    *,
    sigma_mm: SigmaMm,
    spacing_m: float,
    sensors: NDArray[np.floating] | None = None,
) -> tuple[Region, ...]:
    """Regions outside their limits, largest peak first.

    Args:
        deviations: of a registered scan.
        field: of the reference that it was compared with.
        limits: by place.
        sigma_mm: noise of single points.
        spacing_m: typical distance between neighbouring points.
        sensors: (1, 3) or (N, 3) where the scanner of each point stood, part frame, where that is
            known.
    """
    found = find_candidates(deviations, field, limits, sigma_mm, spacing_m)
    if found is None or not len(found):
        return ()
    if sensors is not None:
        found = _seen_from(sensors, found, deviations.points, field.reference, limits)
    groups = _connected(found, len(deviations.points))
    regions = [
        _region(found.only(members), limits)
        for members in groups
        if len(members) >= MIN_REGION_POINTS
    ]
    kept = [region for region in regions if region.area_mm2 >= limits.min_area_mm2]
    return tuple(sorted(kept, key=lambda region: -abs(region.peak_mm)))


def _seen_from(
    sensors: NDArray[np.floating],
    found: Candidates,
    points: NDArray[np.floating],
    reference: ReferenceMesh,
    limits: Limits,
) -> Candidates:
    """Deep points placed where their lines of sight enter the reference, by the limits there.

    What is missing is missing there: a mask on the wall beside a hole takes nothing out of it.
    """
    deep = np.flatnonzero(found.local_mm < -_DEEP_MM)
    if len(deep) == 0:
        return found
    sensor = sensors[found.ids[deep]] if len(sensors) > 1 else sensors
    hidden, entries, faces = reference.entered(sensor, points[found.ids[deep]])
    rows, at = deep[hidden], limits.at(entries, faces)
    moved = {
        'shown': entries,
        'outward': reference.normals[faces],
        'low_mm': at.low_mm,
        'high_mm': at.high_mm,
        'mask': at.mask,
    }
    found = replace(
        found, **{name: _with(getattr(found, name), rows, moved[name]) for name in moved}
    )
    return found.only(np.abs(found.local_mm) + found.uncertainty_mm > np.abs(found.limit_mm))


def _with(values: NDArray[Any], rows: NDArray[np.intp], changed: NDArray[Any]) -> NDArray[Any]:
    """The same values, some rows changed."""
    result = values.copy()
    result[rows] = changed
    return result


def _connected(found: Candidates, cloud_size: int) -> list[NDArray[np.intp]]:
    """Groups of rows that are neighbours, with deviations of the same sign and the same mask."""
    size = len(found)
    row_of = np.full(cloud_size, -1, dtype=np.intp)
    row_of[found.ids] = np.arange(size)
    others = row_of[found.neighbours]
    kind = 2 * found.mask + (found.local_mm < 0)
    linked = found.same & (others >= 0) & (kind[others] == kind[:, None])
    rows, columns = np.nonzero(linked)
    deep_starts, deep_ends = _placed_together(found)
    starts = np.concatenate([rows, deep_starts])
    ends = np.concatenate([others[rows, columns], deep_ends])
    graph = coo_matrix((np.ones(len(starts), dtype=np.int8), (starts, ends)), (size, size))
    count, labels = connected_components(graph, directed=False)
    order = np.argsort(labels, kind='stable')
    bounds = np.searchsorted(labels[order], np.arange(1, count))
    return np.split(order, bounds)


def _placed_together(found: Candidates) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Links between rows of deep points that are placed near to each other, by small cubes."""
    deep = np.flatnonzero((found.local_mm < -_DEEP_MM) & (found.mask < 0))
    if len(deep) == 0:
        return deep, deep
    cubes = np.floor(found.shown[deep] / _TOGETHER_M).astype(np.int64)
    _, first, cube_of = np.unique(cubes, axis=0, return_index=True, return_inverse=True)
    tree = cKDTree(found.shown[deep[first]])
    near = deep[first[tree.query_pairs(1.5 * _TOGETHER_M, output_type='ndarray')]]
    starts = np.concatenate([deep, near[:, 0]])
    return starts, np.concatenate([deep[first[cube_of.reshape(-1)]], near[:, 1]])


def _region(found: Candidates, limits: Limits) -> Region:
    weights = np.abs(found.local_mm)
    centre = weights @ found.shown / weights.sum()
    nearest = int(np.argmin(np.linalg.norm(found.shown - centre, axis=1)))
    worst = int(np.argmax(weights - np.abs(found.limit_mm)))
    peak_mm = float(found.near_mm[worst])
    # The median: points at the rim of a step have few neighbours and seem to stand for more.
    each_mm2 = float(np.median(found.area_mm2))
    beyond_mm2 = each_mm2 * np.count_nonzero(found.beyond)
    area_mm2 = each_mm2 * len(found)
    mean = weights @ found.outward / weights.sum()
    length = float(np.linalg.norm(mean))
    length_mm, width_mm = _extents_mm(found.shown)
    mask = int(found.mask[worst])
    return Region(
        kind=_kind(peak_mm, area_mm2),
        conformity=Conformity.BREAKS
        if beyond_mm2 >= max(limits.min_area_mm2, _BY_CHANCE * area_mm2)
        else Conformity.UNCERTAIN,
        peak_mm=peak_mm,
        limit_mm=float(found.limit_mm[worst]),
        uncertainty_mm=float(found.uncertainty_mm[worst]),
        position_m=found.shown[nearest],
        normal=mean / length if length > 0.1 else found.outward[nearest],
        area_mm2=area_mm2,
        volume_mm3=each_mm2 * float(weights.sum()),
        length_mm=length_mm,
        width_mm=width_mm,
        points=len(found),
        mask=limits.masks[mask].name if mask >= 0 else '',
    )


def _kind(peak_mm: float, area_mm2: float) -> str:
    small = area_mm2 <= _SMALL_MM2 and abs(peak_mm) <= _SHALLOW_MM
    if peak_mm < 0:
        return 'dent' if small else 'missing_material'
    return 'burr' if small else 'extra_material'


def _extents_mm(points: Points) -> tuple[float, float]:
    """Along the main axis and across it."""
    centred = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    along, across = np.ptp(centred @ axes[:2].T, axis=0) * 1e3
    return float(along), float(across)
