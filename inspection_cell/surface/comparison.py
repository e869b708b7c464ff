"""A scan against the reference, from points and a first pose to regions and what was seen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from inspection_cell.geometry import Points, Transform, transform_points
from inspection_cell.recipe import Surface
from inspection_cell.surface.deviation import DeviationField, Deviations
from inspection_cell.surface.regions import Region, find_regions, point_spacing_m
from inspection_cell.surface.registration import Registered, points_near, register

_SEEN_SPACINGS = 1.5
_LEAST_SEEN_M = 0.5e-3
_SAME_SIDE = 0.5  # cosine: a sample on the far side of a thin wall is not seen
_MOST_BACKWARDS = 0.02  # share of points that may face away from the sensor that saw them


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a scan says about the part.

    Attributes:
        registered: pose and quality; where it holds a reason, the rest is empty.
        deviations: of the scan's points near the part.
        regions: outside the tolerance, largest peak first.
        seen: (M,) which of the reference's samples the scan shows.
    """

    registered: Registered
    deviations: Deviations
    regions: tuple[Region, ...]
    seen: NDArray[np.bool_]


def compare(
    points: NDArray[np.floating],
    transform_scan_to_part: Transform,
    field: DeviationField,
    surface: Surface,
    *,
    max_incidence_rad: float = np.pi / 2,
    sensor: NDArray[np.float64] | None = None,
) -> Comparison:
    """Register (N, 3) points in metres, compare them with the reference, and find regions.

    Args:
        points: of the scan, in its own frame.
        transform_scan_to_part: the pose to start from.
        field: of the reference.
        surface: limits of registration and deviation.
        sensor: (3,) where the scanner stood, in the scan's frame, where that is known.
        max_incidence_rad: a sample seen under a larger angle does not count as seen.
    """
    registered = register(
        points, transform_scan_to_part, field, surface.registration, surface.crop_mm
    )
    if not registered.ok:
        return not_registered(field, registered)
    near = points_near(points, transform_scan_to_part, field.reference, surface.crop_mm)
    pose = registered.transform_scan_to_part
    deviations = field.measure(transform_points(pose, points[near]))
    tree = cKDTree(deviations.points, balanced_tree=False, compact_nodes=False)
    sensor_part = None if sensor is None else transform_points(pose, sensor[None])[0]
    if sensor_part is not None and not _stood_there(deviations, sensor_part):
        sensor_part = None
    regions = find_regions(
        deviations, tree, field, surface.tolerance_mm, surface.min_area_mm2, sensor_part
    )
    seen = _seen(deviations, tree, field)
    if sensor_part is not None:
        reference = field.reference
        cosines = _cosines(reference.samples, reference.sample_normals, sensor_part)
        seen &= cosines > np.cos(max_incidence_rad)
    return Comparison(registered, deviations, regions, seen)


def not_registered(field: DeviationField, registered: Registered) -> Comparison:
    """A comparison that says nothing but why."""
    seen = np.zeros(len(field.reference.samples), dtype=np.bool_)
    return Comparison(registered, field.measure(np.empty((0, 3))), (), seen)


def _seen(deviations: Deviations, tree: cKDTree, field: DeviationField) -> NDArray[np.bool_]:
    reference = field.reference
    reach_m = max(_SEEN_SPACINGS * point_spacing_m(tree), _LEAST_SEEN_M)
    distances, nearest = tree.query(reference.samples, k=3, distance_upper_bound=reach_m)
    outward = deviations.outward[np.where(np.isfinite(distances), nearest, 0)]
    agree = np.einsum('ijk,ik->ij', outward, reference.sample_normals) > _SAME_SIDE
    seen: NDArray[np.bool_] = (agree & np.isfinite(distances)).any(axis=1)
    return seen


def _stood_there(deviations: Deviations, sensor: Points) -> bool:
    """Whether the scan can have been taken from a point.

    Stored range images are often kept in a frame whose origin is not the sensor: then many points
    would have been seen from behind.
    """
    facing = _cosines(deviations.closest, deviations.outward, sensor)
    return bool(np.mean(facing < 0) <= _MOST_BACKWARDS)


def _cosines(points: Points, normals: Points, sensor: Points) -> NDArray[np.float64]:
    sight = sensor - points
    sight /= np.linalg.norm(sight, axis=1, keepdims=True)
    cosines: NDArray[np.float64] = np.einsum('ij,ij->i', normals, sight)
    return cosines
