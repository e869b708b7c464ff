"""Severity rules: how many defects of which size are good, where, and how near to each other.

A defect is judged by the first rule that names its class and its zone. Where that is not certain
(it may lie beside the zone, or was merged from findings of other classes too) the rule counts it,
and so do the rules behind it, and in the end the limit of its class: whatever is not proven to be
forgiven is not forgiven.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

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
        allowed: numbers of those too improbable to be judged that a rule alone would allow.
        forbidden: numbers of those too improbable to be judged that a rule would not allow.
    """

    reasons: tuple[Reason, ...] = ()
    settled: frozenset[int] = frozenset()
    allowed: frozenset[int] = frozenset()
    forbidden: frozenset[int] = frozenset()


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
    assigned = _assigned(recipe, reference, defects)
    judged_by = assigned.settled
    breaches = [
        breach
        for number, (rule, own) in enumerate(zip(rules, assigned.members, strict=True), start=1)
        for breach in breaches_of(number, rule, own)
    ]
    broken = frozenset(number for breach in breaches for number in breach.numbers)
    forgiven = [
        forgiven_reason(number, defects[number - 1], by, rules[by - 1])
        for number, by in judged_by.items()
        if number not in broken
    ]
    reasons = (*(breach.reason for breach in breaches), *forgiven)
    weak = assigned.weak
    return Ruled(
        reasons,
        frozenset(judged_by),
        frozenset(number for number, forbidden in weak.items() if not forbidden),
        frozenset(number for number, forbidden in weak.items() if forbidden),
    )


@dataclass(slots=True)
class _Assigned:
    """Who judges what.

    Attributes:
        members: the defects of each rule.
        settled: by number of defect, the rule (from 1) that settles it.
        weak: by number of a defect too improbable to be judged: whether a rule forbids it; those
            that no rule settles and none forbids are left out.
    """

    members: list[list[Member]]
    settled: dict[int, int] = field(default_factory=dict)
    weak: dict[int, bool] = field(default_factory=dict)

    def add(
        self, rules: Sequence[SeverityRule], member: Member, labels: set[str], place: Place
    ) -> None:
        """To all rules that may concern it, up to the first that surely does."""
        for index, rule in enumerate(rules):
            if not _may_concern(rule, labels, place):
                continue
            self.members[index].append(member)
            if _surely_concerns(rule, labels, place):
                self.settled[member.number] = index + 1
                return

    def add_weak(
        self, rules: Sequence[SeverityRule], member: Member, labels: set[str], place: Place
    ) -> None:
        """What the rules would say, were it real and alone."""
        alone = _Assigned([[] for _ in rules])
        alone.add(rules, member, labels, place)
        forbidden = any(
            True
            for rule, own in zip(rules, alone.members, strict=True)
            for _ in breaches_of(0, rule, own)
        )
        if forbidden or alone.settled:
            self.weak[member.number] = forbidden


def _assigned(
    recipe: Recipe, reference: ReferenceMesh | None, defects: Sequence[Defect]
) -> _Assigned:
    limits = recipe.file.decision
    by_zone = any(rule.zones for rule in limits.rules)
    named_labels = {label for rule in limits.rules for label in rule.labels}
    assigned = _Assigned([[] for _ in limits.rules])
    places: DefectPlaces | None = None
    for number, defect in enumerate(defects, start=1):
        labels = _labels(defect)
        if not labels & named_labels:
            continue
        if by_zone and places is None:
            places = DefectPlaces(recipe, reference)
        place = places.of(defect) if places else Place()
        certain = defect.conformity is not Conformity.UNCERTAIN
        proven = certain and defect.probability >= limits.reject_probability
        judged = defect.probability >= limits.review_probability
        add = assigned.add if judged else assigned.add_weak
        add(limits.rules, Member(number, defect, proven), labels, place)
    return assigned


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
