"""Each kind of feature of the recipe turned into measured quantities with their limits."""

from math import nan
from typing import Literal

import numpy as np

from inspection_cell.sections.features import Angle, Bore, Distance, Flatness
from inspection_cell.surface.features.cylinders import Cylinder
from inspection_cell.surface.features.elements import Elements
from inspection_cell.surface.features.flatness import flatness
from inspection_cell.surface.features.measured import Kind, Measured, UnmeasurableError
from inspection_cell.surface.features.relations import (
    COVERAGE,
    COVERAGE_PLANAR,
    angle,
    distance,
)
from inspection_cell.surface.features.robust import Floats
from inspection_cell.surface.features.selection import BoreTarget

Unit = Literal['mm', 'deg']
Limits = tuple[float | None, float | None]


def flatness_of(name: str, entry: Flatness, elements: Elements) -> tuple[Measured, ...]:
    """The flatness of a zone."""
    limits = (None, entry.tolerance_mm)
    try:
        plane, points = elements.plane(entry.zone)
        elements.check_whole(entry.zone)
        local = (points - plane.point_m) @ plane.axes
        cutoff_m = None if entry.filter == 'none' else entry.filter.cutoff_mm / 1e3
        found = flatness(local[:, :2], local[:, 2], cutoff_m)
    except UnmeasurableError as error:
        return (_unmeasured(name, 'flatness', 'mm', limits, error),)
    value, spread = found.value_m * 1e3, found.uncertainty_m * 1e3
    return (Measured(name, 'flatness', value, 'mm', *limits, spread, found.points, plane.point_m),)


def bore_of(name: str, entry: Bore, elements: Elements) -> tuple[Measured, ...]:
    """The diameter of a bore and, where it is limited, its position."""
    wanted = entry.position_tolerance_mm
    low, high = (entry.diameter_mm + limit for limit in entry.tolerance_mm)
    asked: list[tuple[str, Kind, Limits]] = [(name, 'diameter', (low, high))]
    if wanted is not None:
        asked.append((f'{name}_position', 'position', (None, wanted)))
    try:
        cylinder = elements.cylinder(name)
    except UnmeasurableError as error:
        return tuple(_unmeasured(key, kind, 'mm', limits, error) for key, kind, limits in asked)
    values = {'diameter': _diameter_mm(cylinder), 'position': _position_mm(cylinder, entry)}
    at, count = cylinder.point_m, cylinder.points
    return tuple(
        Measured(key, kind, values[kind][0], 'mm', *limits, values[kind][1], count, at)
        for key, kind, limits in asked
    )


def relation_of(name: str, entry: Distance | Angle, elements: Elements) -> tuple[Measured, ...]:
    """The distance or angle between two zones or bores."""
    if isinstance(entry, Distance):
        kind: Kind = 'distance'
        unit: Unit = 'mm'
        relate, scale = distance, 1e3
        limits = tuple(entry.nominal_mm + limit for limit in entry.tolerance_mm)
    else:
        kind, unit = 'angle', 'deg'
        relate, scale = angle, float(np.degrees(1.0))
        limits = tuple(entry.nominal_deg + limit for limit in entry.tolerance_deg)
    low, high = limits
    try:
        first, second = (elements.of(used) for used in entry.between)
    except UnmeasurableError as error:
        return (_unmeasured(name, kind, unit, (low, high), error),)
    found = relate(first, second)
    at: Floats = (first.point_m + second.point_m) / 2.0
    count = first.points + second.points
    value, spread = found.value * scale, found.uncertainty * scale
    return (Measured(name, kind, value, unit, low, high, spread, count, at),)


def _diameter_mm(cylinder: Cylinder) -> tuple[float, float]:
    spread = float(np.sqrt(cylinder.covariance[4, 4]))
    return 2e3 * cylinder.radius_m, COVERAGE * 2e3 * spread


def _position_mm(cylinder: Cylinder, entry: Bore) -> tuple[float, float]:
    """Diameter of the zone around the nominal axis that holds the measured one; uncertainty.

    The end that is farther away speaks, with what the other end, if it is hardly seen, may add.
    """
    nominal = BoreTarget(entry)
    slope = cylinder.direction / float(cylinder.direction @ nominal.axis)
    found: list[tuple[float, float]] = []
    for end in (nominal.start_m, nominal.end_m):
        along = float((end - cylinder.point_m) @ nominal.axis)
        away = float(np.linalg.norm(cylinder.point_m + along * slope - end))
        variance = float(np.linalg.eigvalsh(cylinder.displacement_covariance(end))[-1])
        found.append((2e3 * away, 2e3 * COVERAGE_PLANAR * float(np.sqrt(variance))))
    value, spread = max(found)
    limit = entry.position_tolerance_mm
    if limit is not None and value - spread > limit:
        return value, spread  # too far away already, whatever the other end does
    return value, max(away + unsure for away, unsure in found) - value


def _unmeasured(
    name: str, kind: Kind, unit: Unit, limits: Limits, error: UnmeasurableError
) -> Measured:
    return Measured(name, kind, nan, unit, *limits, nan, error.points, reason=str(error))
