"""Closed triangle meshes, assembled from faces with holes and strips between loops; all in mm.

Boolean operations of triangle meshes are not used: those of Open3D (VTK) leave open edges where
a bore cuts slender triangles. Loops that neighbours share make the mesh closed by construction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from inspection_cell.geometry import Points, Transform, transform_points

Loop = NDArray[np.float64]  # (K, 2), counter-clockwise, closed without repeating the first point


@dataclass(frozen=True, slots=True)
class Solid:
    """A closed surface.

    Attributes:
        vertices: (V, 3) mm, welded.
        triangles: (T, 3) int32, wound outward.
    """

    vertices: Points
    triangles: NDArray[np.int32]


class Shell:
    """Collects the surface pieces of a solid; what a piece's own frame is says `frame`."""

    def __init__(self) -> None:
        """Begin without any surface."""
        self._corners: list[NDArray[np.float64]] = []

    def face(
        self,
        frame: Transform,
        outer: Loop,
        holes: Sequence[Loop],
        z: float,
        *,
        up: bool,
    ) -> None:
        """Add the plane region inside `outer` and outside `holes`, seen from +z (`up`) or -z."""
        flat = triangulate(outer, holes)
        corners = np.concatenate([flat, np.full((*flat.shape[:2], 1), z)], axis=2)
        self._add(frame, corners if up else corners[:, ::-1])

    def strip(
        self,
        frame: Transform,
        levels: Sequence[tuple[Loop, float]],
        *,
        outward: bool = True,
    ) -> None:
        """Join loops of equal length along rising z; `outward` normals, else those of a hole."""
        for (low, z_low), (high, z_high) in pairwise(levels):
            a = np.column_stack([low, np.full(len(low), z_low)])
            d = np.column_stack([high, np.full(len(high), z_high)])
            b, c = np.roll(a, -1, axis=0), np.roll(d, -1, axis=0)
            corners = np.concatenate([np.stack([a, b, c], axis=1), np.stack([a, c, d], axis=1)])
            self._add(frame, corners if outward else corners[:, ::-1])

    def quads(self, a: Points, b: Points, c: Points, d: Points) -> None:
        """Add quadrilaterals in part coordinates, counter-clockwise from outside."""
        self._corners.append(np.stack([a, b, c], axis=1))
        self._corners.append(np.stack([a, c, d], axis=1))

    def solid(self) -> Solid:
        """Weld all pieces."""
        corners = np.concatenate(self._corners)
        vertices, inverse = np.unique(
            corners.reshape(-1, 3).round(5) + 0.0, axis=0, return_inverse=True
        )
        triangles = inverse.reshape(-1, 3)
        distinct = (triangles != np.roll(triangles, 1, axis=1)).all(axis=1)
        return Solid(vertices, triangles[distinct].astype(np.int32))

    def _add(self, frame: Transform, corners: NDArray[np.float64]) -> None:
        self._corners.append(transform_points(frame, corners.reshape(-1, 3)).reshape(-1, 3, 3))


def circle(radius: float, segments: int = 96) -> Loop:
    """Loop around the origin."""
    angles = (np.arange(segments) + 0.5) * (2 * np.pi / segments)
    loop: Loop = radius * np.column_stack([np.cos(angles), np.sin(angles)])
    return loop


def rounded_rectangle(width: float, depth: float, radius: float, step: float = 2.0) -> Loop:
    """Loop around the origin with rounded corners and points at most `step` apart."""
    arcs = []
    for quarter, (sx, sy) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        angles = np.linspace(0, np.pi / 2, 13) + quarter * np.pi / 2
        centre = (sx * (width / 2 - radius), sy * (depth / 2 - radius))
        arcs.append(radius * np.column_stack([np.cos(angles), np.sin(angles)]) + centre)
    return subdivided(np.concatenate(arcs), step)


def subdivided(loop: Loop, step: float) -> Loop:
    """The same loop with more points, at most `step` apart."""
    pieces = []
    for start, end in zip(loop, np.roll(loop, -1, axis=0), strict=True):
        count = max(1, int(np.ceil(np.linalg.norm(end - start) / step - 1e-9)))
        pieces.append(start + (end - start) * (np.arange(count) / count)[:, None])
    return np.concatenate(pieces)


def inset(loop: Loop, distance: float) -> Loop:
    """The loop moved inwards (negative: outwards), point by point."""
    edges = np.roll(loop, -1, axis=0) - loop
    normals = np.column_stack([-edges[:, 1], edges[:, 0]])
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    mitre = normals + np.roll(normals, 1, axis=0)
    mitre *= 2.0 / np.einsum('ij,ij->i', mitre, mitre)[:, None]
    moved: Loop = loop + distance * mitre
    return moved


def inside(loop: Loop, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points (N, 2) a loop encloses (even-odd rule)."""
    (x0, y0), (x1, y1) = loop.T, np.roll(loop, -1, axis=0).T
    x, y = points[:, :1], points[:, 1:]
    crosses = (y0 <= y) != (y1 <= y)
    with np.errstate(divide='ignore', invalid='ignore'):
        right = x < x0 + (y - y0) / (y1 - y0) * (x1 - x0)
    odd: NDArray[np.bool_] = (crosses & right).sum(axis=1) % 2 == 1
    return odd


def triangulate(outer: Loop, holes: Sequence[Loop]) -> NDArray[np.float64]:
    """Triangles (T, 3, 2), counter-clockwise, of a region with holes.

    Delaunay; it keeps the loops' edges when points lie denser than loops come near to each other.
    """
    points = np.concatenate([outer, *holes])
    triangles = Delaunay(points).simplices
    centres = points[triangles].mean(axis=1)
    keep = inside(outer, centres)
    for hole in holes:
        keep &= ~inside(hole, centres)
    corners: NDArray[np.float64] = points[triangles[keep]]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    doubled = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    clockwise = doubled < 0
    corners[clockwise] = corners[clockwise, ::-1]
    solid: NDArray[np.float64] = corners[np.abs(doubled) > 1e-9]
    return solid
