"""Distance and angle between planes and bores, with the uncertainty of the fits carried over."""

from dataclasses import dataclass

import numpy as np

from inspection_cell.surface.features.cylinders import Cylinder
from inspection_cell.surface.features.planes import Plane
from inspection_cell.surface.features.robust import Floats

Element = Plane | Cylinder

COVERAGE = 2.0  # k of a value that errs along one direction
COVERAGE_PLANAR = 2.45  # of one that errs in two: 95 % of Rayleigh's distribution
_SKEW = np.sin(np.radians(5.0))  # axes closer to parallel have no useful common perpendicular
_FOLDED = 0.02  # sine of an angle so near 0 or 180 degrees that it errs in two directions


@dataclass(frozen=True, slots=True)
class Relation:
    """A distance in metres or an angle in radians, with its expanded uncertainty."""

    value: float
    uncertainty: float


def distance(first: Element, second: Element) -> Relation:
    """Distance between two elements, metres.

    With a plane: from the plane, along its normal, to the other element's middle; of two planes
    the first one's normal counts. Between axes: across both, in the middle of their depths when
    they are parallel, and where they are closest when they are skew.
    """
    if isinstance(first, Plane):
        return _from_plane(first, second)
    if isinstance(second, Plane):
        return _from_plane(second, first)
    return _between_axes(first, second)


def angle(first: Element, second: Element) -> Relation:
    """Angle between the directions of two elements, 0 to π."""
    cross = np.cross(first.direction, second.direction)
    sine, cosine = float(np.linalg.norm(cross)), float(first.direction @ second.direction)
    covariances = first.direction_covariance(), second.direction_covariance()
    value = float(np.arctan2(sine, cosine))
    if sine < _FOLDED:
        variance = float(np.linalg.eigvalsh(covariances[0] + covariances[1])[-1])
        return Relation(value, COVERAGE_PLANAR * float(np.sqrt(variance)))
    axis = cross / sine
    variance = 0.0
    for element, covariance in zip((first, second), covariances, strict=True):
        turning = np.cross(axis, element.direction)  # unit: how the direction moves about it
        variance += float(turning @ covariance @ turning)
    return Relation(value, COVERAGE * float(np.sqrt(variance)))


def _from_plane(plane: Plane, other: Element) -> Relation:
    offset = float(plane.direction @ (other.point_m - plane.point_m))
    variance = sum(
        element.displacement_variance(other.point_m, plane.direction) for element in (plane, other)
    )
    return Relation(abs(offset), COVERAGE * float(np.sqrt(variance)))


def _between_axes(first: Cylinder, second: Cylinder) -> Relation:
    offset = second.point_m - first.point_m
    common = np.cross(first.direction, second.direction)
    skew = float(np.linalg.norm(common))
    at = first.point_m, second.point_m
    if skew >= _SKEW:
        along = common / skew
        at = _closest(first, second)
        value = abs(float(along @ offset))
    else:
        mean = first.direction + np.sign(first.direction @ second.direction) * second.direction
        mean /= np.linalg.norm(mean)
        across = offset - (offset @ mean) * mean
        value = float(np.linalg.norm(across))
        along = across / max(value, 1e-12)
    variance = first.displacement_variance(at[0], along)
    variance += second.displacement_variance(at[1], along)
    return Relation(value, COVERAGE * float(np.sqrt(variance)))


def _closest(first: Cylinder, second: Cylinder) -> tuple[Floats, Floats]:
    """The points of two skew axes that are nearest to each other."""
    directions = np.column_stack([first.direction, -second.direction])
    steps = np.linalg.lstsq(directions, second.point_m - first.point_m, rcond=None)[0]
    return (
        first.point_m + steps[0] * first.direction,
        second.point_m + steps[1] * second.direction,
    )
