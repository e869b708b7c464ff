"""What scans say about the part: regions outside their limits, and which surface was seen."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.sections.surface import Surface
from inspection_cell.surface.alignment import Aligned, Cloud, align, cosines
from inspection_cell.surface.candidates import finest_mm2
from inspection_cell.surface.deviation import DeviationField, Deviations
from inspection_cell.surface.limits import Limits
from inspection_cell.surface.noise import Noise, estimate_noise
from inspection_cell.surface.patches import Patch, patches_of, spacing_m
from inspection_cell.surface.regions import Region, find_regions
from inspection_cell.surface.registration import Registered
from inspection_cell.surface.seen import seen_samples

TOO_COARSE = 4.0  # times the area that is asked for: points twice as far apart as they may be


@dataclass(frozen=True, slots=True)
class Comparison:
    """What scans say about the part.

    Attributes:
        registered: pose and quality; where it holds a reason, the rest is empty.
        deviations: of the points near the part.
        regions: outside their limits, largest peak first.
        seen: (M,) which of the reference's samples the scans show.
        noise: of single points.
    """

    registered: Registered
    deviations: Deviations
    regions: tuple[Region, ...]
    seen: NDArray[np.bool_]
    noise: Noise


def compare(
    cloud: Cloud,
    field: DeviationField,
    surface: Surface,
    limits: Limits,
    *,
    max_incidence_rad: float = np.pi / 2,
) -> Comparison:
    """Register one scan, compare it with the reference, and find regions."""
    aligned = align([cloud], field, surface)
    return examine(aligned, field, limits, max_incidence_rad=max_incidence_rad)


def examine(
    aligned: Aligned,
    field: DeviationField,
    limits: Limits,
    *,
    max_incidence_rad: float = np.pi / 2,
) -> Comparison:
    """Find regions on the surface that aligned scans show together, and which of it each shows.

    Args:
        aligned: on the same reference.
        field: of the reference.
        limits: of deviations, by place.
        max_incidence_rad: a sample seen under a larger angle does not count as seen.
    """
    if not aligned.registered.ok:
        return not_registered(field, aligned.registered)
    deviations = aligned.deviations
    patches = patches_of(deviations.points)
    scans = aligned.by_scan
    with ThreadPoolExecutor(1) as beside:
        # The widest spacing rules: where that scan looks alone, it must do as it would alone.
        spaced = beside.submit(_spacings_m, scans, patches)
        shown = beside.submit(
            lambda: _seen(aligned, spaced.result(), field, limits, max_incidence_rad)
        )
        noise = estimate_noise(deviations, patches, aligned.sensors)
        apart_m = max(spaced.result())
        regions = find_regions(
            deviations,
            field,
            limits,
            sigma_mm=lambda rows: _sigma_mm(noise, aligned, rows),
            spacing_m=apart_m,
            sensors=aligned.sensors,
        )
        seen = shown.result()
    registered = _with_resolution(aligned.registered, apart_m, limits)
    return Comparison(registered, deviations, regions, seen, noise)


def _spacings_m(scans: Sequence[Deviations], patches: tuple[Patch, ...]) -> list[float]:
    """Typical distances between the points of each scan; `patches` are those of all points."""
    if len(scans) == 1:
        return [spacing_m(scans[0].points, patches)]
    return [spacing_m(scan.points, patches_of(scan.points)) for scan in scans]


def _seen(
    aligned: Aligned,
    spacings_m: Sequence[float],
    field: DeviationField,
    limits: Limits,
    max_incidence_rad: float,
) -> NDArray[np.bool_]:
    """(M,) samples that at least one scan shows, from where its scanner stood.

    A scan that could not show the defects that are asked for has seen nothing.
    """
    reference = field.reference
    seen = np.zeros(len(reference.samples), dtype=np.bool_)
    for number, (scan, apart_m) in enumerate(zip(aligned.by_scan, spacings_m, strict=True)):
        if finest_mm2(apart_m) > TOO_COARSE * limits.min_area_mm2:
            continue
        own = seen_samples(scan, reference, apart_m)
        if aligned.stations is not None:
            station = aligned.stations[number][None]
            facing = cosines(reference.samples, reference.sample_normals, station)
            own &= facing > np.cos(max_incidence_rad)
        seen |= own
    return seen


def _with_resolution(registered: Registered, apart_m: float, limits: Limits) -> Registered:
    """Tells when the points are too far apart for the smallest defects that are asked for."""
    finest = finest_mm2(apart_m)
    if finest <= limits.min_area_mm2:
        return registered
    note = (
        f'points lie {apart_m * 1e3:.2f} mm apart: defects below {finest:.1f} mm² may be missed, '
        f'{limits.min_area_mm2:g} mm² are asked for'
    )
    if finest > TOO_COARSE * limits.min_area_mm2:
        note += '; so coarse a scan does not count as having seen the surface'
    return registered.noted(note)


def not_registered(field: DeviationField, registered: Registered) -> Comparison:
    """A comparison that says nothing but why."""
    seen = np.zeros(len(field.reference.samples), dtype=np.bool_)
    return Comparison(registered, field.measure(np.empty((0, 3))), (), seen, Noise(0.0))


def _sigma_mm(noise: Noise, aligned: Aligned, rows: NDArray[np.intp]) -> NDArray[np.float64]:
    sensors = aligned.sensors_of(rows)
    if sensors is None or noise.grazing_mm == 0.0:
        return noise.sigma_mm(None, len(rows))
    points, outward = aligned.deviations.points[rows], aligned.deviations.outward[rows]
    return noise.sigma_mm(cosines(points, outward, sensors), len(rows))
