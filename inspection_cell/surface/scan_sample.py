"""What a search needs of a scan: few points with normals, noise, and whether it can be a part."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from inspection_cell.geometry import Points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.registration import MIN_POINTS, extent_m, thinned

SAMPLE = 10_000
_COARSE = 600
_NEIGHBOURS = 24
MOST_TIMES_LARGER = 20.0
_FLAT_SHARE = 0.995


@dataclass(frozen=True, slots=True)
class ScanSample:
    """A scan reduced to what a search looks at, scan frame, metres.

    Attributes:
        points: (N, 3) all finite points.
        sample: (M, 3) evenly drawn from them.
        coarse: (C, 3) fewer, drawn from the sample.
        normals: (C, 3) of `coarse`, towards the sensors, or None without sensors.
        noise_m: standard deviation of the points off their neighbours' planes.
        sensors: (K, 3) where the scan was taken from; none when that is unknown.
    """

    points: Points
    sample: Points
    coarse: Points
    normals: Points | None
    noise_m: float
    sensors: Points


def finite_points(points: NDArray[np.floating]) -> Points:
    """The rows (N, 3) without NaN or infinity."""
    values = np.asarray(points, dtype=np.float64).reshape(-1, 3)
    return values[np.isfinite(values).all(axis=1)]


def sample_scan(points: Points, sensors: Points, generator: np.random.Generator) -> ScanSample:
    """Draw points and estimate their normals.

    Args:
        points: (N, 3) finite, scan frame, metres.
        sensors: (K, 3) origins of the scan; may be empty.
        generator: that draws.
    """
    sample = points[np.sort(generator.permutation(len(points))[:SAMPLE])]
    rows = np.sort(generator.permutation(len(sample))[:_COARSE])
    coarse = sample[rows]
    tree = cKDTree(points, balanced_tree=False, compact_nodes=False)
    neighbours = points[tree.query(coarse, k=min(_NEIGHBOURS, len(points)))[1]]
    values, vectors = np.linalg.eigh(_covariances(neighbours))
    noise_m = float(np.sqrt(max(np.median(values[:, 0]), 0.0)))
    normals = _towards(vectors[:, :, 0], coarse, sensors) if len(sensors) else None
    return ScanSample(points, sample, coarse, normals, noise_m, sensors)


def _covariances(groups: NDArray[np.float64]) -> NDArray[np.float64]:
    centred = groups - groups.mean(axis=1, keepdims=True)
    covariances: NDArray[np.float64] = np.swapaxes(centred, 1, 2) @ centred / groups.shape[1]
    return covariances


def _towards(normals: Points, points: Points, sensors: Points) -> Points:
    """Normals turned to the sensor that looks at them most directly."""
    sight = sensors[None] - points[:, None]
    sight /= np.linalg.norm(sight, axis=2, keepdims=True)
    cosines = np.einsum('nki,ni->nk', sight, normals)
    chosen = np.take_along_axis(cosines, np.abs(cosines).argmax(axis=1)[:, None], axis=1)
    return np.where(chosen < 0, -normals, normals)


def implausible(points: NDArray[np.floating], reference: ReferenceMesh) -> str:
    """Why points (N, 3) cannot be a scan of the part alone; empty when they can."""
    finite = finite_points(points)
    given = int(np.asarray(points).size // 3)
    if given == 0:
        return 'the scan is empty'
    if len(finite) == 0:
        return f'none of the {given} points of the scan is finite'
    if len(finite) < MIN_POINTS:
        return f'the scan has {len(finite)} finite points; at least {MIN_POINTS} are needed'
    return _wrong_size(finite, reference) or _flat(finite, reference)


def _wrong_size(points: Points, reference: ReferenceMesh) -> str:
    scan_m = extent_m(points)
    ratio = scan_m / reference.diagonal_m
    both = f'the scan extends {scan_m:.3g} m, the reference {reference.diagonal_m:.3g} m'
    if not 1 / MOST_TIMES_LARGER <= ratio <= MOST_TIMES_LARGER:
        return (
            f"the reference's size does not fit the scan's: {both}; are both in the units given?"
        )
    return ''


def _flat(points: Points, reference: ReferenceMesh) -> str:
    """A plane, by the share of points in the best plane of their spread."""
    few = thinned(points, 2000)
    centre = np.median(few, axis=0)
    normal = np.linalg.svd(few - centre, full_matrices=False)[2][2]
    heights = (few - centre) @ normal
    heights -= np.median(heights)
    share = float(np.mean(np.abs(heights) < 2e-3 * reference.diagonal_m))
    if share < _FLAT_SHARE:
        return ''
    return f'the scan is a plane ({share:.1%} of it): it does not determine a pose'
