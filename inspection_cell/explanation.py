"""How a verdict came about, from its record: every value that a person needs to follow it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from inspection_cell.findings import (
    Contribution,
    Coverage,
    Defect,
    EvidenceFile,
    Reason,
    Source,
    Verdict,
    ViewFindings,
)
from inspection_cell.observations import ViewKey
from inspection_cell.records.store import Record


@dataclass(frozen=True, slots=True)
class ExplainedReason:
    """One reason with the decision that it alone leads to."""

    code: str
    text: str
    value: float
    limit: float
    decision: str


@dataclass(frozen=True, slots=True)
class Statement:
    """What one view says about a defect.

    Attributes:
        log_odds: by which it moves the probability; None where the record does not tell.
        findings: labels and scores of what it found there; none: it shows the place and found
            nothing.
    """

    view: str
    log_odds: float | None
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExplainedDefect:
    """One defect: `number` from 1, as in the pictures; lengths in mm, part frame."""

    number: int
    label: str
    probability: float
    position_mm: tuple[float, float, float] | None
    position_sigma_mm: float
    length_mm: float
    width_mm: float
    area_mm2: float
    volume_mm3: float
    peak_mm: float
    value: float
    limit: float
    unit: str
    uncertainty: float
    conformity: str
    seen_by: tuple[Statement, ...]
    not_seen_by: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class ExplainedView:
    """One view; `pose` in words: reported, refined and by whom, or not known."""

    view: str
    status: str
    reason: str
    presence: str
    evidence: str
    stamp: str
    stamp_ns: int
    inspect_s: float
    pose: str
    findings: int
    not_judged: int
    model_hash: str
    reference_hash: str


@dataclass(frozen=True, slots=True)
class ExplainedFile:
    """One evidence file; `here`: it lies in this data folder."""

    name: str
    kind: str
    host: str
    sha256: str
    here: bool


@dataclass(frozen=True, slots=True)
class ExplainedDisposition:
    """What was done with the part."""

    action: str
    bin: str
    confirmed: bool
    reason: str
    latency_s: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """The record of one inspection in reading order."""

    inspection_id: str
    part_id: str
    part_type: str
    stamp: str
    stamp_ns: int
    decision: str
    reasons: tuple[ExplainedReason, ...]
    bad_probability: float
    contributions: tuple[Statement, ...]
    defects: tuple[ExplainedDefect, ...]
    views: tuple[ExplainedView, ...]
    coverage: Coverage | None
    disposition: ExplainedDisposition | None
    evidence: tuple[ExplainedFile, ...]
    recipe_hash: str
    cell_hash: str
    model_hash: str
    software_version: str

    def as_json(self) -> dict[str, object]:
        """The same as one object."""
        return asdict(self)


def explain(record: Record, data_dir: Path) -> Explanation:
    """Everything that the record tells; `data_dir` is looked into for the evidence files."""
    verdict = record.verdict
    return Explanation(
        inspection_id=verdict.inspection_id,
        part_id=verdict.part_id,
        part_type=verdict.part_type,
        stamp=_time(verdict.stamp_ns),
        stamp_ns=verdict.stamp_ns,
        decision=verdict.decision.name,
        reasons=tuple(_reason(reason) for reason in verdict.reasons),
        bad_probability=verdict.bad_probability,
        contributions=tuple(Statement(str(c.view), c.log_odds) for c in verdict.contributions),
        defects=tuple(
            _defect(number, defect, verdict.views)
            for number, defect in enumerate(verdict.defects, start=1)
        ),
        views=tuple(_view(view, verdict) for view in verdict.views),
        coverage=verdict.coverage,
        disposition=_disposition(record),
        evidence=tuple(_file(one, data_dir) for one in record.evidence),
        recipe_hash=verdict.recipe_hash,
        cell_hash=verdict.cell_hash,
        model_hash=verdict.model_hash,
        software_version=verdict.software_version,
    )


def _reason(reason: Reason) -> ExplainedReason:
    values = (reason.value, reason.limit, reason.decision.name)
    return ExplainedReason(reason.code, reason.text, *values)


def _defect(number: int, defect: Defect, views: Sequence[ViewFindings]) -> ExplainedDefect:
    position = None
    if defect.position_m is not None:
        x, y, z = (round(float(value) * 1000.0, 3) for value in defect.position_m)
        position = (x, y, z)
    found: dict[ViewKey, list[str]] = {}
    for source in defect.sources:
        found.setdefault(source.view, []).append(_source(source, views))
    log_odds = {one.view: one.log_odds for one in defect.contributions}
    return ExplainedDefect(
        number=number,
        label=defect.label,
        probability=defect.probability,
        position_mm=position,
        position_sigma_mm=defect.position_sigma_mm,
        length_mm=defect.length_mm,
        width_mm=defect.width_mm,
        area_mm2=defect.area_mm2,
        volume_mm3=defect.volume_mm3,
        peak_mm=defect.peak_mm,
        value=defect.value,
        limit=defect.limit,
        unit=defect.unit,
        uncertainty=defect.uncertainty,
        conformity=defect.conformity.name,
        seen_by=tuple(
            Statement(str(view), log_odds.get(view), tuple(labels))
            for view, labels in found.items()
        ),
        not_seen_by=_silent(defect.contributions, found),
    )


def _source(source: Source, views: Sequence[ViewFindings]) -> str:
    """A finding in words, with the shots of the lighting sequence that show it."""
    shots = [
        finding.shots
        for view in views
        for finding in view.findings
        if source.is_of(view.view, finding)
    ]
    where = f' in {", ".join(shots[0])}' if shots and shots[0] else ''
    return f'{source.label} {source.score:.2f}{where}'


def _silent(
    contributions: Sequence[Contribution], found: dict[ViewKey, list[str]]
) -> tuple[Statement, ...]:
    """The views that show the place and found nothing there."""
    return tuple(
        Statement(str(one.view), one.log_odds) for one in contributions if one.view not in found
    )


def _view(view: ViewFindings, verdict: Verdict) -> ExplainedView:
    return ExplainedView(
        view=str(view.view),
        status=view.status.name,
        reason=view.reason,
        presence=view.presence.status.name,
        evidence=view.presence.evidence,
        stamp=_time(view.stamp_ns),
        stamp_ns=view.stamp_ns,
        inspect_s=view.inspect_s,
        pose=_pose(view, verdict.views),
        findings=len(view.findings),
        not_judged=sum(bool(finding.not_judged) for finding in view.findings),
        model_hash=view.model_hash,
        reference_hash=view.reference_hash,
    )


def _pose(view: ViewFindings, views: Sequence[ViewFindings]) -> str:
    """Whose word for the part's pose holds: the first registered scan of the presentation."""
    if view.transform_part_to_sensor is None:
        return 'not known'
    for other in views:
        refined = other.is_evidence and other.transform_part_to_cell_refined is not None
        if refined and other.view.presentation == view.view.presentation:
            return f'refined by {other.view.sensor}'
    return 'as the robot reported it'


def _disposition(record: Record) -> ExplainedDisposition | None:
    done = record.disposition
    if done is None:
        return None
    told = (done.action.name, done.bin, done.confirmed, done.reason, done.latency_s)
    return ExplainedDisposition(*told)


def _file(one: EvidenceFile, data_dir: Path) -> ExplainedFile:
    here = (data_dir / one.name).is_file()
    return ExplainedFile(one.name, one.kind, one.host, one.sha256, here)


def _time(stamp_ns: int) -> str:
    """ISO 8601 in UTC, to the millisecond; empty for a stamp never filled in.

    Simulated clocks begin at 0: what lies in 1970 is told in seconds.
    """
    if not stamp_ns:
        return ''
    if stamp_ns < 10**18 // 10:
        return f'{stamp_ns / 1e9:.3f} s'
    try:
        moment = datetime.fromtimestamp(stamp_ns // 10**9, tz=UTC)
    except (ValueError, OverflowError, OSError):  # of no calendar
        return f'{stamp_ns} ns'
    milliseconds = stamp_ns // 10**6 % 1000
    return f'{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z'
