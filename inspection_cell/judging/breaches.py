"""One severity rule and the defects that it judges: where they are too large, many or near."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import pi

import numpy as np

from inspection_cell.findings import Decision, Defect, Reason
from inspection_cell.judging.words import named, numbers_in_words
from inspection_cell.sections.decision import SURFACE_KINDS, SeverityRule

_DECISIONS = {'reject': Decision.REJECT, 'review': Decision.REVIEW}


@dataclass(frozen=True, slots=True)
class Member:
    """A defect that a rule judges; `proven`: probable and measured enough for its decision."""

    number: int
    defect: Defect
    proven: bool


@dataclass(frozen=True, slots=True)
class Breach:
    """One way in which a rule is broken, and by which defects."""

    reason: Reason
    numbers: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Size:
    """One quantity of a defect that a rule limits; `value` None: nobody could measure it."""

    code: str
    value: float | None
    limit: float
    words: str


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two defects that one rule counts."""

    first: Member
    second: Member

    @property
    def is_placed(self) -> bool:
        """Whether both have a position."""
        places = self.first.defect.position_m, self.second.defect.position_m
        return all(place is not None for place in places)

    @property
    def gap_mm(self) -> float:
        """From rim to rim, mm; 0 where a position is not known."""
        places = self.first.defect.position_m, self.second.defect.position_m
        if places[0] is None or places[1] is None:
            return 0.0
        apart_mm = float(np.linalg.norm(places[0] - places[1])) * 1000.0
        rims_mm = (_length_mm(self.first.defect) + _length_mm(self.second.defect)) / 2
        return max(apart_mm - rims_mm, 0.0)


def breaches_of(number: int, rule: SeverityRule, members: Sequence[Member]) -> Iterator[Breach]:
    """Every way in which one rule (its number in the recipe, from 1) is broken."""
    counted = [one for one in members if not _is_ignored(rule, one.defect)]
    for member in counted:
        yield from _too_large(number, rule, member)
    yield from _too_many(number, rule, counted)
    yield from _too_near(number, rule, counted)


def _is_ignored(rule: SeverityRule, defect: Defect) -> bool:
    return defect.position_m is not None and _length_mm(defect) < rule.ignore_below_mm


def _length_mm(defect: Defect) -> float:
    return max(defect.length_mm, defect.width_mm)


def _area_mm2(defect: Defect) -> float:
    """As scans measured all of it, else the greatest of any figure so long (Bieberbach 1915)."""
    if defect.area_mm2 and all(source.label in SURFACE_KINDS for source in defect.sources):
        return defect.area_mm2
    return max(defect.area_mm2, pi / 4 * _length_mm(defect) ** 2)


def _sizes(rule: SeverityRule, defect: Defect) -> Iterator[_Size]:
    """What the rule limits of a defect, in the order of its fields."""
    placed, scanned = defect.position_m is not None, defect.peak_mm != 0.0
    if rule.max_length_mm is not None:
        length = _length_mm(defect) if placed else None
        yield _Size('rule_length', length, rule.max_length_mm, 'mm long')
    if rule.max_area_mm2 is not None:
        area = _area_mm2(defect) if placed else None
        yield _Size('rule_area', area, rule.max_area_mm2, 'mm² large')
    if rule.max_peak_mm is not None:
        peak = abs(defect.peak_mm) if scanned else None
        yield _Size('rule_peak', peak, rule.max_peak_mm, 'mm off the reference')


def _too_large(number: int, rule: SeverityRule, member: Member) -> Iterator[Breach]:
    for size in _sizes(rule, member.defect):
        if size.value is not None and size.value <= size.limit:
            continue
        who = f'D{member.number} {named(member.defect)}'
        bound = f'{_rule_in_words(number, rule)} allows at most {size.limit:g} {size.words}'
        if size.value is None:
            code, told = 'rule_not_measured', f'{who} is of unknown size'
        else:
            code, told = size.code, f'{who} is {size.value:.4g} {size.words}'
        decision = _decision(rule, proven=member.proven)
        reason = Reason(code, f'{told}; {bound}', size.value or 0.0, size.limit, decision)
        yield Breach(reason, frozenset({member.number}))


def _too_many(number: int, rule: SeverityRule, counted: Sequence[Member]) -> Iterator[Breach]:
    if rule.max_count is None or len(counted) <= rule.max_count:
        return
    proven = sum(member.proven for member in counted)
    numbers = [member.number for member in counted]
    most = f'at most {rule.max_count}' if rule.max_count else 'none'
    text = (
        f'{len(counted)} counted ({numbers_in_words(numbers)}); '
        f'{_rule_in_words(number, rule)} allows {most}'
    )
    decision = _decision(rule, proven=proven > rule.max_count)
    reason = Reason('rule_count', text, len(counted), rule.max_count, decision)
    yield Breach(reason, frozenset(numbers))


def _too_near(number: int, rule: SeverityRule, counted: Sequence[Member]) -> Iterator[Breach]:
    least_mm = rule.min_distance_mm
    if least_mm is None:
        return
    pairs = [_Pair(first, second) for first, second in combinations(counted, 2)]
    near = [pair for pair in pairs if pair.gap_mm < least_mm]
    if not near:
        return
    proven = [pair for pair in near if pair.first.proven and pair.second.proven]
    nearest = min(proven or near, key=lambda pair: pair.gap_mm)
    told = f'{nearest.gap_mm:.3g} mm apart' if nearest.is_placed else 'not known to be apart'
    text = (
        f'D{nearest.first.number} and D{nearest.second.number} are {told}; '
        f'{_rule_in_words(number, rule)} demands at least {least_mm:g} mm'
    )
    decision = _decision(rule, proven=bool(proven))
    reason = Reason('rule_distance', text, nearest.gap_mm, least_mm, decision)
    numbers = {member.number for pair in near for member in (pair.first, pair.second)}
    yield Breach(reason, frozenset(numbers))


def forgiven_reason(number: int, defect: Defect, rule_number: int, rule: SeverityRule) -> Reason:
    """Why a defect is good in spite of being there."""
    size = next(_sizes(rule, defect), None)
    told = f'D{number} {named(defect)}'
    value, limit = 0.0, float(rule.max_count or 0)
    if size is not None and size.value is not None:
        value, limit = size.value, size.limit
        told += f', {size.value:.4g} {size.words}'
    text = f'{told}: allowed by {_rule_in_words(rule_number, rule)}'
    return Reason('defect_allowed', text, value, limit, Decision.ACCEPT)


def _rule_in_words(number: int, rule: SeverityRule) -> str:
    """`rule 2 (scratch in seal)`."""
    where = f' in {", ".join(rule.zones)}' if rule.zones else ''
    return f'rule {number} ({", ".join(rule.labels)}{where})'


def _decision(rule: SeverityRule, *, proven: bool) -> Decision:
    return _DECISIONS[rule.decision] if proven else Decision.REVIEW
