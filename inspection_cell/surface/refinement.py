"""Robust point-to-plane refinement of a pose, and how firmly the points hold it.

Gauss-Newton on signed distances, with Tukey weights whose width follows their spread. Directions
that the scan does not determine stay where they were.
"""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Points, Transform, rigid, transform_points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.distance_grid import Looked

ITERATIONS = 25
FINE_STOP_M = 5e-7
# Eigenvalues of the normal equations per point, lengths in units of the part's radius: a direction
# with less than this is held by fewer than 2 in 1000 points. For first guesses and for parts in
# scenes, which are believed at once; the search without a first guess may do with less, because it
# tries whether the scan fits as well when it is slid along the weakest direction. A first guess
# cannot be tried so: that needs the noise and, to be decisive, what the scan should have shown.
MIN_OBSERVABILITY = 2e-3
LEAST_HELD = 1e-4  # below, a direction is not moved at all
_NARROWEST_M = 0.1e-3  # least width of the weights: no scan is that much better


@dataclass(frozen=True, slots=True)
class Hold:
    """How points hold a pose: the weighted normal equations per point, by their directions.

    Attributes:
        values: (6,) how firmly each direction is held, ascending.
        vectors: (6, 6) the directions as columns: turns (per radius, metres), shifts (metres).
        gradient: (6,) of the distances, metres.
    """

    values: NDArray[np.float64]
    vectors: NDArray[np.float64]
    gradient: NDArray[np.float64]

    def step(self, least_held: float = LEAST_HELD) -> NDArray[np.float64]:
        """(6,) to the best pose, along the directions that are held more firmly than this."""
        free = self.values > least_held
        vectors = self.vectors[:, free]
        along: NDArray[np.float64] = -vectors @ ((vectors.T @ self.gradient) / self.values[free])
        return along

    def weakest(self, reference: ReferenceMesh) -> float:
        """The least of `values`, directions in which the reference is symmetric aside."""
        whole = np.einsum('ij,ik,kj->j', self.vectors, _of_whole(reference), self.vectors)
        determined = whole >= MIN_OBSERVABILITY
        return float(self.values[determined].min()) if determined.any() else 1.0


def hold(points: Points, looked: Looked, reference: ReferenceMesh) -> Hold:
    """How points (N, 3), looked up in the part frame, hold their pose.

    Only points that fit count: what hangs over an edge determines nothing.
    """
    weights = _tukey_weights(looked.signed_m)
    return hold_along(points, looked.gradient, looked.signed_m, weights, reference)


def hold_along(
    points: Points,
    normals: NDArray[np.floating],
    distances_m: NDArray[np.floating],
    weights: NDArray[np.float64],
    reference: ReferenceMesh,
) -> Hold:
    """How points hold their pose by their distances along directions.

    Args:
        points: (N, 3) part frame.
        normals: (N, 3) unit, in which the distances are measured.
        distances_m: (N,) of the points from the surface.
        weights: (N,) of the points.
        reference: tells the lengths that turns are measured by.
    """
    jacobian = _jacobian(points, normals, reference)
    weighted = jacobian * (weights / weights.sum())
    # einsum: threads for products this small wait for each other on a busy machine.
    values, vectors = np.linalg.eigh(np.einsum('in,jn->ij', weighted, jacobian))
    return Hold(values, vectors, np.einsum('in,n->i', weighted, distances_m))


def refine(
    points: NDArray[np.floating],
    start: Transform,
    field: DeviationField,
    stop_m: float = FINE_STOP_M,
    least_held: float = LEAST_HELD,
) -> Transform:
    """Best `transform_scan_to_part` near `start` for (N, 3) points, by Gauss-Newton.

    Ends when a step moves nothing by more than about `stop_m`, or after `ITERATIONS`. Directions
    that the points hold less than `least_held` stay as they are.
    """
    pose = start
    for _ in range(ITERATIONS):
        moved = transform_points(pose, points)
        step = hold(moved, field.look(moved), field.reference).step(least_held)
        pose = moved_pose(pose, step, field.reference)
        if np.abs(step).max() < stop_m:
            break
    return pose


def moved_pose(pose: Transform, step: NDArray[np.float64], reference: ReferenceMesh) -> Transform:
    """The pose after a step (6,) along directions as `Hold` counts them."""
    centre, radius_m = centre_and_radius(reference)
    rotation = cv2.Rodrigues(step[:3] / radius_m)[0]
    return rigid(rotation, centre + step[3:] - rotation @ centre) @ pose


def centre_and_radius(reference: ReferenceMesh) -> tuple[NDArray[np.float64], float]:
    """The middle (3,) of the part's box and the length that turns are measured by, metres."""
    low, high = reference.bounds_m
    centre: NDArray[np.float64] = (low + high) / 2
    return centre, reference.diagonal_m / 4


def _jacobian(
    points: Points, normals: NDArray[np.floating], reference: ReferenceMesh
) -> NDArray[np.float64]:
    """(6, N) change of the distances by turning (per radius, metres) and shifting (metres)."""
    centre, radius_m = centre_and_radius(reference)
    x, y, z = ((points - centre) / radius_m).T
    a, b, c = normals.T
    return np.stack([y * c - z * b, z * a - x * c, x * b - y * a, a, b, c], dtype=np.float64)


def _tukey_weights(distances_m: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N,) Tukey's biweight with a width that follows the spread of the distances."""
    away = np.abs(distances_m).astype(np.float64)
    median_m = float(np.partition(away, len(away) // 2)[len(away) // 2])
    width_m = max(4.685 * 1.4826 * median_m, _NARROWEST_M)
    weights: NDArray[np.float64] = (1 - np.minimum(away / width_m, 1) ** 2) ** 2
    return weights


@lru_cache(maxsize=4)
def _of_whole(reference: ReferenceMesh) -> NDArray[np.float64]:
    """(6, 6) normal equations of the whole surface, per sample."""
    whole = _jacobian(reference.samples, reference.sample_normals, reference)
    matrix: NDArray[np.float64] = whole @ whole.T / whole.shape[1]
    return matrix
