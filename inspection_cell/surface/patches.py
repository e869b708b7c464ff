"""Small pieces of a cloud, spread over it: they tell its spacing and its noise without its all."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from inspection_cell.surface.cubes import Cubes

PATCHES = 40
_POINTS_EACH = 80  # aimed at
_INNER = 0.6  # of a patch's radius: points farther out have neighbours outside of it
_MIN_POINTS = 10


@dataclass(frozen=True, slots=True)
class Patch:
    """The points of one small cube.

    Attributes:
        rows: (P,) into the cloud.
        inner: (P,) which of them have their neighbours in the patch.
    """

    rows: NDArray[np.intp]
    inner: NDArray[np.bool_]


def patches_of(points: NDArray[np.floating]) -> tuple[Patch, ...]:
    """Pieces of a cloud (N, 3), metres; the same cloud gives the same ones."""
    if len(points) < _MIN_POINTS:
        return ()
    low = np.array([column.min() for column in points.T])
    extent = np.maximum([column.max() for column in points.T] - low, 1e-9)
    side_m = _side_m(len(points), extent)
    cubes = Cubes.around(low, low + extent, side_m)
    flat = cubes.ids(points)
    counts = np.bincount(flat[flat >= 0])
    full = np.flatnonzero(counts >= max(np.median(counts[counts > 0]), _MIN_POINTS))
    chosen = full[np.linspace(0, len(full) - 1, min(PATCHES, len(full))).astype(np.intp)]
    if not len(chosen):
        return ()
    wanted = np.zeros(len(counts) + 1, dtype=np.bool_)  # the last one: outside
    wanted[chosen] = True
    rows = np.flatnonzero(wanted[flat])
    rows = rows[np.argsort(flat[rows], kind='stable')]
    bounds = np.flatnonzero(np.diff(flat[rows])) + 1
    return tuple(Patch(own, _inner(points[own])) for own in np.split(rows, bounds))


def _inner(points: NDArray[np.floating]) -> NDArray[np.bool_]:
    apart = np.linalg.norm(points - points.mean(axis=0), axis=1)
    inner: NDArray[np.bool_] = apart <= _INNER * apart.max()
    return inner


def spacing_m(points: NDArray[np.floating], patches: tuple[Patch, ...]) -> float:
    """Typical distance between neighbouring points of a cloud, metres; 0 for too few points."""
    radii = []
    for patch in patches:
        different = np.unique(points[patch.rows], axis=0)  # a repeated point is no neighbour
        if np.count_nonzero(patch.inner) and len(different) > 5:
            tree = cKDTree(different)
            # Four neighbours within a radius r: each stands for a square of pi r² / 4.
            radii.append(np.asarray(tree.query(points[patch.rows[patch.inner]], k=5)[0])[:, 4])
    if not radii:
        return 0.0
    return float(np.median(np.concatenate(radii)) * np.sqrt(np.pi / 4))


def _side_m(count: int, extent: NDArray[np.float64]) -> float:
    """Side of cubes with about the wanted number of points, for a surface of that extent."""
    a, b, c = extent
    surface_m2 = a * b + b * c + c * a  # half of the box around it: what one side sees
    return float(max(np.sqrt(surface_m2 / count * _POINTS_EACH), extent.max() / 500))
