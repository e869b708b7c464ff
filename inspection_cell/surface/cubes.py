"""Points sorted into small cubes of space: neighbourhoods without a tree."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.surface.blocks import in_turn

_MOST_CUBES = 40_000_000


@dataclass(frozen=True, slots=True)
class Cubes:
    """A box of space, divided.

    Attributes:
        low: (3,) its corner, metres.
        side_m: of each cube.
        shape: how many along each axis.
    """

    low: NDArray[np.float64]
    side_m: float
    shape: tuple[int, int, int]

    @classmethod
    def around(
        cls, low: NDArray[np.floating], high: NDArray[np.floating], side_m: float, rim: int = 0
    ) -> 'Cubes':
        """Cubes over the box from `low` to `high`, with so many more on each side.

        Where there would be too many, they become larger.
        """
        extent = np.asarray(high, dtype=np.float64) - low
        side_m = max(side_m, float(np.cbrt(np.prod(extent + 2 * rim * side_m) / _MOST_CUBES)))
        counts = (extent / side_m).astype(int) + 1 + 2 * rim
        return cls(
            np.asarray(low, dtype=np.float64) - rim * side_m,
            side_m,
            (int(counts[0]), int(counts[1]), int(counts[2])),
        )

    def ids(self, points: NDArray[np.floating]) -> NDArray[np.int32]:
        """(N,) the cube of each of (N, 3) points; -1 outside the box."""
        ids = np.empty(len(points), dtype=np.int32)
        in_turn(lambda rows: self._ids_into(ids[rows], points[rows]), len(points))
        return ids

    def _ids_into(self, ids: NDArray[np.int32], points: NDArray[np.floating]) -> None:
        kind = points.dtype.type
        outside = None
        ids[:] = 0
        # By columns: NumPy is slow at rows of three.
        for axis, count in enumerate(self.shape):
            scaled = points[:, axis] - kind(self.low[axis])
            scaled *= kind(1.0 / self.side_m)
            if not (scaled.min() >= 0 and scaled.max() < count):
                beyond = ~((scaled >= 0) & (scaled < count))
                outside = beyond if outside is None else outside | beyond
                scaled[beyond] = 0
            ids *= count
            ids += scaled.astype(np.int32)
        if outside is not None:
            ids[outside] = -1

    def with_neighbours(self, ids: NDArray[np.integer]) -> NDArray[np.bool_]:
        """(cubes + 1,) which are one of those, or touch one; the last one: outside, never."""
        marked = np.zeros(int(np.prod(self.shape)) + 1, dtype=np.bool_)
        within = marked[:-1].reshape(self.shape)
        x, y, z = np.unravel_index(np.unique(ids), self.shape)
        for a, b, c in np.ndindex(3, 3, 3):
            within[
                np.clip(x + a - 1, 0, self.shape[0] - 1),
                np.clip(y + b - 1, 0, self.shape[1] - 1),
                np.clip(z + c - 1, 0, self.shape[2] - 1),
            ] = True
        return marked
