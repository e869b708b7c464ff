"""What the defects and the part as a whole mean for the decision."""

from collections.abc import Sequence

from inspection_cell.findings import Conformity, Decision, Defect, Reason
from inspection_cell.fusion.admission import is_process
from inspection_cell.fusion.fuse import Fused
from inspection_cell.fusion.limits import exceeds
from inspection_cell.fusion.probability import any_of
from inspection_cell.judging.severity import Ruled, apply_rules
from inspection_cell.judging.words import describe, describe_process
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh


def defect_reasons(
    recipe: Recipe, fused: Fused, reference: ReferenceMesh | None = None
) -> list[Reason]:
    """Why each defect is good or not: by the rule that judges it, else by its class's limit.

    Last comes the part as a whole, where it is probably bad though no single defect is.

    Args:
        recipe: brings limits and rules.
        fused: the defects, and how probable it is that the part is bad.
        reference: to tell the zones of the defects; without it each may lie in every zone.
    """
    ruled = apply_rules(recipe, reference, fused.defects)
    own = [
        _by_limit(recipe, defect)
        for number, defect in enumerate(fused.defects, start=1)
        if number not in ruled.settled
    ]
    reasons = [*own, *ruled.reasons]
    return reasons + _part_reasons(recipe, fused, ruled, reasons)


def _by_limit(recipe: Recipe, defect: Defect) -> Reason:
    limits = recipe.file.decision
    of_process = any(is_process(recipe, source.view) for source in defect.sources)
    text = describe_process(defect) if of_process else describe(defect)
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
    return Reason(code, text, defect.value, defect.limit, decision)


def _within(defect: Defect) -> bool:
    if defect.conformity is Conformity.UNKNOWN:
        return not exceeds(defect.value, defect.limit)
    return defect.conformity is Conformity.CONFORMS


def _part_reasons(
    recipe: Recipe, fused: Fused, ruled: Ruled, reasons: Sequence[Reason]
) -> list[Reason]:
    """The part is probably bad, though no defect alone leads to that decision."""
    limits = recipe.file.decision
    probability = _bad_probability(fused, ruled)
    taken = {reason.decision for reason in reasons}
    if probability >= limits.reject_probability > 0.0:
        code, decision, limit = 'part_probably_bad', Decision.REJECT, limits.reject_probability
    elif probability >= limits.review_probability > 0.0:
        code, decision, limit = 'part_uncertain', Decision.REVIEW, limits.review_probability
    else:
        return []
    if decision in taken or Decision.REJECT in taken:
        return []
    text = (
        f'the part is bad with probability {probability:.2f}, all its views together, '
        f'though no defect alone decides that; {decision.name.lower()} from {limit:.2f}'
    )
    return [Reason(code, text, probability, limit, decision)]


def _bad_probability(fused: Fused, ruled: Ruled) -> float:
    """That the part is bad by what has not been decided defect by defect.

    Fusion knows the limits of the classes alone. What rules judge, or would allow, and what is
    within its uncertainty is taken out; then the other defects tell, as if they were independent.
    Improbable defects that a rule forbids come to them, whatever their class allows.
    """
    numbered = list(enumerate(fused.defects, start=1))
    decided = {
        number
        for number, defect in numbered
        if number in ruled.settled | ruled.allowed or defect.conformity is Conformity.UNCERTAIN
    }
    beyond = fused.bad_probability
    if decided:
        others = [d.probability for n, d in numbered if n not in decided and not _within(d)]
        beyond = min(any_of(others), beyond)
    forbidden = [d.probability for n, d in numbered if n in ruled.forbidden and _within(d)]
    return any_of([beyond, *forbidden]) if forbidden else beyond
