"""Defects, views and coverage against the recipe: the decision with its reasons."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from inspection_cell import __version__
from inspection_cell.findings import (
    Conformity,
    Decision,
    Defect,
    PresenceStatus,
    Reason,
    Verdict,
    ViewFindings,
    ViewStatus,
)
from inspection_cell.fusion.admission import admit, is_process
from inspection_cell.fusion.fuse import Fused
from inspection_cell.fusion.limits import exceeds
from inspection_cell.measurements import measurement_reasons
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import Recipe

PRECEDENCE = (Decision.REJECT, Decision.UNKNOWN, Decision.REVIEW, Decision.ACCEPT)


def judge(
    recipe: Recipe,
    fused: Fused,
    views: Sequence[ViewFindings],
    *,
    inspection_id: str,
    part_id: str,
    stamp_ns: int,
    cell_hash: str,
) -> Verdict:
    """Decide about one part; pure.

    Every reason carries the decision that it alone leads to; the part gets the first of REJECT,
    UNKNOWN, REVIEW, ACCEPT that any reason asks for. ACCEPT needs every required view valid,
    this part proven, and coverage known and sufficient.

    Args:
        recipe: brings required views and limits.
        fused: of the same views.
        inspection_id: of this inspection; views of another one are refused.
        part_id: as the line knows the part.
        cell_hash: of the cell file.
        views: what came; required views that did not come count as MISSING.
        stamp_ns: now, ROS clock.
    """
    own = admit(recipe, inspection_id, views)
    models = _models(own)
    reasons = [
        *_defect_reasons(recipe, fused),
        *measurement_reasons(recipe, own),
        *(reason for view in own for reason in _view_reasons(recipe, view)),
        *_part_reasons(own, fused),
        *_model_reasons(models),
        *_coverage_reasons(fused),
        *_off_part_reasons(fused),
        *(reason for view in own for reason in _not_judged_reasons(view)),
    ]
    decision = _first([reason.decision for reason in reasons] + [Decision.ACCEPT])
    if decision is Decision.ACCEPT:
        reasons.append(_accepted(own, fused))
    reasons.sort(key=lambda reason: PRECEDENCE.index(reason.decision))
    return Verdict(
        inspection_id,
        part_id,
        recipe.part_type,
        decision,
        tuple(reasons),
        fused.defects,
        fused.coverage,
        own,
        stamp_ns,
        recipe.sha256,
        cell_hash,
        __version__,
        model_hash=next(iter(models)) if len(models) == 1 else '',
    )


def withhold(verdict: Verdict, code: str, text: str) -> Verdict:
    """The same verdict, no longer ACCEPT, because something outside the views forbids it."""
    decision = _first([verdict.decision, Decision.UNKNOWN])
    reason = Reason(code, text, decision=Decision.UNKNOWN)
    reasons = sorted(
        (reason, *verdict.reasons), key=lambda given: PRECEDENCE.index(given.decision)
    )
    return replace(verdict, decision=decision, reasons=tuple(reasons))


def _first(decisions: Iterable[Decision]) -> Decision:
    return min(decisions, key=PRECEDENCE.index)


def _defect_reasons(recipe: Recipe, fused: Fused) -> list[Reason]:
    limits = recipe.file.decision
    reasons = []
    for defect in fused.defects:
        of_process = any(is_process(recipe, source.view) for source in defect.sources)
        text = _describe_process(defect) if of_process else describe(defect)
        # A signal's limit bounds from above or below; its inspector tells only what is beyond.
        if not of_process and _within(defect):
            code, decision = 'defect_within_limit', Decision.ACCEPT
        elif defect.conformity is Conformity.UNCERTAIN:
            code, decision = 'measurement_uncertain', Decision.REVIEW
        elif defect.probability >= limits.reject_probability:
            code, decision = 'defect', Decision.REJECT
        elif defect.probability >= limits.review_probability:
            code, decision = 'defect_uncertain', Decision.REVIEW
        else:
            code, decision = 'defect_improbable', Decision.ACCEPT
            text += f'; probable from {limits.review_probability:.2f}'
        reasons.append(Reason(code, text, defect.value, defect.limit, decision))
    return reasons


def _within(defect: Defect) -> bool:
    if defect.conformity is Conformity.UNKNOWN:
        return not exceeds(defect.value, defect.limit)
    return defect.conformity is Conformity.CONFORMS


def describe(defect: Defect) -> str:
    """One defect in words: `scratch 0.81 seen by left at top, 12.4 mm long; limit 3 mm`."""
    seen_by = _views_in_words({source.view for source in defect.sources})
    text = f'{defect.label} {defect.probability:.2f} seen by {seen_by}'
    unit = f' {defect.unit}' if defect.unit else ''
    if defect.peak_mm and defect.value == defect.peak_mm:
        around = f' ± {defect.uncertainty:.2g}' if defect.uncertainty else ''
        text += f', {defect.value:+.2f}{around}{unit} off the reference'
    elif defect.value and defect.unit == 'mm':
        text += f', {defect.value:.1f} mm long'
    elif defect.value:
        text += f', {defect.value:.3g}{unit}'
    return text + (f'; limit {defect.limit:g}{unit}' if defect.limit else '; none is allowed')


def _describe_process(defect: Defect) -> str:
    """One quantity in words: `process_peak of force at top: 12.3 N; at most 10 N`."""
    measured_by = ' and '.join(sorted({str(source.view) for source in defect.sources}))
    side = 'at most' if defect.value > defect.limit else 'at least'
    bound = f'{side} {defect.limit:g} {defect.unit}'
    return f'{defect.label} of {measured_by}: {defect.value:.4g} {defect.unit}; {bound}'


def _views_in_words(views: Iterable[ViewKey]) -> str:
    """`left, right at top and scanner at tilted`: sensors gathered by presentation."""
    sensors: dict[str, list[str]] = {}
    for view in sorted(views):
        sensors.setdefault(view.presentation, []).append(view.sensor)
    return ' and '.join(f'{", ".join(names)} at {held}' for held, names in sensors.items())


def _view_reasons(recipe: Recipe, view: ViewFindings) -> list[Reason]:
    """Why this view alone does not let the part pass; empty when it does.

    A process signal cannot show that the part was there, and need not.
    """
    because = f': {view.reason}' if view.reason else ''
    if view.status is ViewStatus.NOT_REGISTERED:
        text = f'{view.view} does not show this part type{because}'
        return [Reason('view_not_registered', text, decision=Decision.REVIEW)]
    if view.status is not ViewStatus.OK:
        words = view.status.name.lower()
        text = f'{view.view} is {words}{because}'
        return [Reason(f'view_{words}', text, decision=Decision.UNKNOWN)]
    if view.presence.status is PresenceStatus.PRESENT or is_process(recipe, view.view):
        return []
    told = f': {view.presence.evidence}' if view.presence.evidence else ''
    code = 'absent' if view.presence.status is PresenceStatus.ABSENT else 'no_presence'
    text = f'{view.view} does not prove that the part was there{told}'
    return [Reason(code, text, view.presence.score, 0.0, Decision.REVIEW)]


def _part_reasons(own: Sequence[ViewFindings], fused: Fused) -> list[Reason]:
    reasons = [
        Reason(
            'other_reference',
            f'{view} was compared with another reference mesh than this recipe names',
            decision=Decision.UNKNOWN,
        )
        for view in fused.foreign
    ]
    if not any(view.is_evidence for view in own):
        text = 'no view proves that this part was there'
        reasons.append(Reason('no_part', text, 0.0, 1.0, Decision.UNKNOWN))
    return reasons


def _models(own: Sequence[ViewFindings]) -> dict[str, list[ViewKey]]:
    """The views by the hash of the detector that looked at them."""
    models: dict[str, list[ViewKey]] = {}
    for view in own:
        if view.model_hash:
            models.setdefault(view.model_hash, []).append(view.view)
    return models


def _model_reasons(models: Mapping[str, Sequence[ViewKey]]) -> list[Reason]:
    """One inspection is one model's: what two of them say together was never validated."""
    if len(models) < 2:
        return []
    seen = ' and '.join(f'{_views_in_words(v)} by {name[:12]}' for name, v in models.items())
    text = f'{len(models)} models looked at one part: {seen}'
    return [Reason('mixed_models', text, len(models), 1.0, Decision.UNKNOWN)]


def _coverage_reasons(fused: Fused) -> list[Reason]:
    coverage = fused.coverage
    if coverage is None:
        return [Reason('no_coverage', 'it is not known what was seen', decision=Decision.UNKNOWN)]
    if coverage.share >= coverage.minimum:
        return []
    lacking = f'; no valid view: {", ".join(coverage.unseen)}' if coverage.unseen else ''
    text = f'{coverage.share:.1%} of the surface seen; at least {coverage.minimum:.1%}{lacking}'
    return [Reason('coverage', text, coverage.share, coverage.minimum, Decision.REVIEW)]


def _off_part_reasons(fused: Fused) -> list[Reason]:
    return [
        Reason(
            'off_part',
            f'{source.label} {source.score:.2f} seen by {source.view} beside the part; not judged',
            source.score,
            decision=Decision.ACCEPT,
        )
        for source in fused.off_part
    ]


def _not_judged_reasons(view: ViewFindings) -> list[Reason]:
    """What a mask or a region of interest took out stays told."""
    return [
        Reason(
            'not_judged',
            f'{one.label} {one.score:.2f} seen by {view.view} is not judged: {one.not_judged}',
            one.score,
            decision=Decision.ACCEPT,
        )
        for one in view.findings
        if one.not_judged and view.status is ViewStatus.OK
    ]


def _accepted(own: Sequence[ViewFindings], fused: Fused) -> Reason:
    share = fused.coverage.share if fused.coverage else 0.0
    minimum = fused.coverage.minimum if fused.coverage else 0.0
    text = f'no defect beyond its limit in {len(own)} views, {share:.1%} covered'
    return Reason('accepted', text, share, minimum, Decision.ACCEPT)
