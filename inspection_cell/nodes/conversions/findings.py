"""What the inspectors say: findings, presence, evidence, views."""

from array import array

import numpy as np
from inspection_cell_msgs.msg import EvidenceFile as EvidenceFileMsg
from inspection_cell_msgs.msg import Finding as FindingMsg
from inspection_cell_msgs.msg import Presence as PresenceMsg
from inspection_cell_msgs.msg import ViewFindings as ViewFindingsMsg
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.findings import (
    Conformity,
    EvidenceFile,
    Finding,
    Presence,
    PresenceStatus,
    ViewFindings,
    ViewStatus,
)
from inspection_cell.nodes.conversions.enums import enum_from_msg
from inspection_cell.nodes.conversions.poses import (
    camera_info_from_msg,
    camera_info_to_msg,
    point_from_msg,
    point_to_msg,
    pose_from_msg,
    pose_to_msg,
    stamp_from_msg,
    stamp_to_msg,
    vector_from_msg,
    vector_to_msg,
)
from inspection_cell.observations import ViewKey


def finding_to_msg(finding: Finding) -> FindingMsg:
    """One finding."""
    msg = FindingMsg(label=finding.label, score=finding.score, shots=list(finding.shots))
    msg.value, msg.limit, msg.unit = finding.value, finding.limit, finding.unit
    msg.not_judged = finding.not_judged
    msg.uncertainty, msg.conformity = finding.uncertainty, int(finding.conformity)
    msg.area_mm2, msg.volume_mm3 = finding.area_mm2, finding.volume_mm3
    msg.length_mm, msg.width_mm = finding.length_mm, finding.width_mm
    msg.peak_mm = finding.peak_mm
    if finding.box_px is not None:
        msg.has_box, msg.box_px = True, finding.box_px
    if finding.polygon_px is not None:
        msg.polygon_px = array('d', finding.polygon_px.ravel())
    if finding.position_m is not None:
        msg.has_position, msg.position = True, point_to_msg(finding.position_m)
    if finding.normal is not None:
        msg.has_normal, msg.normal = True, vector_to_msg(finding.normal)
    return msg


def finding_from_msg(msg: FindingMsg) -> Finding:
    """One finding; raises DataError for values out of range."""
    if len(msg.polygon_px) % 2:
        raise DataError(f'finding {msg.label!r}: polygon_px has an odd number of values')
    polygon = np.array(msg.polygon_px).reshape(-1, 2) if len(msg.polygon_px) else None
    return Finding(
        label=msg.label,
        score=msg.score,
        value=msg.value,
        limit=msg.limit,
        unit=msg.unit,
        box_px=np.array(msg.box_px) if msg.has_box else None,
        polygon_px=polygon,
        position_m=point_from_msg(msg.position) if msg.has_position else None,
        normal=vector_from_msg(msg.normal) if msg.has_normal else None,
        area_mm2=msg.area_mm2,
        length_mm=msg.length_mm,
        width_mm=msg.width_mm,
        volume_mm3=msg.volume_mm3,
        peak_mm=msg.peak_mm,
        uncertainty=msg.uncertainty,
        conformity=enum_from_msg(Conformity, msg.conformity),
        not_judged=msg.not_judged,
        shots=tuple(msg.shots),
    )


def presence_to_msg(presence: Presence) -> PresenceMsg:
    """Presence of the part in a view."""
    return PresenceMsg(
        status=int(presence.status), evidence=presence.evidence, score=presence.score
    )


def presence_from_msg(msg: PresenceMsg) -> Presence:
    """Presence of the part in a view."""
    return Presence(enum_from_msg(PresenceStatus, msg.status), msg.evidence, msg.score)


def evidence_file_to_msg(file: EvidenceFile) -> EvidenceFileMsg:
    """One evidence file."""
    return EvidenceFileMsg(name=file.name, sha256=file.sha256, kind=file.kind, host=file.host)


def evidence_file_from_msg(msg: EvidenceFileMsg) -> EvidenceFile:
    """One evidence file."""
    return EvidenceFile(msg.name, msg.sha256, msg.kind, msg.host)


def view_findings_to_msg(findings: ViewFindings) -> ViewFindingsMsg:
    """All that one view says."""
    msg = ViewFindingsMsg(inspection_id=findings.inspection_id)
    msg.presentation, msg.sensor = findings.view.presentation, findings.view.sensor
    msg.status, msg.reason = int(findings.status), findings.reason
    msg.presence = presence_to_msg(findings.presence)
    msg.findings = [finding_to_msg(finding) for finding in findings.findings]
    msg.evidence = [evidence_file_to_msg(file) for file in findings.evidence]
    msg.stamp, msg.inspect_s = stamp_to_msg(findings.stamp_ns), findings.inspect_s
    msg.model_hash, msg.reference_hash = findings.model_hash, findings.reference_hash
    _fill_geometry(msg, findings)
    return msg


def _fill_geometry(msg: ViewFindingsMsg, findings: ViewFindings) -> None:
    if findings.transform_part_to_sensor is not None:
        msg.has_part_to_sensor = True
        msg.part_to_sensor = pose_to_msg(findings.transform_part_to_sensor)
    if findings.transform_sensor_to_cell is not None:
        msg.has_sensor_to_cell = True
        msg.sensor_to_cell = pose_to_msg(findings.transform_sensor_to_cell)
    if findings.transform_part_to_cell_refined is not None:
        msg.has_part_to_cell_refined = True
        msg.part_to_cell_refined = pose_to_msg(findings.transform_part_to_cell_refined)
    if findings.intrinsics is not None:
        msg.has_camera_info = True
        msg.camera_info = camera_info_to_msg(findings.intrinsics)
    if findings.seen is not None:
        msg.seen_count = len(findings.seen)
        msg.seen = array('B', np.packbits(findings.seen).tobytes())


def view_findings_from_msg(msg: ViewFindingsMsg) -> ViewFindings:
    """All that one view says; raises DataError when it contradicts itself."""
    refined = pose_from_msg(msg.part_to_cell_refined) if msg.has_part_to_cell_refined else None
    return ViewFindings(
        inspection_id=msg.inspection_id,
        view=ViewKey(msg.presentation, msg.sensor),
        status=enum_from_msg(ViewStatus, msg.status),
        reason=msg.reason,
        presence=presence_from_msg(msg.presence),
        findings=tuple(finding_from_msg(finding) for finding in msg.findings),
        evidence=tuple(evidence_file_from_msg(file) for file in msg.evidence),
        stamp_ns=stamp_from_msg(msg.stamp),
        inspect_s=msg.inspect_s,
        transform_part_to_sensor=pose_from_msg(msg.part_to_sensor)
        if msg.has_part_to_sensor
        else None,
        transform_part_to_cell_refined=refined,
        transform_sensor_to_cell=pose_from_msg(msg.sensor_to_cell)
        if msg.has_sensor_to_cell
        else None,
        intrinsics=camera_info_from_msg(msg.camera_info) if msg.has_camera_info else None,
        seen=_seen(msg),
        model_hash=msg.model_hash,
        reference_hash=msg.reference_hash,
    )


def _seen(msg: ViewFindingsMsg) -> NDArray[np.bool_] | None:
    if not msg.seen_count:
        return None
    packed = np.frombuffer(msg.seen, dtype=np.uint8)
    if len(packed) != -(-msg.seen_count // 8):
        raise DataError(f'findings: {len(packed)} bytes cannot hold {msg.seen_count} seen bits')
    return np.unpackbits(packed, count=msg.seen_count).astype(np.bool_)
