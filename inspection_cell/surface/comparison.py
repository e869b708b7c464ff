"""A scan against the reference, from points and a first pose to regions and what was seen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Points, Transform, transform_points
from inspection_cell.surface.deviation import DeviationField, Deviations
from inspection_cell.surface.limits import Limits
from inspection_cell.surface.noise import Noise, estimate_noise
from inspection_cell.surface.patches import patches_of, spacing_m
from inspection_cell.surface.regions import Region, find_regions
from inspection_cell.surface.registration import Registered, in_box, register
from inspection_cell.surface.seen import seen_samples
from inspection_cell.surface_file import Surface

_MOST_BACKWARDS = 0.02  # share of points that may face away from the sensor that saw them


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a scan says about the part.

    Attributes:
        registered: pose and quality; where it holds a reason, the rest is empty.
        deviations: of the scan's points near the part.
        regions: outside their limits, largest peak first.
        seen: (M,) which of the reference's samples the scan shows.
        noise: of single points.
    """

    registered: Registered
    deviations: Deviations
    regions: tuple[Region, ...]
    seen: NDArray[np.bool_]
    noise: Noise


def compare(
    points: NDArray[np.floating],
    transform_scan_to_part: Transform,
    field: DeviationField,
    surface: Surface,
    limits: Limits,
    *,
    max_incidence_rad: float = np.pi / 2,
    sensor: NDArray[np.float64] | None = None,
) -> Comparison:
    """Register (N, 3) points in metres, compare them with the reference, and find regions.

    Args:
        points: of the scan, in its own frame.
        transform_scan_to_part: the pose to start from.
        field: of the reference.
        surface: limits of registration, and what is surroundings.
        limits: of deviations, by place.
        sensor: (3,) where the scanner stood, in the scan's frame, where that is known.
        max_incidence_rad: a sample seen under a larger angle does not count as seen.
    """
    registered = register(
        points, transform_scan_to_part, field, surface.registration, surface.crop_mm
    )
    if not registered.ok:
        return not_registered(field, registered)
    pose = registered.transform_scan_to_part
    deviations = field.compare(_near(points, pose, field, surface.crop_mm))
    sensor_part = None if sensor is None else transform_points(pose, sensor[None])[0]
    if sensor_part is not None and not _stood_there(deviations, sensor_part):
        sensor_part = None
    patches = patches_of(deviations.points)
    apart_m = spacing_m(deviations.points, patches)
    noise = estimate_noise(deviations, patches, sensor_part)
    regions = find_regions(
        deviations,
        field,
        limits,
        sigma_mm=_sigma_mm(noise, deviations, sensor_part),
        spacing_m=apart_m,
        sensor=sensor_part,
    )
    seen = seen_samples(deviations, field.reference, apart_m)
    if sensor_part is not None:
        reference = field.reference
        cosines = _cosines(reference.samples, reference.sample_normals, sensor_part)
        seen &= cosines > np.cos(max_incidence_rad)
    return Comparison(registered, deviations, regions, seen, noise)


def not_registered(field: DeviationField, registered: Registered) -> Comparison:
    """A comparison that says nothing but why."""
    seen = np.zeros(len(field.reference.samples), dtype=np.bool_)
    return Comparison(registered, field.measure(np.empty((0, 3))), (), seen, Noise(0.0))


def _near(
    points: NDArray[np.floating], pose: Transform, field: DeviationField, crop_mm: float
) -> NDArray[np.float32]:
    """Points (N, 3) that may belong to the part, part frame; 32 bits are nanometres here."""
    x, y, z = (points[:, axis].astype(np.float32, copy=False) for axis in range(3))
    points_part = np.empty((len(points), 3), dtype=np.float32)
    # Written out: threads for products this small wait for each other on a busy machine.
    for axis, (a, b, c, shift) in enumerate(pose[:3].astype(np.float32)):
        points_part[:, axis] = a * x + b * y + c * z + shift
    near = in_box(points_part, field.reference, crop_mm)
    return points_part if near.all() else points_part[near]


def _sigma_mm(noise: Noise, deviations: Deviations, sensor: Points | None) -> NDArray[np.float64]:
    if sensor is None or noise.grazing_mm == 0.0:
        return noise.sigma_mm(None, len(deviations.points))
    cosines = _cosines(deviations.points, deviations.outward, sensor)
    return noise.sigma_mm(cosines, len(deviations.points))


def _stood_there(deviations: Deviations, sensor: Points) -> bool:
    """Whether the scan can have been taken from a point.

    Stored range images are often kept in a frame whose origin is not the sensor: then many points
    would have been seen from behind.
    """
    some = slice(None, None, max(len(deviations.points) // 5000, 1))
    facing = _cosines(deviations.points[some], deviations.outward[some], sensor)
    return bool(np.mean(facing < 0) <= _MOST_BACKWARDS)


def _cosines(
    points: NDArray[np.floating], normals: NDArray[np.floating], sensor: NDArray[np.floating]
) -> NDArray[np.floating]:
    sight = sensor - points
    lengths = np.sqrt(np.einsum('ij,ij->i', sight, sight))
    cosines: NDArray[np.float64] = np.einsum('ij,ij->i', normals, sight) / lengths
    return cosines
