"""Planes by robust total least squares, with the covariance of what was fitted."""

from dataclasses import dataclass

import numpy as np

from inspection_cell.geometry import Points
from inspection_cell.surface.features.measured import inverse
from inspection_cell.surface.features.robust import (
    Floats,
    design_effect,
    scale_of,
    tukey_weights,
)

_ITERATIONS = 8
_CELLS = 10  # neighbourhoods along the longer side, for the design effect


@dataclass(frozen=True, slots=True)
class Plane:
    """A plane of the part.

    Attributes:
        point_m: (3,) its representative point, part frame.
        direction: (3,) unit normal, out of the material.
        axes: (3, 3) columns: two directions in the plane, and the normal.
        covariance: (3, 3) of its height at `centre_m` and its two slopes, m² and 1.
        centre_m: (3,) the middle of the points that it was fitted to, in the plane.
        points: how many there were.
    """

    point_m: Floats
    direction: Floats
    axes: Floats
    covariance: Floats
    centre_m: Floats
    points: int

    def displacement_variance(self, at_m: Floats, along: Floats) -> float:
        """Variance of where the plane passes near a point, along a unit direction, m²."""
        u, v, _ = (at_m - self.centre_m) @ self.axes
        leverage = np.array([1.0, u, v])
        return float((along @ self.direction) ** 2 * (leverage @ self.covariance @ leverage))

    def direction_covariance(self) -> Floats:
        """(3, 3) of the unit normal, part frame."""
        across = self.axes[:, :2]
        covariance: Floats = across @ self.covariance[1:, 1:] @ across.T
        return covariance


def frame_of(normal: Floats) -> Floats:
    """(3, 3) right-handed columns, the last of which is the given unit direction."""
    helper = np.eye(3)[np.argmin(np.abs(normal))]
    first = np.cross(helper, normal)
    first /= np.linalg.norm(first)
    return np.column_stack([first, np.cross(normal, first), normal])


def fit_plane(points_part: Points, centre_m: Floats, normal: Floats) -> Plane:
    """The plane of points (N, 3) near a nominal one.

    Total least squares by the eigenvectors of the weighted scatter, reweighted by Tukey's
    biweight, so that flying points do not move it.

    Args:
        points_part: (N, 3) part frame, metres; at least 3, not in a line.
        centre_m: (3,) a point of the nominal plane; its foot becomes `point_m`.
        normal: (3,) nominal outward unit normal.
    """
    origin = points_part.mean(axis=0)
    offsets = points_part - origin
    heights = offsets @ normal
    heights -= np.median(heights)
    foot, fitted = np.zeros(3), normal
    for _ in range(_ITERATIONS):
        weights = tukey_weights(heights, scale_of(heights))
        total = weights.sum()
        foot = weights @ offsets / total
        scatter = (offsets * weights[:, None]).T @ offsets - total * np.outer(foot, foot)
        before, fitted = fitted, np.linalg.eigh(scatter)[1][:, 0]
        fitted = fitted if fitted @ normal > 0.0 else -fitted
        heights = (offsets - foot) @ fitted
        if np.linalg.norm(fitted - before) < 1e-7:
            break
    axes = frame_of(fitted)
    in_plane = (offsets - foot) @ axes[:, :2]
    covariance = _covariance(in_plane, heights, tukey_weights(heights, scale_of(heights)))
    middle = origin + foot
    point = centre_m - fitted * float((centre_m - middle) @ fitted)
    return Plane(point, fitted, axes, covariance, middle, len(points_part))


def _covariance(in_plane: Floats, heights: Floats, weights: Floats) -> Floats:
    """(3, 3) of height and slopes, with correlated residuals counted as fewer points."""
    design = np.column_stack([np.ones(len(in_plane)), in_plane])
    normal_matrix = (design * weights[:, None]).T @ design
    low = in_plane.min(axis=0)
    cell = max(float(np.ptp(in_plane, axis=0).max()) / _CELLS, 1e-9)
    index = ((in_plane - low) / cell).astype(np.intp)
    cells = index[:, 0] * (_CELLS + 1) + index[:, 1]
    variance = scale_of(heights) ** 2 * design_effect(heights, weights, cells)
    covariance: Floats = inverse(normal_matrix, len(heights)) * variance
    return covariance
