"""What a compared scan says, as the findings of its view."""

from dataclasses import replace

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
from inspection_cell.observations import Observation
from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.surface import Registration, Surface
from inspection_cell.surface.comparison import Comparison
from inspection_cell.surface.features.measured import Measured
from inspection_cell.surface.regions import Region
from inspection_cell.surface.registration import Registered


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
    view = registered_findings(observation, compared.registered, surface.registration, reference)
    view = replace(view, evidence=evidence, inspect_s=inspect_s)
    if view.status is not ViewStatus.OK:
        return view
    regions = (finding_of(region) for region in compared.regions)
    features = (measurement_of(one) for one in measured)
    return replace(view, findings=(*regions, *features), seen=compared.seen)


def registered_findings(
    observation: Observation,
    registered: Registered,
    limits: Registration,
    reference: ReferenceMesh,
) -> ViewFindings:
    """What the registration alone says: whether this part is there, and where."""
    if not registered.ok:
        absent = Presence(PresenceStatus.ABSENT, registered.reason, registered.explained)
        status = ViewStatus.NOT_REGISTERED
        return replace(bare(observation, status, reference, registered.reason), presence=absent)
    return replace(
        bare(observation, ViewStatus.OK, reference),
        presence=presence_of(registered, limits),
        transform_part_to_cell_refined=_refined(observation, registered),
    )


def placed_findings(
    observation: Observation,
    registered: Registered,
    limits: Registration,
    reference: ReferenceMesh,
) -> ViewFindings:
    """Of a scan that is judged together with others: where it lies, and no findings.

    One that fits, but leaves a direction open, is neither refused nor a proof: others may hold it.
    """
    if not registered.slides:
        return registered_findings(observation, registered, limits, reference)
    words = f'the scan fits, but alone {registered.reason.removeprefix("the scan ")}'
    unproven = Presence(PresenceStatus.UNKNOWN, words, registered.explained)
    return replace(bare(observation, ViewStatus.OK, reference), presence=unproven)


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


def bare(
    observation: Observation, status: ViewStatus, reference: ReferenceMesh, reason: str = ''
) -> ViewFindings:
    """What every view of a scan says, whatever the scan is like."""
    return ViewFindings(
        inspection_id=observation.inspection_id,
        view=observation.view,
        status=status,
        reason=reason,
        stamp_ns=observation.stamp_ns,
        transform_part_to_sensor=observation.transform_part_to_sensor,
        transform_sensor_to_cell=observation.transform_sensor_to_cell,
        reference_hash=reference.sha256,
    )


def _refined(observation: Observation, registered: Registered) -> Transform:
    """`transform_part_to_cell` by the scan."""
    transform: Transform = observation.transform_sensor_to_cell @ invert(
        registered.transform_scan_to_part
    )
    return transform
