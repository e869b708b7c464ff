"""Nearest surface point of the reference by one table look-up: for scoring many poses at once."""

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from inspection_cell.reference import ReferenceMesh

CELLS_ALONG = 72  # of the part's diagonal
MARGIN = 0.2  # of the diagonal on every side; farther points use the nearest cell of the table

Single = NDArray[np.float32]


class CoarseField:
    """For every cell of a grid around the part, the sample of its surface that is nearest.

    Attributes:
        samples: (M, 3) float32 surface points, part frame, metres.
        normals: (M, 3) their outward normals.
        diagonal_m: of the part.
    """

    def __init__(self, reference: ReferenceMesh) -> None:
        """Fill the table."""
        self.samples: Single = reference.samples.astype(np.float32)
        self.normals: Single = reference.sample_normals.astype(np.float32)
        self.diagonal_m = reference.diagonal_m
        self._cell_m = self.diagonal_m / CELLS_ALONG
        low, high = reference.vertices.min(axis=0), reference.vertices.max(axis=0)
        margin_m = MARGIN * self.diagonal_m
        self._low = (low - margin_m).astype(np.float32)
        self._shape = np.ceil((high - low + 2 * margin_m) / self._cell_m).astype(np.int32)
        centres = np.indices(self._shape).reshape(3, -1).T + 0.5
        nearest = cKDTree(reference.samples).query(self._low + centres * self._cell_m, workers=2)[
            1
        ]
        self._table = np.asarray(nearest, dtype=np.int32)

    def nearest(self, points: Single) -> NDArray[np.int32]:
        """Rows of `samples` (...) that are nearest to points (..., 3), part frame, to a cell."""
        cells = ((points - self._low) * np.float32(1.0 / self._cell_m)).astype(np.int32)
        np.clip(cells, 0, self._shape - 1, out=cells)
        _, rows, layers = (int(size) for size in self._shape)
        flat = (cells[..., 0] * rows + cells[..., 1]) * layers + cells[..., 2]
        found: NDArray[np.int32] = self._table[flat]
        return found
