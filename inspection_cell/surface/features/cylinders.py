"""Cylinders by robust geometric least squares, with the covariance of what was fitted."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Points
from inspection_cell.surface.features.measured import UnmeasurableError, inverse
from inspection_cell.surface.features.planes import frame_of
from inspection_cell.surface.features.robust import (
    Floats,
    design_effect,
    scale_of,
    tukey_weights,
)

_ITERATIONS = 30
_TURN_CELLS, _DEPTH_CELLS = 24, 3  # neighbourhoods on the wall, for the design effect


@dataclass(frozen=True, slots=True)
class Cylinder:
    """A cylinder of the part.

    Attributes:
        point_m: (3,) on the axis, in the middle of the nominal depth, part frame.
        direction: (3,) unit, along the axis as the recipe gives it.
        radius_m: of the least squares cylinder.
        axes: (3, 3) columns: two directions across the nominal axis, and that axis.
        covariance: (5, 5) of the axis' place across at `point_m`, its two slopes, its radius.
        points: how many it was fitted to.
    """

    point_m: Floats
    direction: Floats
    radius_m: float
    axes: Floats
    covariance: Floats
    points: int

    def displacement_covariance(self, at_m: Floats) -> Floats:
        """(2, 2) of where the axis passes at the height of a point, across the axis, m²."""
        along = float((at_m - self.point_m) @ self.axes[:, 2])
        jacobian = np.array([[1.0, 0.0, along, 0.0, 0.0], [0.0, 1.0, 0.0, along, 0.0]])
        covariance: Floats = jacobian @ self.covariance @ jacobian.T
        return covariance

    def displacement_variance(self, at_m: Floats, along: Floats) -> float:
        """Variance of where the axis passes near a point, along a unit direction, m²."""
        across = along @ self.axes[:, :2]
        return float(across @ self.displacement_covariance(at_m) @ across)

    def direction_covariance(self) -> Floats:
        """(3, 3) of the unit direction, part frame."""
        across = self.axes[:, :2]
        covariance: Floats = across @ self.covariance[2:4, 2:4] @ across.T
        return covariance


def fit_cylinder(points_part: Points, middle_m: Floats, axis: Floats, radius_m: float) -> Cylinder:
    """The cylinder of points (N, 3) near a nominal one.

    Gauss-Newton on the distance from the surface, reweighted by Tukey's biweight. The distance is
    geometric, not algebraic, so noise shifts the radius by σ²/2r only, and that is taken off
    (Al-Sharadqah and Chernov, "Error analysis for circle fitting algorithms", 2009).

    Args:
        points_part: (N, 3) on the wall, part frame, metres.
        middle_m: (3,) on the nominal axis, where the fitted axis is asked for.
        axis: (3,) nominal unit direction.
        radius_m: nominal radius.

    Raises:
        UnmeasurableError: when the points do not determine a cylinder.
    """
    axes = frame_of(axis)
    local = (points_part - middle_m) @ axes
    values = np.array([0.0, 0.0, 0.0, 0.0, radius_m])
    normal_matrix, weights = np.eye(5), np.ones(len(local))
    residuals = np.zeros(len(local))
    for _ in range(_ITERATIONS):
        residuals, jacobian = _linearised(local, values)
        weights = tukey_weights(residuals, scale_of(residuals))
        normal_matrix = (jacobian * weights[:, None]).T @ jacobian
        try:
            step = np.linalg.solve(normal_matrix, -jacobian.T @ (weights * residuals))
        except np.linalg.LinAlgError as error:
            raise UnmeasurableError('the points determine no cylinder', len(local)) from error
        values = values + step
        if np.abs(step).max() < 1e-8:
            break
    if not np.isfinite(values).all() or abs(values[4] - radius_m) > 0.5 * radius_m:
        raise UnmeasurableError('the points fit no cylinder near the nominal one', len(local))
    variance = scale_of(residuals) ** 2
    cells = _wall_cells(local)
    effect = design_effect(residuals, weights, cells)
    covariance = variance * effect * inverse(normal_matrix, len(local))
    radius = float(values[4]) - variance / (2.0 * float(values[4]))
    point = middle_m + axes[:, :2] @ values[:2]
    direction = axes @ np.array([values[2], values[3], 1.0])
    direction /= np.linalg.norm(direction)
    return Cylinder(point, direction, radius, axes, covariance, len(local))


def _linearised(local: Points, values: Floats) -> tuple[Floats, Floats]:
    """Residuals (N,) and their derivatives (N, 5) by place, slopes and radius."""
    across = local[:, :2] - values[:2] - local[:, 2:] * values[2:4]
    # A sloped axis shortens distances across it by the square of its slope alone.
    slope = values[2:4]
    turned = (across @ slope) / (1.0 + slope @ slope)
    foot = np.column_stack([across - turned[:, None] * slope, -turned])
    distance = np.maximum(np.linalg.norm(foot, axis=1), 1e-12)
    unit = foot[:, :2] / distance[:, None]
    along = local[:, 2:] + turned[:, None]
    jacobian = np.column_stack([-unit, -unit * along, -np.ones(len(local))])
    return distance - values[4], jacobian


def _wall_cells(local: Points) -> NDArray[np.intp]:
    turn = (np.arctan2(local[:, 1], local[:, 0]) + np.pi) / (2.0 * np.pi)
    low, high = local[:, 2].min(), local[:, 2].max()
    level = (local[:, 2] - low) / max(float(high - low), 1e-12)
    column = (turn * _TURN_CELLS).astype(np.intp).clip(max=_TURN_CELLS - 1)
    row = (level * _DEPTH_CELLS).astype(np.intp).clip(max=_DEPTH_CELLS - 1)
    cells: NDArray[np.intp] = column * _DEPTH_CELLS + row
    return cells
