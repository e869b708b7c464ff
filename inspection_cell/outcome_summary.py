"""The figures over many outcomes: escapes, false rejects and times."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from inspection_cell.outcome import DefectOutcome, Outcome


@dataclass(frozen=True, slots=True)
class Middle:
    """Median and 95th percentile; None when nothing was measured."""

    p50: float | None
    p95: float | None


@dataclass(frozen=True, slots=True)
class Tail:
    """99th percentile; None when nothing was measured."""

    p99: float | None


@dataclass(frozen=True, slots=True)
class InspectionEntry:
    """One part in the summary."""

    part_id: str
    good: bool | None
    decision: str
    reasons: tuple[str, ...]
    defects: tuple[DefectOutcome, ...]


@dataclass(frozen=True, slots=True)
class OutcomeSummary:
    """What `demo --json` and `replay --json` print.

    Attributes:
        good, defective, escapes, false_rejects: over the parts whose truth is known; None when
            that is none of them.
    """

    parts: int
    good: int | None
    defective: int | None
    escapes: int | None
    false_rejects: int | None
    review: int
    unknown: int
    verdict_latency_ms: Middle
    cycle_s: Middle
    release_latency_ms: Tail
    inspections: tuple[InspectionEntry, ...]


def summarise(outcomes: Sequence[Outcome]) -> OutcomeSummary:
    """Count and measure the outcomes."""
    truths = [outcome.truth for outcome in outcomes if outcome.truth is not None]
    good = sum(truth.good for truth in truths)
    decisions = [outcome.decision for outcome in outcomes]
    latencies = [outcome.verdict_latency_ms for outcome in outcomes]
    cycles = [outcome.cycle_s for outcome in outcomes]
    return OutcomeSummary(
        parts=len(outcomes),
        good=good if truths else None,
        defective=len(truths) - good if truths else None,
        escapes=sum(outcome.is_escape for outcome in outcomes) if truths else None,
        false_rejects=sum(outcome.is_false_reject for outcome in outcomes) if truths else None,
        review=decisions.count('REVIEW'),
        unknown=decisions.count('UNKNOWN'),
        verdict_latency_ms=Middle(_percentile(latencies, 50), _percentile(latencies, 95)),
        cycle_s=Middle(_percentile(cycles, 50), _percentile(cycles, 95)),
        release_latency_ms=Tail(_percentile([o.release_latency_ms for o in outcomes], 99)),
        inspections=tuple(_entry(outcome) for outcome in outcomes),
    )


def summary_to_json(summary: OutcomeSummary) -> dict[str, object]:
    """The summary as the JSON object of the commands."""
    return asdict(summary)


def _entry(outcome: Outcome) -> InspectionEntry:
    good = None if outcome.truth is None else outcome.truth.good
    return InspectionEntry(
        outcome.part_id, good, outcome.decision, outcome.reasons, outcome.defects
    )


def _percentile(values: Sequence[float | None], share: float) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.percentile(known, share)), 3) if known else None
