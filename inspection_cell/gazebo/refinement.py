"""Finer triangles where they are wanted; neighbours stay joined, so the surface stays closed."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Points

Triangles = NDArray[np.int32]  # (T, 3)
Indices = NDArray[np.integer]
Wanted = Callable[[Points], NDArray[np.float64]]  # corners (T, 3, 3) → longest edge allowed (T,)

ROUNDS = 40  # each halves the longest edges at least once in two rounds


def refine(vertices: Points, triangles: Triangles, wanted: Wanted) -> tuple[Points, Triangles]:
    """Split the longest edges of triangles until all are as short as `wanted` says.

    Args:
        vertices: (V, 3) metres.
        triangles: (T, 3) indices of vertices.
        wanted: longest edge that each triangle may have, metres; infinite: any.

    Returns:
        More vertices, the former ones first, and the triangles, wound as before.
    """
    for _ in range(ROUNDS):
        corners = vertices[triangles]
        lengths = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2)
        too_long = lengths.max(axis=1) > wanted(corners)
        if not too_long.any():
            break
        chosen = np.zeros(lengths.shape, dtype=np.bool_)
        rows = np.flatnonzero(too_long)
        chosen[rows, lengths[rows].argmax(axis=1)] = True
        vertices, triangles = _split(vertices, triangles, chosen)
    return vertices, triangles


def _split(
    vertices: Points, triangles: Triangles, chosen: NDArray[np.bool_]
) -> tuple[Points, Triangles]:
    """Put a vertex into the middle of the chosen edges (T, 3), on both sides of each."""
    ends = np.sort(np.stack([triangles, np.roll(triangles, -1, axis=1)], axis=2), axis=2)
    edges, edge_of = np.unique(ends.reshape(-1, 2), axis=0, return_inverse=True)
    edge_of = edge_of.reshape(-1, 3)
    is_split = np.zeros(len(edges), dtype=np.bool_)
    is_split[edge_of[chosen]] = True
    middle_of = np.cumsum(is_split) - 1 + len(vertices)
    middles = vertices[edges[is_split]].mean(axis=1)
    split, middle = is_split[edge_of], middle_of[edge_of]
    pieces: list[Indices] = [triangles[~split.any(axis=1)]]
    for count, divide in ((1, _in_two), (2, _in_three), (3, _in_four)):
        rows = np.flatnonzero(split.sum(axis=1) == count)
        pieces += divide(*_turned(triangles[rows], middle[rows], split[rows]))
    return np.concatenate([vertices, middles]), np.concatenate(pieces).astype(np.int32)


def _turned(
    triangles: Triangles, middle: Indices, split: NDArray[np.bool_]
) -> tuple[Indices, Indices]:
    """The same triangles begun elsewhere: their split edges come first, without a gap."""
    first = np.array([(row & ~np.roll(row, 1)).argmax() for row in _PATTERNS])
    number = split @ np.array([1, 2, 4])
    order = (first[number][:, None] + np.arange(3)) % 3
    rows = np.arange(len(triangles))[:, None]
    return triangles[rows, order].T, middle[rows, order].T


_PATTERNS = (np.arange(8)[:, None] & np.array([1, 2, 4])) > 0


def _in_two(corner: Indices, middle: Indices) -> list[Indices]:
    (a, b, c), (ab, _, _) = corner, middle
    return [np.stack(one, axis=1) for one in ((a, ab, c), (ab, b, c))]


def _in_three(corner: Indices, middle: Indices) -> list[Indices]:
    (a, b, c), (ab, bc, _) = corner, middle
    return [np.stack(one, axis=1) for one in ((ab, b, bc), (a, ab, bc), (a, bc, c))]


def _in_four(corner: Indices, middle: Indices) -> list[Indices]:
    (a, b, c), (ab, bc, ca) = corner, middle
    four = ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
    return [np.stack(one, axis=1) for one in four]
