"""Points sorted into small cubes of space: neighbourhoods without a tree."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
        total = np.zeros(len(points), dtype=np.int32)
        outside = np.zeros(len(points), dtype=np.bool_)
        kind = points.dtype.type
        # By columns: NumPy is slow at rows of three.
        for axis, count in enumerate(self.shape):
            scaled = (points[:, axis] - kind(self.low[axis])) * kind(1.0 / self.side_m)
            outside |= ~((scaled >= 0) & (scaled < count))
            total *= count
            total += scaled.astype(np.int32)
        total[outside] = -1
        return total

    def with_neighbours(self, ids: NDArray[np.integer]) -> NDArray[np.bool_]:
        """(cubes,) which are one of those, or touch one."""
        marked = np.zeros(self.shape, dtype=np.bool_)
        x, y, z = np.unravel_index(np.unique(ids), self.shape)
        for a, b, c in np.ndindex(3, 3, 3):
            marked[
                np.clip(x + a - 1, 0, self.shape[0] - 1),
                np.clip(y + b - 1, 0, self.shape[1] - 1),
                np.clip(z + c - 1, 0, self.shape[2] - 1),
            ] = True
        return marked.reshape(-1)
