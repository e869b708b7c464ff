"""Recorded findings judged again: what another recipe would have decided.

Fusion, coverage and the decision are done anew from what the inspectors found. What they did with
images and scans is not: the detector with its least scores, masks, presence, tolerances, features
of the surface and which scans are judged together stay as they were; for those, replay the stored
parts.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from inspection_cell.errors import DataError
from inspection_cell.findings import Decision, Reason, Verdict
from inspection_cell.fusion.fuse import Fuser
from inspection_cell.recipe import Recipe
from inspection_cell.verdict import WITHHELD, judge, withhold

# What fusion, coverage and decision read of a recipe.
APPLIED = re.compile(
    r'(coverage|fusion|decision|zones|reference|presentations)(\.|$)'
    r'|detection\.classes\.[^.]+\.(max_length_mm|view_miss_rate|detection_rate)'
)


@dataclass(frozen=True, slots=True)
class Rejudged:
    """One record with the verdict that was and the one that would be."""

    before: Verdict
    after: Verdict

    @property
    def gone(self) -> tuple[Reason, ...]:
        """Reasons that no longer hold as they were told."""
        return _lacking(self.before.reasons, self.after.reasons)

    @property
    def new(self) -> tuple[Reason, ...]:
        """Reasons that were not told before."""
        return _lacking(self.after.reasons, self.before.reasons)

    @property
    def decisions(self) -> tuple[Decision, Decision]:
        """Before and after."""
        return self.before.decision, self.after.decision


def rejudge(verdict: Verdict, fuser: Fuser) -> Rejudged:
    """Fuse and judge the recorded views again; nothing is written, nothing is asked of a clock.

    With the recipe and the cell of the record the verdict comes out as it was. What withheld it
    for reasons outside of the views (a full disk) still does.

    Args:
        verdict: as recorded.
        fuser: of the recipe to judge by and the cell that the views were taken in.

    Raises:
        DataError: for a record of another part type, one without findings, or one whose scans
            were judged together otherwise.
    """
    recipe = fuser.recipe
    if verdict.part_type != recipe.part_type:
        raise DataError(
            f'{verdict.inspection_id}: is of a {verdict.part_type}, '
            f'{recipe.path} judges a {recipe.part_type}'
        )
    if not verdict.views:
        why = '; '.join(reason.text for reason in verdict.reasons) or 'no reason is recorded'
        raise DataError(f'{verdict.inspection_id}: ended before there were findings: {why}')
    _refuse_other_joint(verdict, recipe)
    again = judge(
        recipe,
        fuser.fuse(verdict.views),
        verdict.views,
        inspection_id=verdict.inspection_id,
        part_id=verdict.part_id,
        stamp_ns=verdict.stamp_ns,
        cell_hash=fuser.cell.sha256,
        reference=fuser.reference,
    )
    for reason in verdict.reasons:
        if reason.code in WITHHELD:
            again = withhold(again, reason.code, reason.text)
    return Rejudged(verdict, again)


def not_applied(before: Recipe, after: Recipe) -> tuple[str, ...]:
    """Keys that differ, but say what the inspectors do with images, scans and signals."""
    first, second = (dict(_leaves(one.file.model_dump(mode='json'))) for one in (before, after))
    looked_by = _looked_by(before) | _looked_by(after)
    return tuple(
        key
        for key in sorted(first.keys() | second.keys())
        if first.get(key) != second.get(key)
        and (not APPLIED.match(key) or '.'.join(key.split('.')[:2]) in looked_by)
    )


def _looked_by(recipe: Recipe) -> set[str]:
    """Keys that inspectors have read too: what they found by them stays as it was."""
    file = recipe.file.model_dump(mode='json')
    detection, surface = file.get('detection') or {}, file.get('surface') or {}
    named = json.dumps([detection.get('masks'), detection.get('regions'), surface])
    keys = {f'zones.{name}' for name in recipe.file.zones if json.dumps(name) in named}
    return keys | ({'coverage.max_incidence_deg'} if surface else set())


def _leaves(content: object, key: str = '') -> Iterator[tuple[str, object]]:
    if isinstance(content, dict) and content:
        for name, value in content.items():
            yield from _leaves(value, f'{key}.{name}' if key else name)
    else:
        yield key, content


def _refuse_other_joint(verdict: Verdict, recipe: Recipe) -> None:
    """Scans that were judged together say nothing alone, and the other way round."""
    joint = next((view.view for view in verdict.views if view.view.is_joint), None)
    if joint != recipe.file.joint_view:
        raise DataError(
            f'{verdict.inspection_id}: scans judged together: {joint or "none"}; {recipe.path} '
            f'wants {recipe.file.joint_view or "none"}: replay the stored part'
        )


def count_changes(records: Iterable[Rejudged]) -> dict[tuple[Decision, Decision], int]:
    """How many records went from which decision to which, the most frequent first."""
    return dict(Counter(one.decisions for one in records).most_common())


def _lacking(these: Iterable[Reason], those: Iterable[Reason]) -> tuple[Reason, ...]:
    told = set(those)
    return tuple(reason for reason in these if reason not in told)
