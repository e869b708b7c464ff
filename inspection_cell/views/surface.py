"""Inspection of scans: registration, deviation from the reference, regions, what was seen."""

import time
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import EvidenceFile, ViewFindings, ViewStatus
from inspection_cell.geometry import invert
from inspection_cell.locations import cache_folder
from inspection_cell.observations import Observation, Scan, ViewKey
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.surface import Surface
from inspection_cell.surface.alignment import Cloud, align
from inspection_cell.surface.comparison import Comparison, examine
from inspection_cell.surface.deviation import DeviationField, Deviations
from inspection_cell.surface.features.measure import FeatureMeter
from inspection_cell.surface.features.measured import Measured
from inspection_cell.surface.golden import recipe_limits
from inspection_cell.surface.registration import register
from inspection_cell.surface.symmetry_note import symmetry_note
from inspection_cell.views.joint_scans import JointScans
from inspection_cell.views.ply import ply_bytes
from inspection_cell.views.surface_findings import bare, placed_findings, view_findings
from inspection_cell.zones import resolve_zones


@dataclass(frozen=True, slots=True)
class SurfaceInspection:
    """The findings of a view and what is shown of it.

    Attributes:
        points_part: (N, 3) the compared points in the part frame, metres; none unless compared.
        deviation_mm: (N,) signed, positive outside the material.
    """

    view_findings: ViewFindings
    points_part: NDArray[np.floating]
    deviation_mm: NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class _Judged:
    """What scans say, with the files that show it."""

    compared: Comparison
    measured: tuple[Measured, ...]
    evidence: tuple[EvidenceFile, ...]


class SurfaceInspector:
    """Compares scans of one part type with its reference mesh.

    Attributes:
        joint_scans: views whose scans are judged together, by `inspect_together`.
    """

    def __init__(self, recipe: Recipe, reference: ReferenceMesh, evidence: EvidenceFolder) -> None:
        """Prepare the reference; the evidence's data folder keeps what takes long.

        Raises:
            DataError: for a recipe without the section `surface`.
            ConfigError: for zones that the mesh cannot serve.
        """
        if recipe.file.surface is None:
            raise DataError(f'{recipe.path}: expected the section `surface`, there is none')
        self._surface: Surface = recipe.file.surface
        self.joint_scans = recipe.file.joint_scans
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
        """Register one scan and compare it; bad data becomes a status with a reason.

        A scan that the recipe wants judged together with others is registered only.
        """
        begin_s = time.perf_counter()
        if not isinstance(observation.data, Scan):
            kind = type(observation.data).__name__
            reason = f'expected a Scan from {observation.view}, got {kind}'
            return _shown(bare(observation, ViewStatus.MALFORMED, self._field.reference, reason))
        with ThreadPoolExecutor(1) as writer:  # hashing and writing need no interpreter
            scan = writer.submit(self._write_scan, observation, observation.data)
            if observation.view in self.joint_scans:
                inspection = self._placed(observation, observation.data)
            else:
                judged = self._judged([observation], observation.view, writer)
                inspection = self._told(observation, judged)
            evidence = (scan.result(), *inspection.view_findings.evidence)
        return _with_evidence(inspection, evidence, time.perf_counter() - begin_s)

    def inspect_together(self, scans: JointScans) -> SurfaceInspection:
        """Judge the scans of one part as one surface; the order in which they came is no matter.

        Only scans whose own view is OK take part; which do, and why others do not, is told.
        """
        begin_s = time.perf_counter()
        taking = scans.taking_part
        if not taking:
            return _shown(scans.nothing())
        with ThreadPoolExecutor(1) as writer:
            judged = self._judged(taking, scans.view, writer)
        first = replace(taking[0], view=scans.view, stamp_ns=max(one.stamp_ns for one in taking))
        inspection = self._told(first, judged)
        told = scans.tell(inspection.view_findings)
        evidence = inspection.view_findings.evidence
        return _with_evidence(
            replace(inspection, view_findings=told), evidence, time.perf_counter() - begin_s
        )

    def _placed(self, observation: Observation, scan: Scan) -> SurfaceInspection:
        limits = self._surface.registration
        pose = invert(observation.transform_part_to_sensor)
        found = register(scan.points, pose, self._field, limits, self._surface.crop_mm)
        found = found.noted(self._note)
        return _shown(placed_findings(observation, found, limits, self._field.reference))

    def _judged(
        self, observations: Sequence[Observation], view: ViewKey, writer: Executor
    ) -> _Judged:
        at_origin = self._surface.viewpoint == 'origin'
        clouds = [_cloud(one, np.zeros(3) if at_origin else None) for one in observations]
        aligned = align(clouds, self._field, self._surface)
        aligned = replace(aligned, registered=aligned.registered.noted(self._note))
        identity = observations[0].inspection_id
        files = writer.submit(self._write_deviation, identity, view, aligned.deviations)
        compared = examine(
            aligned, self._field, self._limits, max_incidence_rad=self._max_incidence_rad
        )
        return _Judged(compared, self._meter.of(aligned), files.result())

    def _told(self, observation: Observation, judged: _Judged) -> SurfaceInspection:
        findings = view_findings(
            observation,
            judged.compared,
            self._surface,
            self._field.reference,
            measured=judged.measured,
            evidence=judged.evidence,
        )
        deviations = judged.compared.deviations
        return SurfaceInspection(findings, deviations.points, deviations.signed_mm)

    def _write_scan(self, observation: Observation, scan: Scan) -> EvidenceFile:
        identity, view = observation.inspection_id, observation.view
        return self._evidence.write(identity, view, 'scan', '.ply', ply_bytes(scan.points))

    def _write_deviation(
        self, inspection_id: str, view: ViewKey, deviations: Deviations
    ) -> tuple[EvidenceFile, ...]:
        if not len(deviations.points):
            return ()
        content = ply_bytes(deviations.points, deviations.signed_mm)
        return (self._evidence.write(inspection_id, view, 'deviation', '.ply', content),)


def _cloud(observation: Observation, sensor: NDArray[np.float64] | None) -> Cloud:
    assert isinstance(observation.data, Scan)
    pose = invert(observation.transform_part_to_sensor)
    return Cloud(observation.data.points, pose, sensor)


def _shown(findings: ViewFindings) -> SurfaceInspection:
    """Findings of which nothing is shown."""
    return SurfaceInspection(findings, np.empty((0, 3)), np.empty(0))


def _with_evidence(
    inspection: SurfaceInspection, evidence: tuple[EvidenceFile, ...], inspect_s: float
) -> SurfaceInspection:
    findings = replace(inspection.view_findings, evidence=evidence, inspect_s=inspect_s)
    return replace(inspection, view_findings=findings)
