"""Scans of one part brought onto the reference: one surface with its deviations.

Several scans (other presentations) are registered together: each is placed by its own robot's
pose, and one correction fits all of them, as a part that lies askew in the gripper does. So a
scan that alone would leave a direction open is held by the others. Each scan is then refined by
itself in the directions that it determines: robots do not reach every pose alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Points, Transform, invert, transform_points
from inspection_cell.sections.surface import Registration, Surface
from inspection_cell.surface.blocks import in_turn, shared
from inspection_cell.surface.deviation import DeviationField, Deviations
from inspection_cell.surface.registration import Registered, in_box, placed, register

_BACKWARDS = -0.3  # cosine to the line of sight: this surface cannot be seen
_TOLD_MM = 0.01  # movements of scans against each other
_FIRMLY = 2e-2  # observability of directions that a scan which may slide is trusted with
_MOST_BACKWARDS = 0.1  # share of points that may face away from the sensor that saw them


@dataclass(frozen=True, slots=True)
class Cloud:
    """One scan.

    Attributes:
        points: (N, 3) in its own frame, metres, finite.
        transform_scan_to_part: as the robot tells it.
        sensor: (3,) where the scanner stood, in the scan's frame; None: not known.
    """

    points: NDArray[np.floating]
    transform_scan_to_part: Transform
    sensor: Points | None = None


@dataclass(frozen=True, slots=True)
class Aligned:
    """Scans on the reference.

    Attributes:
        registered: of all together; its transform is that of the first scan.
        transforms_scan_to_part: of each scan.
        deviations: of all points near the part; none unless registered.
        stations: (S, 3) where the scanners stood, part frame; None where that is not known.
        station_of: (N,) which scan saw each point, one scan after the other.
    """

    registered: Registered
    transforms_scan_to_part: tuple[Transform, ...]
    deviations: Deviations
    stations: Points | None = None
    station_of: NDArray[np.intp] | None = None

    @property
    def by_scan(self) -> tuple[Deviations, ...]:
        """The deviations of each scan."""
        if self.station_of is None or len(self.transforms_scan_to_part) == 1:
            return (self.deviations,)
        ends = np.searchsorted(self.station_of, np.arange(len(self.transforms_scan_to_part) + 1))
        return tuple(self.deviations.part(slice(begin, end)) for begin, end in pairwise(ends))

    @property
    def sensors(self) -> NDArray[np.floating] | None:
        """(1, 3) or (N, 3): where the scanner of each point stood, part frame."""
        if self.stations is None or self.station_of is None or len(self.stations) == 1:
            return self.stations
        return self.stations[self.station_of]

    def sensors_of(self, rows: NDArray[np.intp]) -> NDArray[np.floating] | None:
        """(1, 3) or (R, 3): where the scanners of some points stood, part frame."""
        if self.stations is None or self.station_of is None or len(self.stations) == 1:
            return self.stations
        return self.stations[self.station_of[rows]]


def align(clouds: Sequence[Cloud], field: DeviationField, surface: Surface) -> Aligned:
    """Register scans of one part together and measure their deviations.

    Args:
        clouds: at least one scan.
        field: of the reference.
        surface: limits of registration, and what is surroundings.
    """
    registered, poses = _registered(clouds, field, surface)
    if not registered.ok:
        return not_aligned(field, registered)
    pieces = [
        _near(cloud.points, pose, field, surface.crop_mm)
        for cloud, pose in zip(clouds, poses, strict=True)
    ]
    deviations = field.compare(pieces[0] if len(pieces) == 1 else np.concatenate(pieces))
    station_of = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
    deviations, station_of = _cropped(deviations, station_of, surface.crop_mm)
    unfit = _unfit(deviations, station_of, len(pieces), surface.registration)
    if unfit:
        return not_aligned(field, replace(registered, reason=unfit))
    aligned = Aligned(registered, poses, deviations, _stations(clouds, poses), station_of)
    if aligned.stations is None:
        return aligned
    backwards = _backwards_share(aligned)
    if backwards > _MOST_BACKWARDS:
        why = (
            f'{backwards:.0%} of the scan shows surface that looks away from the scanner, at most '
            f'{_MOST_BACKWARDS:.0%} is expected: a thin wall is bent through, or the points are '
            "not in the scanner's own frame (surface.viewpoint)"
        )
        return not_aligned(field, replace(registered, reason=why))
    return replace(aligned, deviations=_from_the_front(aligned, field))


def not_aligned(field: DeviationField, registered: Registered) -> Aligned:
    """Scans that say nothing but why."""
    pose = registered.transform_scan_to_part
    return Aligned(registered, (pose,), field.measure(np.empty((0, 3))))


def cosines(
    points: NDArray[np.floating], normals: NDArray[np.floating], sensors: NDArray[np.floating]
) -> NDArray[np.floating]:
    """(N,) of the angles between normals and the lines of sight to sensors (1, 3) or (N, 3)."""
    sight = sensors.astype(points.dtype) - points
    lengths = np.sqrt(np.einsum('ij,ij->i', sight, sight))
    result: NDArray[np.floating] = np.einsum('ij,ij->i', normals, sight) / lengths
    return result


def _registered(
    clouds: Sequence[Cloud], field: DeviationField, surface: Surface
) -> tuple[Registered, tuple[Transform, ...]]:
    first = clouds[0]
    limits, crop_mm = surface.registration, surface.crop_mm
    if len(clouds) == 1:
        found = register(first.points, first.transform_scan_to_part, field, limits, crop_mm)
        return found, (found.transform_scan_to_part,)
    placed = [transform_points(cloud.transform_scan_to_part, cloud.points) for cloud in clouds]
    together = register(np.concatenate(placed), np.eye(4), field, limits, crop_mm)
    correction = together.transform_scan_to_part
    poses = tuple(correction @ cloud.transform_scan_to_part for cloud in clouds)
    if together.ok:
        common = poses
        poses = tuple(
            _alone(cloud.points, pose, field, surface)
            for cloud, pose in zip(clouds, poses, strict=True)
        )
        together = together.noted(_moved_apart(common, poses, field))
    return replace(together, transform_scan_to_part=poses[0]), poses


def _moved_apart(
    common: Sequence[Transform], own: Sequence[Transform], field: DeviationField
) -> str:
    """By how much scans were moved against each other, in words; empty for next to nothing.

    Lengths between surfaces that no one scan shows together are known no better than this.
    """
    moved = np.stack(
        [
            transform_points(pose @ invert(before), field.reference.corners)
            for before, pose in zip(common, own, strict=True)
        ]
    )
    apart_mm = 1e3 * float(np.linalg.norm(moved[:, None] - moved[None], axis=-1).max())
    if apart_mm < _TOLD_MM:
        return ''
    return f'its scans were moved by up to {apart_mm:.2f} mm against each other'


def _alone(
    points: NDArray[np.floating], pose: Transform, field: DeviationField, surface: Surface
) -> Transform:
    """The scan's own best pose, moved from the common one where it determines that."""
    given = (points, pose, field, surface.registration, surface.crop_mm)
    alone = register(*given)
    if alone.slides:
        alone = register(*given, least_held=_FIRMLY)
    return alone.transform_scan_to_part if alone.ok or alone.slides else pose


def _unfit(
    deviations: Deviations, scan_of: NDArray[np.intp], scans: int, limits: Registration
) -> str:
    """Why one of several scans does not fit where the others lie; empty when all do.

    Many points of good scans would hide few of a bad one.
    """
    if scans == 1:
        return ''
    explained = np.abs(deviations.signed_m) <= limits.inlier_mm / 1e3
    counts = np.maximum(np.bincount(scan_of, minlength=scans), 1)
    shares = np.bincount(scan_of, weights=explained, minlength=scans) / counts
    worst = int(np.argmin(shares))
    if shares[worst] >= limits.min_explained:
        return ''
    return (
        f'the reference explains {shares[worst]:.0%} of scan {worst + 1} of {scans} within '
        f'{limits.inlier_mm:g} mm where the others place it; at least '
        f'{limits.min_explained:.0%} is demanded'
    )


def _near(
    points: NDArray[np.floating], pose: Transform, field: DeviationField, crop_mm: float
) -> NDArray[np.float32]:
    """Points (N, 3) that may belong to the part, part frame."""
    points_part = np.empty(points.shape, dtype=np.float32)
    near = np.empty(len(points), dtype=np.bool_)

    def place(rows: slice) -> None:
        points_part[rows] = placed(pose, points[rows])
        near[rows] = in_box(points_part[rows], field.reference, crop_mm)

    shared(place, len(points))
    return points_part if near.all() else points_part[near]


def _cropped(
    deviations: Deviations, station_of: NDArray[np.intp], crop_mm: float
) -> tuple[Deviations, NDArray[np.intp]]:
    """Without surroundings: what lies farther outside the material than `crop_mm`."""
    near = deviations.signed_m <= crop_mm / 1e3
    if near.all():
        return deviations, station_of
    return deviations.part(near), station_of[near]


def _from_the_front(aligned: Aligned, field: DeviationField) -> Deviations:
    """Deviations of points that lie nearer to a far side: measured from the side that was seen.

    The floor of a dent in a thin wall is near the wall's other side, which would explain it. No
    scanner sees a surface from behind: where its line of sight entered the reference before, the
    point is that much too deep.
    """
    deviations, sensors = aligned.deviations, aligned.sensors
    if sensors is None:
        return deviations
    behind = _backwards(deviations, sensors)
    if len(behind) == 0:
        return deviations
    points = deviations.points[behind].astype(np.float64)
    origins = sensors[behind] if len(sensors) > 1 else sensors
    entered, entries, faces = field.reference.entered(origins.astype(np.float64), points)
    rows, normals = behind[entered], field.reference.normals[faces]
    depth_m = np.einsum('ij,ij->i', points[entered] - entries, normals)
    signed_m, outward = deviations.signed_m.copy(), deviations.outward.copy()
    signed_m[rows], outward[rows] = depth_m, normals
    return replace(deviations, signed_m=signed_m, outward=outward)


def _backwards(deviations: Deviations, sensors: NDArray[np.floating]) -> NDArray[np.intp]:
    """Rows of the points on surface that looks away from its sensor."""
    away = np.empty(len(deviations.points), dtype=np.bool_)

    def look(rows: slice) -> None:
        along = np.zeros(1, dtype=deviations.outward.dtype)
        for axis in range(3):  # by columns, and without roots: few are left
            stood = sensors[rows, axis] if len(sensors) > 1 else sensors[:, axis]
            sight = stood.astype(along.dtype) - deviations.points[rows, axis]
            along = along + sight * deviations.outward[rows, axis]
        away[rows] = along < 0

    in_turn(look, len(away))
    rows = np.flatnonzero(away & ~deviations.beyond_border)
    own = sensors[rows] if len(sensors) > 1 else sensors
    facing = cosines(deviations.points[rows], deviations.outward[rows], own)
    return rows[facing < _BACKWARDS]


def _stations(clouds: Sequence[Cloud], poses: Sequence[Transform]) -> Points | None:
    stood = [
        transform_points(pose, cloud.sensor[None])[0]
        for cloud, pose in zip(clouds, poses, strict=True)
        if cloud.sensor is not None
    ]
    return np.array(stood) if len(stood) == len(clouds) else None


def _backwards_share(aligned: Aligned) -> float:
    """Share of points that would have been seen from behind, from where the scanners stood."""
    deviations = aligned.deviations
    if aligned.stations is None or aligned.station_of is None or not len(deviations.points):
        return 0.0
    some = slice(None, None, max(len(deviations.points) // 5000, 1))
    sensors = aligned.stations[aligned.station_of[some]]
    facing = cosines(deviations.points[some], deviations.outward[some], sensors)
    return float(np.mean(facing < 0))
