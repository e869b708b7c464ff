"""Severity rules: how many defects of which size are good, where, and how near to each other.

A defect is judged by the first rule that names its class and its zone. Where that is not certain
(it may lie beside the zone, or was merged from findings of other classes too) the rule counts it,
and so do the rules behind it, and in the end the limit of its class: whatever is not proven to be
forgiven is not forgiven.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from inspection_cell.findings import Conformity, Defect, Reason
from inspection_cell.judging.breaches import Member, breaches_of, forgiven_reason
from inspection_cell.judging.places import DefectPlaces, Place
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.decision import SURFACE_KINDS, SeverityRule


@dataclass(frozen=True, slots=True)
class Ruled:
    """What the rules say about the defects of one part.

    Attributes:
        reasons: for each rule that is broken, and each defect that is forgiven.
        settled: numbers (from 1) of defects that a rule judges alone: their class's limit does
            not hold.
    """

    reasons: tuple[Reason, ...] = ()
    settled: frozenset[int] = frozenset()


def apply_rules(
    recipe: Recipe, reference: ReferenceMesh | None, defects: Sequence[Defect]
) -> Ruled:
    """Judge defects by the recipe's rules; pure.

    Args:
        recipe: brings rules, zones and probabilities.
        reference: to tell the zones of the defects; without it each may lie in every zone.
        defects: of one part, in the order of its verdict.
    """
    rules = recipe.file.decision.rules
    if not rules or not defects:
        return Ruled()
    members, judged_by = _assigned(recipe, reference, defects)
    breaches = [
        breach
        for number, (rule, own) in enumerate(zip(rules, members, strict=True), start=1)
        for breach in breaches_of(number, rule, own)
    ]
    broken = frozenset(number for breach in breaches for number in breach.numbers)
    forgiven = [
        forgiven_reason(number, defects[number - 1], by, rules[by - 1])
        for number, by in judged_by.items()
        if number not in broken
    ]
    reasons = (*(breach.reason for breach in breaches), *forgiven)
    return Ruled(reasons, frozenset(judged_by))


def _assigned(
    recipe: Recipe, reference: ReferenceMesh | None, defects: Sequence[Defect]
) -> tuple[list[list[Member]], dict[int, int]]:
    """The defects of each rule, and by number of defect the rule (from 1) that settles it."""
    limits = recipe.file.decision
    by_zone = any(rule.zones for rule in limits.rules)
    named_labels = {label for rule in limits.rules for label in rule.labels}
    members: list[list[Member]] = [[] for _ in limits.rules]
    settled: dict[int, int] = {}
    places: DefectPlaces | None = None
    for number, defect in enumerate(defects, start=1):
        labels = _labels(defect)
        if defect.probability < limits.review_probability or not labels & named_labels:
            continue
        if by_zone and places is None:
            places = DefectPlaces(recipe, reference)
        place = places.of(defect) if places else Place()
        certain = defect.conformity is not Conformity.UNCERTAIN
        proven = certain and defect.probability >= limits.reject_probability
        for index, rule in enumerate(limits.rules):
            if not _may_concern(rule, labels, place):
                continue
            members[index].append(Member(number, defect, proven))
            if _surely_concerns(rule, labels, place):
                settled[number] = index + 1
                break
    return members, settled


def _labels(defect: Defect) -> set[str]:
    """All that its findings were called; what a scan found within its tolerance is nothing."""
    labels = {defect.label, *(source.label for source in defect.sources)}
    return labels - set(SURFACE_KINDS) if defect.conformity is Conformity.CONFORMS else labels


def _may_concern(rule: SeverityRule, labels: set[str], place: Place) -> bool:
    by_zone = rule.zones is None or not place.touched.isdisjoint(rule.zones)
    return by_zone and not labels.isdisjoint(rule.labels)


def _surely_concerns(rule: SeverityRule, labels: set[str], place: Place) -> bool:
    by_zone = rule.zones is None or place.lies_in(rule.zones)
    return by_zone and labels <= set(rule.labels)
