"""Which of the reference's samples a scan shows."""

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.candidates import MIN_SUPPORT, search_radius_m
from inspection_cell.surface.cubes import Cubes
from inspection_cell.surface.deviation import Deviations

SPACINGS = 1.5  # a sample is seen where a point lies this near
LEAST_M = 0.5e-3
_SAME_SIDE = 0.5  # cosine: a sample on the far side of a thin wall is not seen


def seen_samples(
    deviations: Deviations, reference: ReferenceMesh, spacing_m: float
) -> NDArray[np.bool_]:
    """(M,) samples with a point of the same side near them.

    Points are sorted into cubes as wide as the reach; one point speaks for its cube, and a sample
    asks the cubes around it.

    Args:
        deviations: of a registered scan.
        reference: with the samples.
        spacing_m: typical distance between neighbouring points.
    """
    samples, normals = reference.samples, reference.sample_normals
    reach_m = max(SPACINGS * spacing_m, LEAST_M)
    cubes = Cubes.around(samples.min(axis=0), samples.max(axis=0), reach_m, rim=2)
    ids = cubes.ids(deviations.points)
    speaker = _speakers(cubes, ids)
    place = np.stack(np.unravel_index(cubes.ids(samples), cubes.shape))
    enough = _around(cubes, place, ids) >= _needed(reach_m, spacing_m)
    seen = np.zeros(len(samples), dtype=np.bool_)
    for step in sorted(np.ndindex(3, 3, 3), key=lambda step: sum(abs(s - 1) for s in step)):
        left = np.flatnonzero(~seen)
        x, y, z = place[:, left] + np.array(step)[:, None] - 1
        rows = speaker[x, y, z]
        some, asked = left[rows >= 0], rows[rows >= 0]
        near = _apart_m(deviations.points[asked], samples[some]) <= reach_m
        agree = np.einsum('ij,ij->i', deviations.outward[asked], normals[some]) > _SAME_SIDE
        seen[some] = near & agree
    return seen & enough


def _needed(reach_m: float, spacing_m: float) -> float:
    """Points in the cubes around a place where a deviation would find enough neighbours.

    Sparse places, such as walls along the line of sight, show no defects: they are not seen.
    """
    return MIN_SUPPORT * 9 * reach_m**2 / (np.pi * search_radius_m(spacing_m) ** 2)


def _around(cubes: Cubes, place: NDArray[np.intp], ids: NDArray[np.int32]) -> NDArray[np.int64]:
    """(M,) how many points, in cubes `ids` (N,), lie around samples at `place` (3, M)."""
    counts = np.bincount(ids[ids >= 0], minlength=int(np.prod(cubes.shape)))
    counts = counts.reshape(cubes.shape)
    around = np.zeros(place.shape[1], dtype=np.int64)
    for step in np.ndindex(3, 3, 3):
        x, y, z = place + np.array(step)[:, None] - 1
        around += counts[x, y, z]
    return around


def _speakers(cubes: Cubes, ids: NDArray[np.int32]) -> NDArray[np.int32]:
    """(X, Y, Z) the row of one point of each cube, -1 for none."""
    speaker = np.full(int(np.prod(cubes.shape)) + 1, -1, dtype=np.int32)
    speaker[ids] = np.arange(len(ids), dtype=np.int32)
    return speaker[:-1].reshape(cubes.shape)  # the last one: outside


def _apart_m(a: NDArray[np.floating], b: Points) -> NDArray[np.float64]:
    distances: NDArray[np.float64] = np.linalg.norm(a - b, axis=1)
    return distances
