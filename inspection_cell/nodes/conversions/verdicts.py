"""The verdict and what it is made of."""

from inspection_cell_msgs.msg import Contribution as ContributionMsg
from inspection_cell_msgs.msg import Coverage as CoverageMsg
from inspection_cell_msgs.msg import Decision as DecisionMsg
from inspection_cell_msgs.msg import Defect as DefectMsg
from inspection_cell_msgs.msg import Reason as ReasonMsg
from inspection_cell_msgs.msg import Source as SourceMsg
from inspection_cell_msgs.msg import Verdict as VerdictMsg
from inspection_cell_msgs.msg import ZoneCoverage as ZoneCoverageMsg

from inspection_cell.findings import (
    Conformity,
    Contribution,
    Coverage,
    Decision,
    Defect,
    Reason,
    Source,
    Verdict,
    ZoneCoverage,
)
from inspection_cell.nodes.conversions.enums import enum_from_msg
from inspection_cell.nodes.conversions.findings import view_findings_from_msg, view_findings_to_msg
from inspection_cell.nodes.conversions.poses import (
    point_from_msg,
    point_to_msg,
    stamp_from_msg,
    stamp_to_msg,
    vector_from_msg,
    vector_to_msg,
)
from inspection_cell.observations import ViewKey


def decision_to_msg(decision: Decision) -> DecisionMsg:
    """What is to be done with a part."""
    return DecisionMsg(value=int(decision))


def decision_from_msg(msg: DecisionMsg) -> Decision:
    """What is to be done with a part."""
    return enum_from_msg(Decision, msg.value)


def reason_to_msg(reason: Reason) -> ReasonMsg:
    """Why a decision was taken."""
    msg = ReasonMsg(code=reason.code, text=reason.text, value=reason.value, limit=reason.limit)
    msg.decision = decision_to_msg(reason.decision)
    return msg


def reason_from_msg(msg: ReasonMsg) -> Reason:
    """Why a decision was taken."""
    return Reason(msg.code, msg.text, msg.value, msg.limit, decision_from_msg(msg.decision))


def source_to_msg(source: Source) -> SourceMsg:
    """One finding behind a defect."""
    return SourceMsg(
        presentation=source.view.presentation,
        sensor=source.view.sensor,
        label=source.label,
        score=source.score,
    )


def source_from_msg(msg: SourceMsg) -> Source:
    """One finding behind a defect."""
    return Source(ViewKey(msg.presentation, msg.sensor), msg.label, msg.score)


def contribution_to_msg(contribution: Contribution) -> ContributionMsg:
    """What one view says."""
    return ContributionMsg(
        presentation=contribution.view.presentation,
        sensor=contribution.view.sensor,
        log_odds=contribution.log_odds,
    )


def contribution_from_msg(msg: ContributionMsg) -> Contribution:
    """What one view says; raises DataError for values that are not finite."""
    return Contribution(ViewKey(msg.presentation, msg.sensor), msg.log_odds)


def defect_to_msg(defect: Defect) -> DefectMsg:
    """One physical thing on the part."""
    msg = DefectMsg(label=defect.label, probability=defect.probability)
    msg.value, msg.limit, msg.unit = defect.value, defect.limit, defect.unit
    msg.uncertainty, msg.conformity = defect.uncertainty, int(defect.conformity)
    msg.area_mm2, msg.volume_mm3 = defect.area_mm2, defect.volume_mm3
    msg.length_mm, msg.width_mm = defect.length_mm, defect.width_mm
    msg.peak_mm, msg.position_sigma_mm = defect.peak_mm, defect.position_sigma_mm
    msg.reach_mm = defect.reach_mm
    msg.contributions = [contribution_to_msg(one) for one in defect.contributions]
    msg.sources = [source_to_msg(source) for source in defect.sources]
    if defect.position_m is not None:
        msg.has_position, msg.position = True, point_to_msg(defect.position_m)
    if defect.normal is not None:
        msg.has_normal, msg.normal = True, vector_to_msg(defect.normal)
    return msg


def defect_from_msg(msg: DefectMsg) -> Defect:
    """One physical thing on the part; raises DataError for values out of range."""
    return Defect(
        label=msg.label,
        probability=msg.probability,
        position_m=point_from_msg(msg.position) if msg.has_position else None,
        normal=vector_from_msg(msg.normal) if msg.has_normal else None,
        length_mm=msg.length_mm,
        width_mm=msg.width_mm,
        area_mm2=msg.area_mm2,
        volume_mm3=msg.volume_mm3,
        peak_mm=msg.peak_mm,
        value=msg.value,
        limit=msg.limit,
        unit=msg.unit,
        uncertainty=msg.uncertainty,
        conformity=enum_from_msg(Conformity, msg.conformity),
        sources=tuple(source_from_msg(source) for source in msg.sources),
        position_sigma_mm=msg.position_sigma_mm,
        reach_mm=msg.reach_mm,
        contributions=tuple(contribution_from_msg(one) for one in msg.contributions),
    )


def coverage_to_msg(coverage: Coverage) -> CoverageMsg:
    """The share of the surface that was seen."""
    return CoverageMsg(
        share=coverage.share,
        minimum=coverage.minimum,
        unseen=list(coverage.unseen),
        zones=[
            ZoneCoverageMsg(name=zone.name, share=zone.share, minimum=zone.minimum)
            for zone in coverage.zones
        ],
    )


def coverage_from_msg(msg: CoverageMsg) -> Coverage:
    """The share of the surface that was seen."""
    zones = tuple(ZoneCoverage(zone.name, zone.share, zone.minimum) for zone in msg.zones)
    return Coverage(msg.share, msg.minimum, tuple(msg.unseen), zones)


def verdict_to_msg(verdict: Verdict) -> VerdictMsg:
    """The decision with all that led to it."""
    msg = VerdictMsg(
        inspection_id=verdict.inspection_id,
        part_id=verdict.part_id,
        part_type=verdict.part_type,
        decision=decision_to_msg(verdict.decision),
        reasons=[reason_to_msg(reason) for reason in verdict.reasons],
        defects=[defect_to_msg(defect) for defect in verdict.defects],
        views=[view_findings_to_msg(view) for view in verdict.views],
        stamp=stamp_to_msg(verdict.stamp_ns),
        recipe_hash=verdict.recipe_hash,
        cell_hash=verdict.cell_hash,
        software_version=verdict.software_version,
        model_hash=verdict.model_hash,
        bad_probability=verdict.bad_probability,
        contributions=[contribution_to_msg(one) for one in verdict.contributions],
    )
    if verdict.coverage is not None:
        msg.has_coverage, msg.coverage = True, coverage_to_msg(verdict.coverage)
    return msg


def verdict_from_msg(msg: VerdictMsg) -> Verdict:
    """The decision with all that led to it; raises DataError when it contradicts itself."""
    return Verdict(
        inspection_id=msg.inspection_id,
        part_id=msg.part_id,
        part_type=msg.part_type,
        decision=decision_from_msg(msg.decision),
        reasons=tuple(reason_from_msg(reason) for reason in msg.reasons),
        defects=tuple(defect_from_msg(defect) for defect in msg.defects),
        coverage=coverage_from_msg(msg.coverage) if msg.has_coverage else None,
        views=tuple(view_findings_from_msg(view) for view in msg.views),
        stamp_ns=stamp_from_msg(msg.stamp),
        recipe_hash=msg.recipe_hash,
        cell_hash=msg.cell_hash,
        software_version=msg.software_version,
        model_hash=msg.model_hash,
        bad_probability=msg.bad_probability,
        contributions=tuple(contribution_from_msg(one) for one in msg.contributions),
    )
