"""Which of the reference's samples a scan shows."""

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Points, inside_box
from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.deviation import Deviations

SPACINGS = 1.5  # a sample is seen where a point lies this near
LEAST_M = 0.5e-3
_SAME_SIDE = 0.5  # cosine: a sample on the far side of a thin wall is not seen
_MOST_CUBES = 40_000_000


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
    low = samples.min(axis=0) - 2 * reach_m
    extent = np.ptp(samples, axis=0) + 4 * reach_m
    side_m = max(reach_m, float(np.cbrt(np.prod(extent) / _MOST_CUBES)))
    shape = np.ceil(extent / side_m).astype(np.intp) + 1
    speaker = _speakers(deviations.points, low, side_m, shape)
    cubes = ((samples - low) / side_m).astype(np.intp)
    seen = np.zeros(len(samples), dtype=np.bool_)
    for step in np.ndindex(3, 3, 3):
        x, y, z = (cubes + np.array(step) - 1).T
        rows = speaker[x, y, z]
        some = np.flatnonzero(rows >= 0)
        asked = rows[some]
        near = _apart_m(deviations.points[asked], samples[some]) <= reach_m
        agree = np.einsum('ij,ij->i', deviations.outward[asked], normals[some]) > _SAME_SIDE
        seen[some] |= near & agree
    return seen


def _speakers(
    points: NDArray[np.floating], low: NDArray[np.float64], side_m: float, shape: NDArray[np.intp]
) -> NDArray[np.int32]:
    """(X, Y, Z) the row of one point of each cube, -1 for none."""
    kind = points.dtype.type
    cubes = np.floor((points - low.astype(kind)) * kind(1.0 / side_m)).astype(np.int32)
    inside = np.flatnonzero(inside_box(cubes, (0, 0, 0), shape))
    speaker = np.full(tuple(shape), -1, dtype=np.int32)
    flat = cubes[inside] @ np.array([shape[1] * shape[2], shape[2], 1], dtype=np.int32)
    speaker.reshape(-1)[flat] = inside
    return speaker


def _apart_m(a: NDArray[np.floating], b: Points) -> NDArray[np.float64]:
    distances: NDArray[np.float64] = np.linalg.norm(a - b, axis=1)
    return distances
