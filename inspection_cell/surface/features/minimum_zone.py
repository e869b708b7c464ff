"""The two parallel planes that hold all points with the least distance between them."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, QhullError

from inspection_cell.geometry import Points
from inspection_cell.surface.features.measured import UnmeasurableError
from inspection_cell.surface.features.robust import Floats

_UNIT_M = 1e-6  # heights are given to the solver in micrometres: its tolerances are absolute


def minimum_zone_m(points: Points) -> float:
    """Width of the minimum zone of points (N, 3) whose third coordinate is the height, metres.

    Chebyshev's fit of a plane as a linear program (ISO 12781-1, minimum zone reference plane),
    on the convex hull alone: no other point can touch the zone. Slopes are assumed small.
    """
    scale = max(float(np.ptp(points[:, :2], axis=0).max()), 1e-12)
    scaled = np.column_stack([points[:, :2] / scale, points[:, 2] / _UNIT_M])
    scaled -= scaled.mean(axis=0)
    corners = scaled[_hull(scaled)]
    design = np.column_stack([np.ones(len(corners)), corners[:, :2]])
    half = np.ones((len(corners), 1))
    solved = linprog(
        [0.0, 0.0, 0.0, 1.0],
        A_ub=np.block([[design, -half], [-design, -half]]),
        b_ub=np.concatenate([corners[:, 2], -corners[:, 2]]),
        bounds=[(None, None)] * 3 + [(0.0, None)],
        method='highs',
    )
    if solved.x is None:
        raise UnmeasurableError('no two parallel planes hold its surface', len(corners))
    half_width = np.asarray(solved.x, dtype=np.float64)[3]
    return 2.0 * float(half_width) * _UNIT_M


def least_squares_range(heights: Floats, in_plane: Floats) -> Floats:
    """(...,) peak to valley of (..., N) heights over (N, 2) places about their own planes."""
    design = np.column_stack([np.ones(len(in_plane)), in_plane - in_plane.mean(axis=0)])
    basis = np.linalg.qr(design)[0]
    residuals = heights - (heights @ basis) @ basis.T
    spans: Floats = np.ptp(residuals, axis=-1)
    return spans


def _hull(scaled: Points) -> NDArray[np.intp]:
    try:
        return np.asarray(ConvexHull(scaled).vertices, dtype=np.intp)
    except QhullError:  # all in one plane: its zone has no width, and few points no hull
        return np.arange(len(scaled), dtype=np.intp)
