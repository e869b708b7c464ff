"""Refinement of the robot's pose: robust point-to-plane registration that refuses to guess.

Gauss-Newton on signed distances, with Tukey weights whose width follows their spread. Directions
that the scan does not determine stay at the robot's pose.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from inspection_cell.geometry import Points, Transform, inside_box, rigid, transform_points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.distance_grid import Looked
from inspection_cell.surface_file import Registration

MIN_POINTS = 200
COARSE_POINTS = 1000
FINE_POINTS = 8_000
_LOOKED_AT = 50_000  # points of the whole scan, from which those near the part are chosen
ITERATIONS = 25
COARSE_STOP_M, FINE_STOP_M = 1e-5, 1e-7
WORTH_REFINING = 0.8  # of the share of points that must be explained
# Eigenvalues of the normal equations per point, lengths in units of the part's radius: a direction
# with less than this is held by fewer than 2 in 1000 points.
MIN_OBSERVABILITY = 2e-3
COARSEST = 0.05  # inlier distance as a share of the part's diagonal: coarser proves nothing
_HELD = 1e-4  # below, a direction is not moved at all
_NARROWEST_M = 0.1e-3  # least width of the weights: no scan is that much better


@dataclass(frozen=True, slots=True)
class Registered:
    """Where the scan lies on the reference, how well it fits, and why not if it does not.

    Attributes:
        transform_scan_to_part: refined; maps the given points onto the reference.
        explained: share of the points near enough to the reference.
        residual_mm: root mean square distance of the explained points.
        shift_mm: how far the part's centre moved from the robot's pose.
        rotation_deg: how far the part turned from the robot's pose.
        observability: smallest eigenvalue of the normal equations among the directions that the
            reference's shape determines.
        reason: empty when the scan is registered, else what was expected and what came.
        note: what is to be known about the pose, such as a symmetry of the part.
    """

    transform_scan_to_part: Transform
    explained: float = 0.0
    residual_mm: float = 0.0
    shift_mm: float = 0.0
    rotation_deg: float = 0.0
    observability: float = 0.0
    reason: str = ''
    note: str = ''

    @property
    def ok(self) -> bool:
        """Whether the scan is registered."""
        return not self.reason


def register(
    points: NDArray[np.floating],
    transform_scan_to_part: Transform,
    field: DeviationField,
    limits: Registration,
    crop_mm: float,
) -> Registered:
    """Refine a pose and judge the result.

    Args:
        points: (N, 3) in the scan's frame, metres, finite.
        transform_scan_to_part: the pose to start from.
        field: of the reference.
        limits: when the scan counts as registered.
        crop_mm: points farther than this from the reference at the start are surroundings.
    """
    if len(points) < MIN_POINTS:
        reason = f'the scan has {len(points)} points; at least {MIN_POINTS} are needed'
        return Registered(transform_scan_to_part, reason=reason)
    too_small = too_small_to_tell(field.reference, limits.inlier_mm)
    if too_small:
        return Registered(transform_scan_to_part, reason=too_small)
    some = transform_points(transform_scan_to_part, thinned(points, _LOOKED_AT))
    some = some[in_box(some, field.reference, crop_mm)]
    sampled = thinned(some, FINE_POINTS)
    sampled = sampled[np.abs(field.look(sampled).signed_m) <= crop_mm / 1e3]
    if len(sampled) < MIN_POINTS:
        share = len(points) / min(len(points), _LOOKED_AT)
        reason = _far_away(points, round(len(sampled) * share), field.reference, crop_mm)
        return Registered(transform_scan_to_part, reason=reason)
    coarse = thinned(sampled, COARSE_POINTS)
    correction = refine(coarse, np.eye(4), field, stop_m=COARSE_STOP_M)
    fitted = _fit(coarse, correction, transform_scan_to_part, field, limits)
    # What is far from fitting is refused at once: far points are slow to measure.
    if fitted.explained >= WORTH_REFINING * limits.min_explained:
        correction = refine(sampled, correction, field)
        fitted = _fit(sampled, correction, transform_scan_to_part, field, limits)
    return _judged(fitted, limits)


def in_box(
    points_part: NDArray[np.floating], reference: ReferenceMesh, margin_mm: float
) -> NDArray[np.bool_]:
    """(N,) which points lie in the reference's bounding box widened by a margin."""
    low, high = reference.bounds_m
    margin_m = margin_mm / 1e3
    kind = points_part.dtype
    return inside_box(points_part, (low - margin_m).astype(kind), (high + margin_m).astype(kind))


def thinned(points: NDArray[np.floating], count: int) -> Points:
    """About `count` of the rows (N, 3), spread evenly over their order."""
    rows = np.linspace(0, len(points) - 1, min(count, len(points))).astype(np.intp)
    return np.asarray(points[rows], dtype=np.float64)


def refine(
    points: NDArray[np.floating],
    start: Transform,
    field: DeviationField,
    stop_m: float = FINE_STOP_M,
) -> Transform:
    """Best `transform_scan_to_part` near `start` for (N, 3) points, by Gauss-Newton.

    Ends when a step moves nothing by more than about `stop_m`, or after `ITERATIONS`.
    """
    pose = start
    centre, radius_m = centre_and_radius(field.reference)
    for _ in range(ITERATIONS):
        moved = transform_points(pose, points)
        looked = field.look(moved)
        weights = tukey_weights(looked.signed_m)
        jacobian = distance_jacobian(moved, looked.gradient, centre, radius_m)
        weighted = jacobian * weights[:, None]
        values, vectors = np.linalg.eigh(weighted.T @ jacobian / weights.sum())
        gradient = weighted.T @ looked.signed_m / weights.sum()
        free = values > _HELD
        step = -vectors[:, free] @ ((vectors[:, free].T @ gradient) / values[free])
        pose = moved_pose(pose, step, centre, radius_m)
        if np.abs(step).max() < stop_m:
            break
    return pose


def _fit(
    points: Points,
    correction: Transform,
    start: Transform,
    field: DeviationField,
    limits: Registration,
) -> Registered:
    moved = transform_points(correction, points)
    looked = field.look(moved)
    signed_m = looked.signed_m.astype(np.float64)
    explained = np.abs(signed_m) <= limits.inlier_mm / 1e3
    residual = signed_m[explained] if explained.any() else np.array([np.inf])
    centre, _ = centre_and_radius(field.reference)
    shift = transform_points(correction, centre[None])[0] - centre
    angle_rad = Rotation.from_matrix(correction[:3, :3]).magnitude()
    return Registered(
        transform_scan_to_part=correction @ start,
        explained=float(explained.mean()),
        residual_mm=float(np.sqrt(np.mean(residual**2)) * 1e3),
        shift_mm=float(np.linalg.norm(shift) * 1e3),
        rotation_deg=float(np.degrees(angle_rad)),
        observability=weakest_direction(moved, looked, field.reference),
    )


def _judged(fit: Registered, limits: Registration) -> Registered:
    checks = (
        (
            fit.explained < limits.min_explained,
            f'the reference explains {fit.explained:.0%} of the scan within '
            f'{limits.inlier_mm:g} mm; at least {limits.min_explained:.0%} is demanded',
        ),
        (
            fit.residual_mm > limits.max_residual_mm,
            f'residual {fit.residual_mm:.3f} mm; at most {limits.max_residual_mm:g} mm is allowed',
        ),
        (
            fit.shift_mm > limits.max_shift_mm,
            f"the part lies {fit.shift_mm:.1f} mm from the robot's pose; at most "
            f'{limits.max_shift_mm:g} mm is allowed',
        ),
        (
            fit.rotation_deg > limits.max_rotation_deg,
            f"the part is turned {fit.rotation_deg:.1f}° from the robot's pose; at most "
            f'{limits.max_rotation_deg:g}° is allowed',
        ),
    )
    reason = '; '.join(text for failed, text in checks if failed)
    if not reason and fit.observability < MIN_OBSERVABILITY:
        reason = (
            f'the scan does not determine the pose: weakest direction {fit.observability:.1e}, '
            f'at least {MIN_OBSERVABILITY:.0e} is demanded'
        )
    return Registered(
        fit.transform_scan_to_part,
        fit.explained,
        fit.residual_mm,
        fit.shift_mm,
        fit.rotation_deg,
        fit.observability,
        reason,
    )


def weakest_direction(points: Points, looked: Looked, reference: ReferenceMesh) -> float:
    """Weakest direction of the scan, directions in which the reference is symmetric aside.

    Only points that fit count: what hangs over an edge determines nothing.
    """
    weights = tukey_weights(looked.signed_m)
    centre, radius_m = centre_and_radius(reference)
    jacobian = distance_jacobian(points, looked.gradient, centre, radius_m)
    values, vectors = np.linalg.eigh((jacobian * weights[:, None]).T @ jacobian / weights.sum())
    whole = distance_jacobian(reference.samples, reference.sample_normals, centre, radius_m)
    determined = ((whole @ vectors) ** 2).mean(axis=0) >= MIN_OBSERVABILITY
    return float(values[determined].min()) if determined.any() else 1.0


def centre_and_radius(reference: ReferenceMesh) -> tuple[NDArray[np.float64], float]:
    """The middle (3,) of the part's box and the length that turns are measured by, metres."""
    low, high = reference.bounds_m
    centre: NDArray[np.float64] = (low + high) / 2
    return centre, reference.diagonal_m / 4


def distance_jacobian(
    points: Points, normals: NDArray[np.floating], centre: NDArray[np.float64], radius_m: float
) -> NDArray[np.float64]:
    """(N, 6) change of the distances by turning (per radius, metres) and shifting (metres)."""
    lever = (points - centre) / radius_m
    return np.concatenate([np.cross(lever, normals), normals], axis=1)


def tukey_weights(distances_m: NDArray[np.floating]) -> NDArray[np.float64]:
    """(N,) Tukey's biweight with a width that follows the spread of the distances."""
    width_m = max(4.685 * 1.4826 * float(np.median(np.abs(distances_m))), _NARROWEST_M)
    weights: NDArray[np.float64] = (1 - np.minimum(np.abs(distances_m) / width_m, 1) ** 2) ** 2
    return weights


def moved_pose(
    pose: Transform, step: NDArray[np.float64], centre: NDArray[np.float64], radius_m: float
) -> Transform:
    """The pose after a step (6,) as `distance_jacobian` counts it."""
    rotation = Rotation.from_rotvec(step[:3] / radius_m).as_matrix()
    return rigid(rotation, centre + step[3:] - rotation @ centre) @ pose


def too_small_to_tell(reference: ReferenceMesh, inlier_mm: float) -> str:
    """Why an inlier distance is too coarse for a part; empty when it is not."""
    if inlier_mm / 1e3 <= COARSEST * reference.diagonal_m:
        return ''
    return (
        f'the reference is {reference.diagonal_m * 1e3:.3g} mm across: too small to tell with '
        f'inlier_mm {inlier_mm:g}; are its units right?'
    )


def _far_away(
    points: NDArray[np.floating], near: int, reference: ReferenceMesh, crop_mm: float
) -> str:
    extent_m = float(np.linalg.norm(np.ptp(np.percentile(points, [1, 99], axis=0), axis=0)))
    return (
        f"only {near} of the scan's {len(points)} points lie within {crop_mm:g} mm of the part "
        f'at its expected pose, at least {MIN_POINTS} are needed '
        f'(the scan extends {extent_m:.3g} m, the part {reference.diagonal_m:.3g} m)'
    )
