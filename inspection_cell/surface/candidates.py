"""Points of a scan that may lie outside their limits, each with what its neighbourhood says.

Decided on local medians rather than on single points: range noise averages out, and a flying pixel
is outvoted. Neighbours count only where the deviation points the same way, so that nothing is
averaged across an edge. No deviation is ever cut away for being large. Neighbours are searched
around candidates only.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from inspection_cell.geometry import Points
from inspection_cell.surface.cubes import Cubes
from inspection_cell.surface.deviation import DeviationField, Deviations, Measured
from inspection_cell.surface.limits import Limits

# Points are looked at from the limit less the uncertainty on, within these shares of the limit.
_LOOKED_LEAST, _LOOKED_MOST = 0.25, 0.8
_AT_LEAST_TOGETHER = 3  # candidates, itself included, that a neighbourhood with support has
NEIGHBOURS = 12
NEAREST = 5  # of them tell the height of a peak, which the median of all flattens
MIN_SUPPORT = 5  # points that agree with a candidate, itself included
_AVERAGED_MM = 0.6  # least radius of the neighbourhood
_SAME_WAY = 0.7  # cosine between the directions of two deviations of one surface
_COVERAGE_FACTOR = 2.0  # of expanded uncertainties (k = 2, about 95 %)
_MEDIAN_LOSS = 1.25  # the median scatters more than the mean by this
_TYPICAL = 2000  # points that tell the usual noise

SigmaMm = Callable[[NDArray[np.intp]], NDArray[np.float64]]
"""Noise (R,) of single points, given their rows (R,)."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """C points worth a look, with K neighbours each.

    Attributes:
        ids: (C,) into the cloud.
        neighbours: (C, K) into the cloud.
        same: (C, K) which neighbours belong to the same surface.
        local_mm: (C,) median deviation of those.
        near_mm: (C,) mean deviation of the nearest of those.
        uncertainty_mm: (C,) expanded, of `local_mm`.
        low_mm, high_mm: (C,) the limits there.
        mask: (C,) index of the mask that takes it out; -1 for none.
        area_mm2: (C,) surface that one point stands for.
        shown: (C, 3) where on the reference the deviation is, metres.
        outward: (C, 3) normals there.
    """

    ids: NDArray[np.intp]
    neighbours: NDArray[np.intp]
    same: NDArray[np.bool_]
    local_mm: NDArray[np.float64]
    near_mm: NDArray[np.float64]
    uncertainty_mm: NDArray[np.float64]
    low_mm: NDArray[np.float64]
    high_mm: NDArray[np.float64]
    mask: NDArray[np.intp]
    area_mm2: NDArray[np.float64]
    shown: Points
    outward: Points

    def __len__(self) -> int:
        """How many candidates there are."""
        return len(self.ids)

    @property
    def limit_mm(self) -> NDArray[np.float64]:
        """(C,) the limit on the side of the deviation."""
        return np.where(self.local_mm < 0, self.low_mm, self.high_mm)

    @property
    def beyond(self) -> NDArray[np.bool_]:
        """(C,) which are outside their limit, the uncertainty considered (ISO 14253-1)."""
        beyond: NDArray[np.bool_] = np.abs(self.local_mm) - self.uncertainty_mm > np.abs(
            self.limit_mm
        )
        return beyond

    def only(self, kept: NDArray[np.bool_] | NDArray[np.intp]) -> Self:
        """Those rows."""
        return type(self)(**{one.name: getattr(self, one.name)[kept] for one in fields(self)})


def search_radius_m(spacing_m: float) -> float:
    """How far the neighbours that decide about a point may be."""
    return max(_AVERAGED_MM / 1e3, 2.5 * spacing_m)


def finest_mm2(spacing_m: float) -> float:
    """Area of the smallest defect that outvotes the good surface around it."""
    return NEIGHBOURS / 2 * (spacing_m * 1e3) ** 2


def find_candidates(
    deviations: Deviations,
    field: DeviationField,
    limits: Limits,
    sigma_mm: SigmaMm,
    spacing_m: float,
) -> Candidates | None:
    """Points that are not proven to be within their limits; None for too few.

    Args:
        deviations: of a registered scan.
        field: of the reference; measures the candidates exactly.
        limits: by place.
        sigma_mm: noise of single points.
        spacing_m: typical distance between neighbouring points.
    """
    if len(deviations.points) < MIN_SUPPORT:
        return None
    radius_m = search_radius_m(spacing_m)
    low, high = limits.tightest_mm
    some = np.arange(0, len(deviations.points), max(1, len(deviations.points) // _TYPICAL))
    guard_mm = float(_uncertainty_mm(np.median(sigma_mm(some)), NEIGHBOURS, limits))
    looked_at = []
    for beyond in (
        deviations.signed_m < -_looked_from_mm(-low, guard_mm) / 1e3,
        deviations.signed_m > _looked_from_mm(high, guard_mm) / 1e3,
    ):
        ids = np.flatnonzero(beyond)
        ids = ids[~deviations.beyond_border[ids]]
        looked_at.append(_together(ids, deviations.points, radius_m))
    ids = np.sort(np.concatenate(looked_at))
    if len(ids) < MIN_SUPPORT:
        return None
    found = _look_around(ids, deviations, field, limits, sigma_mm, spacing_m)
    return found.only(_supported(found, deviations.signed_m))


def _uncertainty_mm(
    sigma_mm: NDArray[np.floating] | np.floating,
    count: NDArray[np.integer] | int,
    limits: Limits,
) -> NDArray[np.float64]:
    """Expanded uncertainty of the median of so many points."""
    averaged_mm = _MEDIAN_LOSS * sigma_mm / np.sqrt(count)
    expanded: NDArray[np.float64] = np.hypot(_COVERAGE_FACTOR * averaged_mm, limits.systematic_mm)
    return expanded


def _looked_from_mm(limit_mm: float, guard_mm: float) -> float:
    return float(np.clip(limit_mm - guard_mm, _LOOKED_LEAST * limit_mm, _LOOKED_MOST * limit_mm))


def _together(
    ids: NDArray[np.intp], points: NDArray[np.floating], radius_m: float
) -> NDArray[np.intp]:
    """Those with enough others of them near: the median of few is not beyond what one is."""
    if len(ids) < _AT_LEAST_TOGETHER:
        return ids[:0]
    tree = cKDTree(points[ids], balanced_tree=False, compact_nodes=False)
    apart_m = np.asarray(
        tree.query(points[ids], k=[_AT_LEAST_TOGETHER], distance_upper_bound=radius_m)[0]
    )
    together: NDArray[np.intp] = ids[np.isfinite(apart_m[:, 0])]
    return together


def _look_around(
    ids: NDArray[np.intp],
    deviations: Deviations,
    field: DeviationField,
    limits: Limits,
    sigma_mm: SigmaMm,
    spacing_m: float,
) -> Candidates:
    radius_m = search_radius_m(spacing_m)
    distances, neighbours = _neighbours(ids, deviations.points, radius_m)
    valid = np.isfinite(distances)
    outward = deviations.outward
    same_way = np.einsum('ijk,ik->ij', outward[neighbours], outward[ids]) > _SAME_WAY
    same = valid & same_way & ~deviations.beyond_border[neighbours]
    values = np.where(same, deviations.signed_m[neighbours] * 1e3, np.nan)
    reach = np.where(valid[:, -1], distances[:, -1], radius_m)
    area_mm2 = np.pi * (reach * 1e3) ** 2 / valid.sum(axis=1)
    exact = _placed(ids, deviations, field)
    at = limits.at(exact.closest, exact.faces)
    local_mm = np.nanmedian(values, axis=1)
    return Candidates(
        ids,
        neighbours,
        same,
        local_mm,
        _near_mm(values[:, :NEAREST], local_mm),
        _uncertainty_mm(sigma_mm(ids), same.sum(axis=1), limits),
        at.low_mm,
        at.high_mm,
        at.mask,
        np.minimum(area_mm2, _most_area_mm2(distances, spacing_m, radius_m)),
        exact.closest,
        exact.outward.astype(np.float64),
    )


def _placed(ids: NDArray[np.intp], deviations: Deviations, field: DeviationField) -> Measured:
    """Where on the reference the candidates are; behind a thin wall, on the side that was seen."""
    points = np.asarray(deviations.points[ids], dtype=np.float64)
    exact = field.measure(points)
    outward = deviations.outward[ids]
    through = np.flatnonzero(np.einsum('ij,ij->i', exact.outward, outward) < 0.0)
    if len(through) == 0:
        return exact
    front = points[through] - deviations.signed_m[ids[through], None] * outward[through]
    seen = field.measure(front)
    closest, faces, towards = exact.closest.copy(), exact.faces.copy(), exact.outward.copy()
    closest[through], faces[through] = seen.closest, seen.faces
    towards[through] = outward[through]
    return replace(exact, closest=closest, faces=faces, outward=towards)


def _most_area_mm2(
    distances: NDArray[np.float64], spacing_m: float, radius_m: float
) -> NDArray[np.float64]:
    """(C,) that one point may stand for: rims have few neighbours, sparse places too."""
    fifth = np.where(np.isfinite(distances[:, 4]), distances[:, 4], radius_m)
    most: NDArray[np.float64] = 3 * (np.maximum(spacing_m, fifth) * 1e3) ** 2
    return most


def _near_mm(values_mm: NDArray[np.float64], local_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C,) mean of the nearest neighbours that are no outliers."""
    like = (
        np.abs(values_mm - local_mm[:, None]) <= np.maximum(0.5 * np.abs(local_mm), 1e-6)[:, None]
    )
    counts = like.sum(axis=1)
    total = np.where(like, values_mm, 0.0).sum(axis=1)
    return np.where(counts > 0, total / np.maximum(counts, 1), local_mm)


def _neighbours(
    ids: NDArray[np.intp], points: NDArray[np.floating], radius_m: float
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Distances (C, K), inf for none within the radius, and rows (C, K) of the neighbours."""
    own = points[ids]
    cubes = Cubes.around(own.min(axis=0), own.max(axis=0), radius_m, rim=2)
    marked = cubes.with_neighbours(cubes.ids(own))
    around = np.flatnonzero(marked.take(cubes.ids(points), mode='wrap'))
    tree = cKDTree(points[around], balanced_tree=False, compact_nodes=False)
    answer = tree.query(own, k=NEIGHBOURS, distance_upper_bound=radius_m)
    distances, rows = np.asarray(answer[0]), np.asarray(answer[1])
    near = np.isfinite(distances)
    return distances, np.where(near, around[np.where(near, rows, 0)], ids[:, None])


def _supported(found: Candidates, signed_m: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(C,) not proven to be within the limits, and the neighbourhood says the same."""
    local, limit = found.local_mm, np.abs(found.limit_mm)
    like = np.maximum(limit, 0.5 * np.abs(local))[:, None]
    agree = np.abs(signed_m[found.neighbours] * 1e3 - local[:, None]) <= like
    support = (found.same & agree).sum(axis=1)
    kept: NDArray[np.bool_] = (np.abs(local) + found.uncertainty_mm > limit) & (
        support >= MIN_SUPPORT
    )
    return kept
