"""Defects, views and coverage against the recipe: the decision with its reasons."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from inspection_cell import __version__
from inspection_cell.findings import Decision, Reason, Verdict, ViewFindings
from inspection_cell.fusion.admission import admit
from inspection_cell.fusion.fuse import Fused
from inspection_cell.judging.defect_reasons import defect_reasons
from inspection_cell.judging.proof_reasons import (
    coverage_reasons,
    model_reasons,
    models_of,
    not_judged_reasons,
    off_part_reasons,
    part_reasons,
    view_reasons,
)
from inspection_cell.measurements import measurement_reasons
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh

PRECEDENCE = (Decision.REJECT, Decision.UNKNOWN, Decision.REVIEW, Decision.ACCEPT)
WITHHELD = ('disk_full', 'not_recorded')  # why verdicts are withheld


def judge(
    recipe: Recipe,
    fused: Fused,
    views: Sequence[ViewFindings],
    *,
    inspection_id: str,
    part_id: str,
    stamp_ns: int,
    cell_hash: str,
    reference: ReferenceMesh | None = None,
) -> Verdict:
    """Decide about one part; pure.

    Every reason carries the decision that it alone leads to; the part gets the first of REJECT,
    UNKNOWN, REVIEW, ACCEPT that any reason asks for. ACCEPT needs every required view valid,
    this part proven, and coverage known and sufficient.

    Args:
        recipe: brings required views, limits and rules.
        fused: of the same views.
        inspection_id: of this inspection; views of another one are refused.
        part_id: as the line knows the part.
        cell_hash: of the cell file.
        views: what came; required views that did not come count as MISSING.
        stamp_ns: now, ROS clock.
        reference: the recipe's mesh, for rules of zones; without it a defect may lie in every
            zone, and none forgives it.
    """
    own = admit(recipe, inspection_id, views)
    models = models_of(own)
    reasons = [
        *defect_reasons(recipe, fused, reference),
        *measurement_reasons(recipe, own),
        *(reason for view in own for reason in view_reasons(recipe, view)),
        *part_reasons(own, fused),
        *model_reasons(models),
        *coverage_reasons(fused.coverage),
        *off_part_reasons(fused),
        *(reason for view in own for reason in not_judged_reasons(view)),
    ]
    decision = _first([reason.decision for reason in reasons] + [Decision.ACCEPT])
    if decision is Decision.ACCEPT:
        reasons.append(_accepted(own, fused))
    return Verdict(
        inspection_id,
        part_id,
        recipe.part_type,
        decision,
        _in_order(reasons),
        fused.defects,
        fused.coverage,
        own,
        stamp_ns,
        recipe.sha256,
        cell_hash,
        __version__,
        model_hash=next(iter(models)) if len(models) == 1 else '',
        bad_probability=fused.bad_probability,
        contributions=fused.contributions,
    )


def withhold(verdict: Verdict, code: str, text: str) -> Verdict:
    """The same verdict, no longer ACCEPT, because something outside the views forbids it."""
    decision = _first([verdict.decision, Decision.UNKNOWN])
    reason = Reason(code, text, decision=Decision.UNKNOWN)
    return replace(verdict, decision=decision, reasons=_in_order((reason, *verdict.reasons)))


def _first(decisions: Iterable[Decision]) -> Decision:
    return min(decisions, key=PRECEDENCE.index)


def _in_order(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The gravest first."""
    return tuple(sorted(reasons, key=lambda reason: PRECEDENCE.index(reason.decision)))


def _accepted(own: Sequence[ViewFindings], fused: Fused) -> Reason:
    share = fused.coverage.share if fused.coverage else 0.0
    minimum = fused.coverage.minimum if fused.coverage else 0.0
    text = f'no defect beyond its limit in {len(own)} views, {share:.1%} covered'
    return Reason('accepted', text, share, minimum, Decision.ACCEPT)
