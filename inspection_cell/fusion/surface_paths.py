"""Ways along the surface of a part: near through a wall is not near on the surface."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from inspection_cell.geometry import Points
from inspection_cell.reference import ReferenceMesh

REACH = 2.4  # neighbours lie within so many times the spacing of the samples
LIFT = 0.35  # of the spacing: how far above the surface the line to a neighbour runs
ALIKE_COS = 0.5  # normals of one and the same face, bent by no more than 60°
ENTRIES = 16  # samples among which a place finds the nearest of its own side
AROUND_COS = -0.2  # round an edge of 90°, and a little more
INSET = 0.02  # of the line's length: its ends lie on faces themselves


class SurfacePaths:
    """Lengths of ways over the reference's surface, from sample to sample.

    Samples are joined with those near them that a short way over the surface reaches: along a
    face that nothing stands on in between, or round an edge. A way over such a net is up to a
    tenth longer than the shortest way on the surface.

    Attributes:
        spacing_m: mean distance between neighbouring samples.
    """

    def __init__(self, reference: ReferenceMesh) -> None:
        """Join the samples of `reference`; takes some tenths of a second."""
        points, normals = reference.samples, reference.sample_normals
        self.spacing_m = float(np.sqrt(reference.areas.sum() / len(points)))
        self._tree = cKDTree(points)
        self._normals = normals
        pairs = self._tree.query_pairs(REACH * self.spacing_m, output_type='ndarray')
        pairs = pairs[_joined(reference, points, normals, pairs, LIFT * self.spacing_m)]
        lengths = np.linalg.norm(points[pairs[:, 0]] - points[pairs[:, 1]], axis=1)
        count = len(points)
        # Both ways in the matrix: SciPy would add the way back anew at every search.
        there = csr_matrix((lengths, (pairs[:, 0], pairs[:, 1])), shape=(count, count))
        self._net = there + there.T

    def between(
        self,
        positions: Points,
        normals: Sequence[NDArray[np.float64] | None],
        reach_m: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Lengths (N, N) of the ways between places on the surface, metres; inf beyond reach.

        Args:
            positions: (N, 3) on or near the surface, part frame.
            normals: outward at each, where it is known: a place belongs to its own side.
            reach_m: (N,) how far from each place ways are looked for, at least.
        """
        if not len(positions):
            return np.empty((0, 0))
        entries, offsets = self._entries(positions, normals)
        ways = self._ways(entries, reach_m)
        total = ways + offsets[:, None] + offsets[None]
        np.fill_diagonal(total, 0.0)
        straight = np.linalg.norm(positions[:, None] - positions[None], axis=2)
        alike = _facing(normals) > ALIKE_COS
        next_door = (ways <= REACH * self.spacing_m) & alike
        found: NDArray[np.float64] = np.where(next_door, straight, np.maximum(total, straight))
        return found

    def _ways(
        self, entries: NDArray[np.intp], reach_m: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Lengths (N, N) over the net; a search costs by the square of its reach."""
        ways = np.full((len(entries), len(entries)), np.inf)
        classes = np.ceil(np.log2(np.maximum(reach_m, self.spacing_m)))
        for one in np.unique(classes):
            rows = np.flatnonzero(classes == one)
            limit_m = float(reach_m[rows].max())
            found = dijkstra(self._net, directed=True, indices=entries[rows], limit=limit_m)
            ways[rows] = found[:, entries]
        shorter: NDArray[np.float64] = np.minimum(ways, ways.T)
        return shorter

    def _entries(
        self, positions: Points, normals: Sequence[NDArray[np.float64] | None]
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """The sample (N,) at which each place joins the net, and how far it lies from it."""
        found = self._tree.query(positions, k=list(range(1, min(ENTRIES, self._tree.n) + 1)))
        distances, nearest = np.asarray(found[0]), np.asarray(found[1])
        for row, normal in enumerate(normals):
            if normal is not None:
                turned = self._normals[nearest[row]] @ normal < ALIKE_COS
                distances[row, turned] += 1e3  # the other side of a thin wall comes last
        best = np.argmin(distances, axis=1)
        rows = np.arange(len(positions))
        return nearest[rows, best], np.mod(distances[rows, best], 1e3)


def _joined(
    reference: ReferenceMesh,
    points: Points,
    normals: Points,
    pairs: NDArray[np.intp],
    lift_m: float,
) -> NDArray[np.bool_]:
    """Which pairs (P, 2) of samples are joined by a short way over the surface."""
    one, other = pairs[:, 0], pairs[:, 1]
    cosines = np.einsum('ij,ij->i', normals[one], normals[other])
    alike = (cosines > ALIKE_COS)[:, None]
    # Over a face the line is lifted above it. Round an edge it runs straight from side to side,
    # through the material of an outer edge; what it meets on its way is another face.
    starts = points[one] + np.where(alike, lift_m * normals[one], 0.0)
    ends = points[other] + np.where(alike, lift_m * normals[other], 0.0)
    inset = np.where(alike, 0.0, INSET) * (ends - starts)
    ways = ends - starts - 2.0 * inset
    lengths = np.maximum(np.linalg.norm(ways, axis=1), 1e-12)
    hits_m, _ = reference.cast_from(starts + inset, ways / lengths[:, None])
    joined: NDArray[np.bool_] = (cosines > AROUND_COS) & (hits_m > lengths)
    return joined


def _facing(normals: Sequence[NDArray[np.float64] | None]) -> NDArray[np.float64]:
    """Cosines (N, N) between normals; 1 where one of them is not known."""
    known = np.array([normal is not None for normal in normals])
    stacked = np.stack([np.zeros(3) if normal is None else normal for normal in normals])
    cosines: NDArray[np.float64] = stacked @ stacked.T
    cosines[~(known[:, None] & known[None])] = 1.0
    return cosines
