"""Inspection of scans: registration, deviation from the reference, regions, what was seen."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import (
    FEATURE,
    EvidenceFile,
    Finding,
    Presence,
    PresenceStatus,
    ViewFindings,
    ViewStatus,
)
from inspection_cell.geometry import Transform, invert
from inspection_cell.locations import cache_folder
from inspection_cell.observations import Observation, Scan
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.alignment import Cloud, align
from inspection_cell.surface.comparison import Comparison, examine
from inspection_cell.surface.deviation import DeviationField, Deviations
from inspection_cell.surface.features.measure import FeatureMeter
from inspection_cell.surface.features.measured import Measured
from inspection_cell.surface.golden import recipe_limits
from inspection_cell.surface.regions import Region
from inspection_cell.surface.registration import Registered
from inspection_cell.surface.symmetry_note import symmetry_note
from inspection_cell.surface_file import Registration, Surface
from inspection_cell.views.ply import ply_bytes
from inspection_cell.zones import resolve_zones


@dataclass(frozen=True, slots=True)
class SurfaceInspection:
    """The findings of a scan and what is shown of it.

    Attributes:
        points_part: (N, 3) the compared points in the part frame, metres; none unless registered.
        deviation_mm: (N,) signed, positive outside the material.
    """

    view_findings: ViewFindings
    points_part: NDArray[np.floating]
    deviation_mm: NDArray[np.floating]


class SurfaceInspector:
    """Compares scans of one part type with its reference mesh."""

    def __init__(self, recipe: Recipe, reference: ReferenceMesh, evidence: EvidenceFolder) -> None:
        """Prepare the reference; the evidence's data folder keeps what takes long.

        Raises:
            DataError: for a recipe without the section `surface`.
            ConfigError: for zones that the mesh cannot serve.
        """
        if recipe.file.surface is None:
            raise DataError(f'{recipe.path}: expected the section `surface`, there is none')
        self._surface: Surface = recipe.file.surface
        self._max_incidence_rad = np.radians(recipe.file.coverage.max_incidence_deg)
        zones = resolve_zones(recipe, reference)
        self._limits = recipe_limits(recipe, reference, zones)
        self._meter = FeatureMeter(
            self._surface.features, zones, reference, self._surface.systematic_mm
        )
        cache = cache_folder(evidence.data_dir)
        self._field = DeviationField(reference, cache)
        self._field.grid  # noqa: B018  (computed now rather than with the first part)
        self._note = symmetry_note(self._field, cache)
        self._evidence = evidence

    def inspect(self, observation: Observation) -> SurfaceInspection:
        """Register one scan and compare it; bad data becomes a status with a reason."""
        begin = time.perf_counter()
        if not isinstance(observation.data, Scan):
            kind = type(observation.data).__name__
            reason = f'expected a Scan from {observation.view}, got {kind}'
            findings = _view(observation, ViewStatus.MALFORMED, self._field.reference, reason)
            return SurfaceInspection(findings, np.empty((0, 3)), np.empty(0))
        with ThreadPoolExecutor(1) as writer:  # hashing and writing need no interpreter
            scan = writer.submit(self._write_scan, observation, observation.data)
            pose = invert(observation.transform_part_to_sensor)
            cloud = Cloud(observation.data.points, pose, sensor=np.zeros(3))
            aligned = align([cloud], self._field, self._surface)
            aligned = replace(aligned, registered=replace(aligned.registered, note=self._note))
            deviation = writer.submit(self._write_deviation, observation, aligned.deviations)
            compared = examine(
                aligned, self._field, self._limits, max_incidence_rad=self._max_incidence_rad
            )
            measured = self._meter.of(aligned)
            evidence = (scan.result(), *deviation.result())
        findings = view_findings(
            observation,
            compared,
            self._surface,
            self._field.reference,
            measured=measured,
            evidence=evidence,
            inspect_s=time.perf_counter() - begin,
        )
        return SurfaceInspection(
            findings, compared.deviations.points, compared.deviations.signed_mm
        )

    def _write_scan(self, observation: Observation, scan: Scan) -> EvidenceFile:
        identity, view = observation.inspection_id, observation.view
        return self._evidence.write(identity, view, 'scan', '.ply', ply_bytes(scan.points))

    def _write_deviation(
        self, observation: Observation, deviations: Deviations
    ) -> tuple[EvidenceFile, ...]:
        identity, view = observation.inspection_id, observation.view
        if not len(deviations.points):
            return ()
        content = ply_bytes(deviations.points, deviations.signed_mm)
        return (self._evidence.write(identity, view, 'deviation', '.ply', content),)


def view_findings(
    observation: Observation,
    compared: Comparison,
    surface: Surface,
    reference: ReferenceMesh,
    *,
    measured: tuple[Measured, ...] = (),
    evidence: tuple[EvidenceFile, ...] = (),
    inspect_s: float = 0.0,
) -> ViewFindings:
    """A comparison as what its view says: OK and present, or NOT_REGISTERED with the reason."""
    registered = compared.registered
    if not registered.ok:
        status, reason = ViewStatus.NOT_REGISTERED, registered.reason
        absent = Presence(PresenceStatus.ABSENT, reason, registered.explained)
        view = _view(observation, status, reference, reason)
        return replace(view, presence=absent, evidence=evidence, inspect_s=inspect_s)
    view = _view(observation, ViewStatus.OK, reference)
    return replace(
        view,
        presence=presence_of(registered, surface.registration),
        findings=(
            *(finding_of(region) for region in compared.regions),
            *(measurement_of(one) for one in measured),
        ),
        evidence=evidence,
        inspect_s=inspect_s,
        transform_part_to_cell_refined=_refined(observation, registered),
        seen=compared.seen,
    )


def finding_of(region: Region) -> Finding:
    """A region as a finding; value and limit keep their sign: -0.3 mm against -0.15 mm."""
    return Finding(
        label=region.kind,
        score=1.0,
        value=region.peak_mm,
        limit=region.limit_mm,
        unit='mm',
        position_m=region.position_m,
        normal=region.normal,
        area_mm2=region.area_mm2,
        length_mm=region.length_mm,
        width_mm=region.width_mm,
        volume_mm3=region.volume_mm3,
        peak_mm=region.peak_mm,
        uncertainty=region.uncertainty_mm,
        conformity=region.conformity,
        not_judged=f'masked by zone {region.mask}' if region.mask else '',
    )


def measurement_of(measured: Measured) -> Finding:
    """A measured feature as a finding; one that could not be measured says why."""
    label = FEATURE + measured.name
    if measured.reason:
        return Finding(label, 0.0, unit=measured.unit, not_judged=measured.reason)
    return Finding(
        label=label,
        score=1.0,
        value=measured.value,
        limit=measured.nearest_limit,
        unit=measured.unit,
        position_m=measured.position_m,
        uncertainty=measured.uncertainty,
        conformity=measured.conformity,
    )


def presence_of(registered: Registered, limits: Registration) -> Presence:
    """The proof that a registered scan is of this part, in words."""
    evidence = (
        f'scan registered: {registered.explained:.1%} of it within {limits.inlier_mm:g} mm of the '
        f'reference, residual {registered.residual_mm:.3f} mm, {registered.shift_mm:.2f} mm and '
        f"{registered.rotation_deg:.2f}° from the robot's pose"
    )
    if registered.note:
        evidence += f'; {registered.note}'
    return Presence(PresenceStatus.PRESENT, evidence, registered.explained)


def _view(
    observation: Observation, status: ViewStatus, reference: ReferenceMesh, reason: str = ''
) -> ViewFindings:
    return ViewFindings(
        inspection_id=observation.inspection_id,
        view=observation.view,
        status=status,
        reason=reason,
        stamp_ns=observation.stamp_ns,
        transform_part_to_sensor=observation.transform_part_to_sensor,
        reference_hash=reference.sha256,
    )


def _refined(observation: Observation, registered: Registered) -> Transform:
    """`transform_part_to_cell` by the scan."""
    transform: Transform = observation.transform_sensor_to_cell @ invert(
        registered.transform_scan_to_part
    )
    return transform
