"""Regions of a scan that lie outside the tolerance: what is a defect, and what is only noise.

Decided on local medians rather than on single points: range noise averages out, and a flying pixel
is outvoted. Neighbours count only where the deviation points the same way, so that nothing is
averaged across an edge. No deviation is ever cut away for being large.

Where material is missing, a scan shows what lay behind it. Such points are placed where the line
of sight first meets the reference, so that one hole is one region.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from inspection_cell.geometry import Points, rigid
from inspection_cell.surface.deviation import DeviationField, Deviations

NEIGHBOURS = 12
NEAREST = 5  # of them tell the height of a peak, which the median of all flattens
MIN_SUPPORT = 5  # points that agree with a candidate, itself included
MIN_REGION_POINTS = 3
_AVERAGED_MM = 0.6  # least radius of the neighbourhood
_SAME_WAY = 0.7  # cosine between the directions of two deviations of one surface
_CANDIDATE = 0.6  # share of the tolerance from which a point is looked at
_DEEP_MM = 1.0  # a hollow this deep may be seen through
_TOGETHER_M = 1.5e-3  # deep points placed this near to each other are one region
# Up to here a hollow is a dent and a rise a burr; beyond, material is missing or extra.
_SMALL_MM2 = 400.0
_SHALLOW_MM = 3.0


@dataclass(frozen=True, slots=True)
class Region:
    """Connected points outside the tolerance.

    Attributes:
        kind: dent, missing_material (negative), burr, extra_material (positive).
        peak_mm: largest local deviation, signed.
        position_m: (3,) on the reference, part frame.
        normal: (3,) unit, outward.
        length_mm: longest extent.
        points: how many scan points show it.
    """

    kind: str
    peak_mm: float
    position_m: NDArray[np.float64]
    normal: NDArray[np.float64]
    area_mm2: float
    length_mm: float
    points: int


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Points worth a look, with their neighbourhoods; C candidates, K neighbours."""

    ids: NDArray[np.intp]  # (C,) into the cloud
    neighbours: NDArray[np.intp]  # (C, K) into the cloud
    same: NDArray[np.bool_]  # (C, K) which neighbours belong to the same surface
    local_mm: NDArray[np.float64]  # (C,) median deviation of those
    near_mm: NDArray[np.float64]  # (C,) mean deviation of the nearest of those
    area_mm2: NDArray[np.float64]  # (C,) surface that one point stands for
    shown: Points  # (C, 3) where on the reference the deviation is
    outward: Points  # (C, 3) normals there


def find_regions(
    deviations: Deviations,
    tree: cKDTree,
    field: DeviationField,
    tolerance_mm: tuple[float, float],
    min_area_mm2: float,
    sensor: NDArray[np.float64] | None = None,
) -> tuple[Region, ...]:
    """Regions outside the tolerance, largest peak first.

    Args:
        deviations: of a registered scan.
        tree: over `deviations.points`.
        field: of the same reference.
        tolerance_mm: lower (negative) and upper limit.
        min_area_mm2: smaller regions are dropped.
        sensor: (3,) where the scanner stood, part frame, where that is known.
    """
    signed_mm = deviations.signed_mm
    low, high = tolerance_mm
    beyond = (signed_mm < _CANDIDATE * low) | (signed_mm > _CANDIDATE * high)
    ids = np.flatnonzero(beyond & ~deviations.beyond_border)
    if len(ids) < MIN_SUPPORT:
        return ()
    found = _supported(_look_around(ids, deviations, tree), signed_mm, tolerance_mm)
    if sensor is not None:
        found = _seen_from(sensor, found, deviations, field)
    groups = _connected(found, len(signed_mm))
    regions = [_region(members, found) for members in groups if len(members) >= MIN_REGION_POINTS]
    kept = [region for region in regions if region.area_mm2 >= min_area_mm2]
    return tuple(sorted(kept, key=lambda region: -abs(region.peak_mm)))


def point_spacing_m(tree: cKDTree) -> float:
    """Typical distance between neighbouring points of a cloud, metres."""
    points = np.asarray(tree.data)
    sample = points[np.linspace(0, len(points) - 1, min(len(points), 1000)).astype(np.intp)]
    # Four neighbours within a radius r: each stands for a square of pi r² / 4.
    radius = np.median(np.asarray(tree.query(sample, k=5)[0])[:, 4])
    return float(radius * np.sqrt(np.pi / 4))


def _look_around(ids: NDArray[np.intp], deviations: Deviations, tree: cKDTree) -> _Candidates:
    radius_m = max(_AVERAGED_MM / 1e3, 2.5 * point_spacing_m(tree))
    answer = tree.query(deviations.points[ids], k=NEIGHBOURS, distance_upper_bound=radius_m)
    distances, neighbours = np.asarray(answer[0]), np.asarray(answer[1])
    valid = np.isfinite(distances)
    neighbours = np.where(valid, neighbours, ids[:, None])
    outward = deviations.outward
    same_way = np.einsum('ijk,ik->ij', outward[neighbours], outward[ids]) > _SAME_WAY
    same = valid & same_way & ~deviations.beyond_border[neighbours]
    values = np.where(same, deviations.signed_mm[neighbours], np.nan)
    reach = np.where(valid[:, -1], distances[:, -1], radius_m)
    area_mm2 = np.pi * (reach * 1e3) ** 2 / valid.sum(axis=1)
    usual_mm2 = (point_spacing_m(tree) * 1e3) ** 2
    return _Candidates(
        ids,
        neighbours,
        same,
        np.nanmedian(values, axis=1),
        np.nanmean(values[:, :NEAREST], axis=1),
        np.minimum(area_mm2, 3 * usual_mm2),
        deviations.closest[ids],
        outward[ids],
    )


def _supported(
    candidates: _Candidates, signed_mm: NDArray[np.float64], tolerance_mm: tuple[float, float]
) -> _Candidates:
    """The candidates whose neighbourhood says the same as they do."""
    local = candidates.local_mm
    low, high = tolerance_mm
    nearer = np.where(local < 0, -low, high)
    like = np.maximum(nearer, 0.5 * np.abs(local))[:, None]
    agree = np.abs(signed_mm[candidates.neighbours] - local[:, None]) <= like
    support = (candidates.same & agree).sum(axis=1)
    kept = ((local < low) | (local > high)) & (support >= MIN_SUPPORT)
    return _Candidates(
        candidates.ids[kept],
        candidates.neighbours[kept],
        candidates.same[kept],
        local[kept],
        candidates.near_mm[kept],
        candidates.area_mm2[kept],
        candidates.shown[kept],
        candidates.outward[kept],
    )


def _seen_from(
    sensor: NDArray[np.float64], found: _Candidates, deviations: Deviations, field: DeviationField
) -> _Candidates:
    """The same, deep points placed where their lines of sight enter the reference."""
    deep = np.flatnonzero(found.local_mm < -_DEEP_MM)
    if len(deep) == 0:
        return found
    directions = deviations.points[found.ids[deep]] - sensor
    ranges_m = np.linalg.norm(directions, axis=1)
    directions /= ranges_m[:, None]
    hits_m, faces = field.reference.cast(rigid(np.eye(3), -sensor), directions)
    hidden = hits_m < ranges_m
    shown, outward = found.shown.copy(), found.outward.copy()
    rows = deep[hidden]
    shown[rows] = sensor + hits_m[hidden, None] * directions[hidden]
    outward[rows] = field.reference.normals[faces[hidden]]
    return replace(found, shown=shown, outward=outward)


def _connected(found: _Candidates, cloud_size: int) -> list[NDArray[np.intp]]:
    """Groups of rows of `found` that are neighbours with deviations of the same sign."""
    size = len(found.ids)
    if size == 0:
        return []
    row_of = np.full(cloud_size, -1, dtype=np.intp)
    row_of[found.ids] = np.arange(size)
    others = row_of[found.neighbours]
    negative = found.local_mm < 0
    linked = found.same & (others >= 0) & (negative[others] == negative[:, None])
    rows, columns = np.nonzero(linked)
    deep_starts, deep_ends = _placed_together(found)
    starts = np.concatenate([rows, deep_starts])
    ends = np.concatenate([others[rows, columns], deep_ends])
    graph = coo_matrix((np.ones(len(starts), dtype=np.int8), (starts, ends)), (size, size))
    count, labels = connected_components(graph, directed=False)
    order = np.argsort(labels, kind='stable')
    bounds = np.searchsorted(labels[order], np.arange(1, count))
    return np.split(order, bounds)


def _placed_together(found: _Candidates) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Links between rows of deep points that are placed near to each other, by small cubes."""
    deep = np.flatnonzero(found.local_mm < -_DEEP_MM)
    if len(deep) == 0:
        return deep, deep
    cubes = np.floor(found.shown[deep] / _TOGETHER_M).astype(np.int64)
    _, first, cube_of = np.unique(cubes, axis=0, return_index=True, return_inverse=True)
    tree = cKDTree(found.shown[deep[first]])
    near = deep[first[tree.query_pairs(1.5 * _TOGETHER_M, output_type='ndarray')]]
    starts = np.concatenate([deep, near[:, 0]])
    return starts, np.concatenate([deep[first[cube_of.reshape(-1)]], near[:, 1]])


def _region(members: NDArray[np.intp], found: _Candidates) -> Region:
    local, shown, outward = (
        found.local_mm[members],
        found.shown[members],
        found.outward[members],
    )
    weights = np.abs(local)
    centre = weights @ shown / weights.sum()
    nearest = int(np.argmin(np.linalg.norm(shown - centre, axis=1)))
    peak_mm = float(found.near_mm[members][np.argmax(weights)])
    # The median: points at the rim of a step have few neighbours and seem to stand for more.
    area_mm2 = float(len(members) * np.median(found.area_mm2[members]))
    mean = weights @ outward / weights.sum()
    length = float(np.linalg.norm(mean))
    return Region(
        kind=_kind(peak_mm, area_mm2),
        peak_mm=peak_mm,
        position_m=shown[nearest],
        normal=mean / length if length > 0.1 else outward[nearest],
        area_mm2=area_mm2,
        length_mm=_extent_mm(shown),
        points=len(members),
    )


def _kind(peak_mm: float, area_mm2: float) -> str:
    small = area_mm2 <= _SMALL_MM2 and abs(peak_mm) <= _SHALLOW_MM
    if peak_mm < 0:
        return 'dent' if small else 'missing_material'
    return 'burr' if small else 'extra_material'


def _extent_mm(points: Points) -> float:
    centred = points - points.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    return float(np.ptp(centred @ axes[0]) * 1e3)
