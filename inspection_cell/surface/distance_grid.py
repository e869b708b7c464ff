"""Signed distances near the reference, precomputed on a regular grid: a lookup, not a search.

Only nodes in a narrow band around the surface are known; the rest is NaN. Between the nodes
distances are interpolated trilinearly, which is exact beside planes and wrong beside edges. Each
cell was compared with the exact distance once; where they differ, the cell is not trusted. Cells
at the surface that are not trusted are divided: a third is left beside edges, and next to nothing
on curved surfaces. Points in what is left are measured exactly.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from inspection_cell.surface.blocks import in_turn

DIVIDED = 3  # parts of a divided cell along each axis
SIDE = DIVIDED + 1  # nodes of a divided cell along each axis

Single = NDArray[np.float32]
Flat = NDArray[np.intp]
Place = tuple[Single, Single, Single]


@dataclass(frozen=True, slots=True)
class Looked:
    """What the grid says about points.

    Attributes:
        signed_m: (N,) float32, positive outside; NaN outside the band.
        gradient: (N, 3) float32, direction in which it grows, about unit length.
        trusted: (N,) whether the exact distance is the same to some micrometres.
    """

    signed_m: Single
    gradient: Single
    trusted: NDArray[np.bool_]

    @classmethod
    def of(cls, count: int) -> Self:
        """Room for what is said about so many points."""
        return cls(
            np.empty(count, dtype=np.float32),
            np.empty((count, 3), dtype=np.float32),
            np.empty(count, dtype=np.bool_),
        )

    def part(self, rows: slice) -> 'Looked':
        """Those rows, in the same memory."""
        return Looked(self.signed_m[rows], self.gradient[rows], self.trusted[rows])


@dataclass(frozen=True, slots=True)
class DividedCells:
    """Cells that have nodes at a third of the spacing.

    Attributes:
        cells: (C,) flat indices of the cells, ascending.
        nodes: (C, 4, 4, 4) float32 signed distances, metres; NaN where the mesh says nothing.
        trusted: (C, 3, 3, 3) which of their parts are interpolated well.
    """

    cells: Flat
    nodes: Single
    trusted: NDArray[np.bool_]


class DistanceGrid:
    """Signed distances on nodes, in the part frame.

    Attributes:
        origin_m: (3,) the first node.
        spacing_m: between nodes.
        nodes: (X, Y, Z) float32 signed distances, metres; NaN outside the band.
        trusted: (X, Y, Z) whether the cell that begins at a node is interpolated well.
        divided: cells with more nodes, of those that are not trusted; None for none.
    """

    def __init__(
        self,
        origin_m: NDArray[np.float64],
        spacing_m: float,
        nodes: Single,
        trusted: NDArray[np.bool_],
        divided: DividedCells | None = None,
    ) -> None:
        """Take over the arrays."""
        self.origin_m = origin_m
        self.spacing_m = spacing_m
        self.nodes = nodes
        self.trusted = trusted
        self.divided = divided
        _, y, z = nodes.shape
        self._strides = (y * z, z, 1)
        self._flat, self._flat_trusted = nodes.reshape(-1), trusted.reshape(-1)
        # Which row of `divided` a cell has; -1 for none.
        self._row_of = np.full(nodes.size if divided else 0, -1, dtype=np.int32)
        if divided:
            self._row_of[divided.cells] = np.arange(len(divided.cells), dtype=np.int32)

    def look_up(self, points: NDArray[np.floating], *, closer: bool = True) -> Looked:
        """Interpolate at (N, 3) points in the part frame, metres.

        Args:
            points: where.
            closer: whether divided cells are asked.
        """
        looked = Looked.of(len(points))
        in_turn(
            lambda rows: self.look_up_into(looked.part(rows), points[rows], closer=closer),
            len(points),
        )
        return looked

    def look_up_into(
        self, looked: Looked, points: NDArray[np.floating], *, closer: bool = True
    ) -> None:
        """The same for few points, written to rows that there are."""
        base, place, inside = self._cells_of(points)
        self._flat_trusted.take(base, out=looked.trusted, mode='clip')
        values = _interpolate(self._flat, self._strides, base, place, self.spacing_m)
        looked.signed_m[:], looked.gradient[:] = values
        if closer and self.divided is not None:
            self._look_closer(looked, base, place)
        if not inside.all():
            looked.signed_m[~inside] = np.nan
            looked.trusted[~inside] = False

    def _cells_of(self, points: NDArray[np.floating]) -> tuple[Flat, Place, NDArray[np.bool_]]:
        """The cell of each point, where in it (0 to 1), and whether there is one."""
        kind = points.dtype.type
        base, inside = np.zeros(len(points), dtype=np.intp), np.ones(len(points), dtype=np.bool_)
        place = []
        for axis, (side, stride) in enumerate(zip(self.nodes.shape, self._strides, strict=True)):
            scaled = points[:, axis] - kind(self.origin_m[axis])
            scaled *= kind(1.0 / self.spacing_m)
            inside &= scaled >= 0
            inside &= scaled < side - 1
            with np.errstate(invalid='ignore'):  # of points far away, which are set aside below
                cell = scaled.astype(np.int32)
            scaled -= cell
            base += cell * np.intp(stride)
            place.append(scaled.astype(np.float32, copy=False))
        if not inside.all():
            base[~inside] = 0
        return base, (place[0], place[1], place[2]), inside

    def _look_closer(self, looked: Looked, base: Flat, place: Place) -> None:
        """Ask divided cells where they know more."""
        assert self.divided is not None
        rows = np.flatnonzero(~looked.trusted)
        asked = self._row_of.take(base[rows], mode='clip')
        rows, cells = rows[asked >= 0], asked[asked >= 0].astype(np.intp)
        node: Flat = cells * SIDE**3
        small: Flat = cells * DIVIDED**3
        finer = []
        for axis, values in enumerate(place):
            scaled = values[rows] * np.float32(DIVIDED)
            part = np.minimum(scaled.astype(np.intp), DIVIDED - 1)
            node += part * SIDE ** (2 - axis)
            small += part * DIVIDED ** (2 - axis)
            finer.append(scaled - part.astype(np.float32))
        looked.signed_m[rows], looked.gradient[rows] = _interpolate(
            self.divided.nodes.reshape(-1),
            (SIDE**2, SIDE, 1),
            node,
            (finer[0], finer[1], finer[2]),
            self.spacing_m / DIVIDED,
        )
        looked.trusted[rows] = self.divided.trusted.reshape(-1).take(small)


def _interpolate(
    nodes: Single, strides: tuple[int, int, int], base: Flat, place: Place, spacing_m: float
) -> tuple[Single, Single]:
    """Trilinear value (N,) and gradient (N, 3) in the cells that begin at nodes `base`."""
    x, y, z = place
    low, rise_z = [], []
    for offset in (0, strides[1], strides[0], strides[0] + strides[1]):
        at = nodes[offset:].take(base, mode='clip')
        above = nodes[offset + 1 :].take(base, mode='clip')
        above -= at
        rise_z.append(above)
        low.append(at + z * above)
    rise_y0, rise_y1 = low[1] - low[0], low[3] - low[2]
    value, value1 = low[0] + y * rise_y0, low[2] + y * rise_y1
    gradient = np.empty((len(base), 3), dtype=np.float32)
    gradient[:, 0] = value1 - value
    gradient[:, 1] = rise_y0 + x * (rise_y1 - rise_y0)
    z0 = rise_z[0] + y * (rise_z[1] - rise_z[0])
    z1 = rise_z[2] + y * (rise_z[3] - rise_z[2])
    gradient[:, 2] = z0 + x * (z1 - z0)
    value += x * gradient[:, 0]
    gradient *= np.float32(1.0 / spacing_m)
    return value, gradient
