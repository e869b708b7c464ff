"""Small pieces of a cloud, spread over it: they tell its spacing and its noise without its all."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from inspection_cell.surface.cubes import Cubes

PATCHES = 40
_POINTS_EACH = 80  # aimed at
_MOST_ALONG = 500  # cubes
_ASKED = 600  # points that tell the spacing
_NEIGHBOURS = 4
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
    flat = _cubes_over(points).ids(points)
    counts = np.bincount(flat)
    full = np.flatnonzero(counts >= max(np.median(counts[counts > 0]), _MIN_POINTS))
    chosen = full[np.linspace(0, len(full) - 1, min(PATCHES, len(full))).astype(np.intp)]
    if not len(chosen):
        return ()
    wanted = np.zeros(len(counts), dtype=np.bool_)
    wanted[chosen] = True
    rows = np.flatnonzero(wanted.take(flat))
    rows = rows[np.argsort(flat[rows], kind='stable')]
    bounds = np.flatnonzero(np.diff(flat[rows])) + 1
    return tuple(Patch(own, _inner(points[own])) for own in np.split(rows, bounds))


def _cubes_over(points: NDArray[np.floating]) -> Cubes:
    """With about the wanted number of points each, on a surface that fills their box."""
    low = np.array([column.min() for column in points.T], dtype=np.float64)
    extent = np.maximum([column.max() for column in points.T] - low, 1e-9)
    a, b, c = extent
    surface_m2 = a * b + b * c + c * a  # half of the box around it: what one side sees
    side_m = max(np.sqrt(surface_m2 / len(points) * _POINTS_EACH), extent.max() / _MOST_ALONG)
    # A little wider: rounding leaves no point outside.
    return Cubes.around(low, low + (1 + 1e-5) * extent, float(side_m))


def _inner(points: NDArray[np.floating]) -> NDArray[np.bool_]:
    apart = np.linalg.norm(points - points.mean(axis=0), axis=1)
    inner: NDArray[np.bool_] = apart <= _INNER * apart.max()
    return inner


def spacing_m(points: NDArray[np.floating], patches: tuple[Patch, ...]) -> float:
    """Typical distance between neighbouring points of a cloud, metres; 0 for too few points."""
    if not patches:
        return 0.0
    inner = np.concatenate([patch.rows[patch.inner] for patch in patches])
    own = points[np.concatenate([patch.rows for patch in patches])]
    return neighbour_distance_m(own, points[inner[:: max(1, len(inner) // _ASKED)]])


def neighbour_distance_m(points: NDArray[np.floating], asked: NDArray[np.floating]) -> float:
    """Typical distance between neighbours of a cloud (N, 3), at some of its points (M, 3)."""
    different = _different(points)  # a repeated point is no neighbour
    if len(asked) == 0 or len(different) < _NEIGHBOURS + 2:
        return 0.0
    tree = cKDTree(different, balanced_tree=False, compact_nodes=False)
    # Four neighbours within a radius r: each stands for a square of pi r² / 4.
    radii_m = np.asarray(tree.query(asked, k=[_NEIGHBOURS + 1])[0])
    return float(np.median(radii_m) * np.sqrt(np.pi / _NEIGHBOURS))


def _different(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """Each place once, in order of their coordinates."""
    ordered = points[np.lexsort(points.T)]
    new = np.ones(len(points), dtype=np.bool_)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return ordered[new]
