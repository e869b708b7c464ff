"""The areal Gaussian filter on scattered points: ISO 16610-61 weights, no bias at borders."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from inspection_cell.surface.features.robust import Floats

CELLS_PER_CUTOFF = 8
_REACH = 3.5  # standard deviations of the weighting function that are summed up
_MOMENTS = ((0, 0), (1, 0), (0, 1), (2, 0), (1, 1), (0, 2))


@dataclass(frozen=True, slots=True)
class Grid:
    """Square cells over points in a plane.

    Attributes:
        cell_m: side of a cell.
        shape: cells along both axes.
        index: (N,) cell of each point, row by row.
    """

    cell_m: float
    shape: tuple[int, int]
    index: NDArray[np.intp]

    @classmethod
    def over(cls, in_plane_m: Floats, cell_m: float) -> Self:
        """Cells around (N, 2) points."""
        whole = ((in_plane_m - in_plane_m.min(axis=0)) / cell_m).astype(np.intp)
        rows, columns = (int(value) + 1 for value in whole.max(axis=0))
        return cls(cell_m, (rows, columns), whole[:, 0] * columns + whole[:, 1])

    def sums(self, values: Floats) -> Floats:
        """(rows, columns) sums of (N,) values in each cell."""
        count = self.shape[0] * self.shape[1]
        summed: Floats = np.bincount(self.index, values, minlength=count).astype(np.float64)
        return summed.reshape(self.shape)

    def middles_m(self) -> Floats:
        """(rows, columns, 2) middles of the cells, from the first cell's corner."""
        places = np.moveaxis(np.indices(self.shape), 0, -1).astype(np.float64)
        middles: Floats = (places + 0.5) * self.cell_m
        return middles


class GaussianSurface:
    """The filter prepared for one set of points: a weighted plane fitted around every cell.

    Gaussian regression of first order (ISO 16610-31 in two dimensions). Inside it equals the
    Gaussian filter of ISO 16610-61, weights exp(-π (x / αλ)²) with α = sqrt(ln 2 / π); at
    borders, and where points are unevenly spread, a slope makes no bias.
    """

    def __init__(self, grid: Grid, weights: Floats, cutoff_m: float) -> None:
        """Prepare the weights.

        Args:
            grid: cells of the points.
            weights: (N,) of the points, 0 or more.
            cutoff_m: cutoff wavelength.
        """
        self._grid = grid
        self._weights = weights
        deviation = np.sqrt(np.log(2.0) / np.pi) * cutoff_m / grid.cell_m / np.sqrt(2.0 * np.pi)
        # Sums over cells smooth by themselves: a box of width 1 has the variance 1/12.
        deviation = float(np.sqrt(max(deviation**2 - 1.0 / 12.0, 0.05)))
        steps = np.arange(-np.ceil(_REACH * deviation), np.ceil(_REACH * deviation) + 1.0)
        kernel = np.exp(-0.5 * (steps / deviation) ** 2)
        self._kernels = [kernel * steps**power / kernel.sum() for power in range(3)]
        self.count = grid.sums(weights)
        self.known = self.count > 0.0
        self._inverse = self._regression()

    def values(self, heights: Floats) -> Floats:
        """(rows, columns) of the filtered surface in the middles of cells, from (N,) heights."""
        return self.of_sums(self._grid.sums(self._weights * heights))

    def of_sums(self, sums: Floats) -> Floats:
        """(..., rows, columns) filtered from weighted sums of heights (..., rows, columns)."""
        moments = (self._moment(sums, power) for power in _MOMENTS[:3])
        pairs = zip(self._inverse, moments, strict=True)
        filtered: Floats = sum((factor * moment for factor, moment in pairs), np.zeros(()))
        return filtered

    def _moment(self, sums: Floats, power: tuple[int, int]) -> Floats:
        down = correlate1d(sums, self._kernels[power[0]], axis=-2, mode='constant')
        moment: Floats = correlate1d(down, self._kernels[power[1]], axis=-1, mode='constant')
        return moment

    def _regression(self) -> tuple[Floats, Floats, Floats]:
        """First row of the inverse normal matrix of each cell's plane, its three entries."""
        s, su, sv, suu, suv, svv = (self._moment(self.count, power) for power in _MOMENTS)
        # Slopes held back by a tenth of the Gaussian's own spread: corners would else show the
        # noise of few points five times over, and a lone line of cells has no slope across.
        ridge = 0.1 * s * self._kernels[2].sum()
        suu, svv = suu + ridge, svv + ridge
        first, second, third = suu * svv - suv * suv, sv * suv - su * svv, su * suv - sv * suu
        determinant = s * first + su * second + sv * third
        safe = np.where(self.known, determinant, 1.0)
        return first / safe, second / safe, third / safe
