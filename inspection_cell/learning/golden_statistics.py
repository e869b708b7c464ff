"""How good scans deviate from their learned mesh, place by place."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from inspection_cell.geometry import Points
from inspection_cell.learning.golden_mesh import spacing_m, vertex_normals
from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.registration import thinned

FEWEST_TELLING = 3  # scans that must show a place before its spread is known
NEIGHBOURS = 12  # points of a scan whose median tells its deviation at a vertex
_FEWEST_POINTS = 6
_MEASURED = 200_000
_REACH = 2.5  # spacings
_SAME_WAY = 0.7  # cosine between a point's direction and the vertex's normal
_POOLED = 12  # neighbouring vertices that share their variance
_BLURRED = 48  # neighbouring vertices that are asked for a greater one
BLUR = 2.0  # spacings: how far from a place the points lie that tell its deviation


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A good scan judged by all the others.

    Attributes:
        p95_mm: of the magnitude of its deviation from the others' mean, over the surface.
        beyond_share: of the surface that it shows, outside the limits.
        largest_mm2: of the connected regions outside the limits.
        within: whether no region outside is large enough to be a defect.
    """

    name: str
    p95_mm: float
    beyond_share: float
    largest_mm2: float
    within: bool


def vertex_deviations_mm(field: DeviationField, points: Points) -> NDArray[np.float64]:
    """(V,) median deviation of a registered scan (N, 3) near each vertex; NaN where unseen."""
    reference = field.reference
    measured = field.measure(thinned(points, _MEASURED))
    kept = ~measured.beyond_border
    cloud, signed_mm = measured.points[kept], measured.signed_mm[kept]
    tree = cKDTree(cloud, balanced_tree=False, compact_nodes=False)
    distances, near = tree.query(
        reference.vertices, k=NEIGHBOURS, distance_upper_bound=_REACH * spacing_m(cloud)
    )
    valid = np.isfinite(distances)
    near = np.where(valid, near, 0)
    outward = measured.outward[kept][near]
    valid &= np.einsum('ijk,ik->ij', outward, vertex_normals(reference)) > _SAME_WAY
    enough = valid.sum(axis=1) >= _FEWEST_POINTS
    values = np.where(valid, signed_mm[near], np.nan)
    deviations = np.full(len(reference.vertices), np.nan)
    deviations[enough] = np.nanmedian(values[enough], axis=1)
    return deviations


def mean_and_sigma_mm(
    deviations_mm: NDArray[np.float64], reference: ReferenceMesh, blur_m: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation (V,) of (S, V) deviations; 0 where too few scans tell.

    Variances are pooled with the neighbouring vertices: few scans estimate one badly. The greatest
    within `blur_m` counts: so far a median of a scan's points reaches, here and when it is judged.
    """
    seen = np.isfinite(deviations_mm).sum(axis=0)
    telling = seen >= min(FEWEST_TELLING, len(deviations_mm))
    mean, variance = np.zeros((2, deviations_mm.shape[1]))
    mean[telling] = np.nanmean(deviations_mm[:, telling], axis=0)
    variance[telling] = np.nanvar(deviations_mm[:, telling], axis=0, ddof=1)
    rows = np.flatnonzero(telling)
    if len(rows) > _BLURRED:
        places = reference.vertices[rows]
        distances, near = cKDTree(places).query(places, k=_BLURRED)
        near = np.asarray(near)
        pooled = variance[rows][near[:, :_POOLED]].mean(axis=1)
        variance[rows] = np.where(distances <= blur_m, pooled[near], 0.0).max(axis=1)
    return mean, np.sqrt(variance)


def leave_one_out(
    names: list[str],
    deviations_mm: NDArray[np.float64],
    reference: ReferenceMesh,
    tolerance_mm: tuple[float, float],
    sigmas: float,
    blur_m: float,
    min_area_mm2: float = 1.0,
) -> tuple[LeftOut, ...]:
    """Each scan of (S, V) deviations judged by mean and spread of the others."""
    areas_mm2 = _vertex_areas_mm2(reference)
    judged = []
    for row, name in enumerate(names):
        mean, sigma = mean_and_sigma_mm(np.delete(deviations_mm, row, axis=0), reference, blur_m)
        away = deviations_mm[row] - mean
        shown = np.isfinite(away)
        low = np.minimum(tolerance_mm[0], -sigmas * sigma)
        high = np.maximum(tolerance_mm[1], sigmas * sigma)
        beyond = shown & ((away < low) | (away > high))
        largest = _largest_mm2(beyond, reference, areas_mm2)
        p95 = float(np.percentile(np.abs(away[shown]), 95)) if shown.any() else 0.0
        share = float(areas_mm2[beyond].sum() / max(areas_mm2[shown].sum(), 1e-12))
        judged.append(LeftOut(name, p95, share, largest, largest < min_area_mm2))
    return tuple(judged)


def _vertex_areas_mm2(reference: ReferenceMesh) -> NDArray[np.float64]:
    areas = np.zeros(len(reference.vertices))
    np.add.at(areas, reference.triangles, (reference.areas * 1e6 / 3)[:, None])
    return areas


def _largest_mm2(
    beyond: NDArray[np.bool_], reference: ReferenceMesh, areas_mm2: NDArray[np.float64]
) -> float:
    if not beyond.any():
        return 0.0
    starts = reference.triangles.reshape(-1)
    ends = np.roll(reference.triangles, 1, axis=1).reshape(-1)
    linked = beyond[starts] & beyond[ends]
    size = len(beyond)
    ones = np.ones(int(linked.sum()), dtype=np.int8)
    graph = coo_matrix((ones, (starts[linked], ends[linked])), (size, size))
    _, labels = connected_components(graph, directed=False)
    return float(np.bincount(labels[beyond], areas_mm2[beyond]).max())
