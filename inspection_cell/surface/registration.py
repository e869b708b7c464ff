"""Refinement of the robot's pose: registration that refuses to guess."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from inspection_cell.geometry import Points, Transform, inside_box, transform_points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.surface import Registration
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.refinement import (
    LEAST_HELD,
    MIN_OBSERVABILITY,
    centre_and_radius,
    hold,
    refine,
)

MIN_POINTS = 200
COARSE_POINTS = 1000
FINE_POINTS = 8_000
_LOOKED_AT = 50_000  # points of the whole scan, from which those near the part are chosen
_MEASURED = 20_000  # points that tell how far a scan extends
_COARSE_STOP_M = 2e-5
WORTH_REFINING = 0.8  # of the share of points that must be explained
COARSEST = 0.05  # inlier distance as a share of the part's diagonal: coarser proves nothing


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
        slides: the scan fits, and `reason` is only that it leaves a direction open.
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
    slides: bool = False

    @property
    def ok(self) -> bool:
        """Whether the scan is registered."""
        return not self.reason

    def noted(self, note: str) -> 'Registered':
        """The same, with one more note."""
        return replace(self, note='; '.join(filter(None, (self.note, note))))


def register(
    points: NDArray[np.floating],
    transform_scan_to_part: Transform,
    field: DeviationField,
    limits: Registration,
    crop_mm: float,
    least_held: float = LEAST_HELD,
) -> Registered:
    """Refine a pose and judge the result.

    Args:
        points: (N, 3) in the scan's frame, metres, finite.
        transform_scan_to_part: the pose to start from.
        field: of the reference.
        limits: when the scan counts as registered.
        crop_mm: points farther than this from the reference are surroundings.
        least_held: directions that the points hold less firmly stay as they are.
    """
    if len(points) < MIN_POINTS:
        reason = f'the scan has {len(points)} points; at least {MIN_POINTS} are needed'
        return Registered(transform_scan_to_part, reason=reason)
    too_small = too_small_to_tell(field.reference, limits.inlier_mm)
    if too_small:
        return Registered(transform_scan_to_part, reason=too_small)
    some = placed(transform_scan_to_part, points[:: max(1, len(points) // _LOOKED_AT)])
    boxed = some[in_box(some, field.reference, crop_mm)]
    for count in (COARSE_POINTS, FINE_POINTS):
        coarse = thinned(boxed, count)
        coarse = coarse[_near(coarse, field, crop_mm)]
        if len(coarse) >= MIN_POINTS:
            break
    else:
        share = len(coarse) / max(min(count, len(boxed)), 1) * len(boxed) / len(some)
        reason = _far_away(points, round(len(points) * share), field.reference, crop_mm)
        return Registered(transform_scan_to_part, reason=reason)
    coarse = thinned(coarse, COARSE_POINTS)
    correction = refine(coarse, np.eye(4), field, _COARSE_STOP_M, least_held)
    fitted = _fit(coarse, correction, transform_scan_to_part, field, limits)
    # What is far from fitting is refused at once: far points are slow to measure.
    if fitted.explained >= WORTH_REFINING * limits.min_explained:
        fine = thinned(boxed, FINE_POINTS)
        fine = fine[_near(transform_points(correction, fine), field, crop_mm)]
        correction = refine(fine, correction, field, least_held=least_held)
        fitted = _fit(fine, correction, transform_scan_to_part, field, limits)
    return _judged(fitted, limits)


def placed(transform_a_to_b: Transform, points_a: NDArray[np.floating]) -> NDArray[np.float32]:
    """Map (N, 3) points from frame a to frame b, as 32 bits: nanometres here.

    Written out: threads for products this small wait for each other on a busy machine.
    """
    x, y, z = (points_a[:, axis].astype(np.float32, copy=False) for axis in range(3))
    points_b = np.empty((len(points_a), 3), dtype=np.float32)
    for axis, (a, b, c, shift) in enumerate(transform_a_to_b[:3].astype(np.float32)):
        points_b[:, axis] = a * x + b * y + c * z + shift
    return points_b


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


def extent_m(points: NDArray[np.floating]) -> float:
    """Diagonal of the box around all but the outermost of points (N, 3), metres."""
    low, high = np.percentile(thinned(points, _MEASURED), [1, 99], axis=0)
    return float(np.linalg.norm(high - low))


def _near(points: Points, field: DeviationField, crop_mm: float) -> NDArray[np.bool_]:
    """(N,) which points lie near enough to the surface to belong to the part."""
    near: NDArray[np.bool_] = np.abs(field.look(points).signed_m) <= crop_mm / 1e3
    return near


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
        observability=hold(moved, looked, field.reference).weakest(field.reference),
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
    slides = not reason and fit.observability < MIN_OBSERVABILITY
    if slides:
        reason = (
            f'the scan does not determine the pose: weakest direction {fit.observability:.1e}, '
            f'at least {MIN_OBSERVABILITY:.0e} is demanded'
        )
    return replace(fit, reason=reason, slides=slides)


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
    return (
        f"only {near} of the scan's {len(points)} points lie within {crop_mm:g} mm of the part "
        f'at its expected pose, at least {MIN_POINTS} are needed '
        f'(the scan extends {extent_m(points):.3g} m, the part {reference.diagonal_m:.3g} m)'
    )
