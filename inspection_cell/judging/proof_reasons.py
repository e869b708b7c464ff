"""What lacks for a part to be proven good: valid views, presence, one model, coverage."""

from collections.abc import Mapping, Sequence

from inspection_cell.findings import (
    Coverage,
    Decision,
    PresenceStatus,
    Reason,
    ViewFindings,
    ViewStatus,
)
from inspection_cell.fusion.admission import is_process
from inspection_cell.fusion.fuse import Fused
from inspection_cell.judging.words import views_in_words
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import Recipe


def view_reasons(recipe: Recipe, view: ViewFindings) -> list[Reason]:
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


def part_reasons(own: Sequence[ViewFindings], fused: Fused) -> list[Reason]:
    """Whether it was this part at all: the reference of the scans, and anybody's presence."""
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


def models_of(own: Sequence[ViewFindings]) -> dict[str, list[ViewKey]]:
    """The views by the hash of the detector that looked at them."""
    models: dict[str, list[ViewKey]] = {}
    for view in own:
        if view.model_hash:
            models.setdefault(view.model_hash, []).append(view.view)
    return models


def model_reasons(models: Mapping[str, Sequence[ViewKey]]) -> list[Reason]:
    """One inspection is one model's: what two of them say together was never validated."""
    if len(models) < 2:
        return []
    seen = ' and '.join(f'{views_in_words(v)} by {name[:12]}' for name, v in models.items())
    text = f'{len(models)} models looked at one part: {seen}'
    return [Reason('mixed_models', text, len(models), 1.0, Decision.UNKNOWN)]


def coverage_reasons(coverage: Coverage | None) -> list[Reason]:
    """What was not seen enough: the part as a whole, and each zone by its name."""
    if coverage is None:
        return [Reason('no_coverage', 'it is not known what was seen', decision=Decision.UNKNOWN)]
    short = [zone for zone in coverage.zones if zone.share < zone.minimum]
    others = [name for name in coverage.unseen if name not in {zone.name for zone in short}]
    reasons = []
    if coverage.share < coverage.minimum or others:
        lacking = f'; lacking: {", ".join(others)}' if others else ''
        text = f'{_seen(coverage.share, coverage.minimum, "the surface")}{lacking}'
        limits = (coverage.share, coverage.minimum)
        reasons.append(Reason('coverage', text, *limits, Decision.REVIEW))
    for zone in short:
        text = _seen(zone.share, zone.minimum, f'zone {zone.name}')
        reasons.append(
            Reason('coverage_zone', text, zone.share, zone.minimum, Decision.REVIEW),
        )
    return reasons


def _seen(share: float, minimum: float, of: str) -> str:
    return f'{share:.1%} of {of} seen; at least {minimum:.1%}'


def off_part_reasons(fused: Fused) -> list[Reason]:
    """Specks of the background stay told."""
    return [
        Reason(
            'off_part',
            f'{source.label} {source.score:.2f} seen by {source.view} beside the part; not judged',
            source.score,
            decision=Decision.ACCEPT,
        )
        for source in fused.off_part
    ]


def not_judged_reasons(view: ViewFindings) -> list[Reason]:
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
