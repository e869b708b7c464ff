"""Measured features against their limits: bores, distances, flatness.

A feature may be measured in several views; the most certain one speaks. A feature that no view
could measure is not proven good.
"""

from collections.abc import Sequence
from math import floor, log10

from inspection_cell.findings import (
    FEATURE,
    Conformity,
    Decision,
    Finding,
    Reason,
    ViewFindings,
    ViewStatus,
)
from inspection_cell.recipe import Recipe
from inspection_cell.sections.features import measured_names

_DECISIONS = {
    Conformity.CONFORMS: ('measured', Decision.ACCEPT),
    Conformity.UNCERTAIN: ('measurement_uncertain', Decision.REVIEW),
    Conformity.BREAKS: ('measurement', Decision.REJECT),
}


def is_feature(finding: Finding) -> bool:
    """Whether a finding is a measured feature rather than a defect."""
    return finding.label.startswith(FEATURE) and finding.box_px is None


def measurement_reasons(recipe: Recipe, views: Sequence[ViewFindings]) -> list[Reason]:
    """One reason for each quantity that the recipe limits, in its order."""
    surface = recipe.file.surface
    if surface is None or not surface.features:
        return []
    return [_reason(name, views) for name in measured_names(surface.features)]


def _reason(name: str, views: Sequence[ViewFindings]) -> Reason:
    found = [
        (finding, view)
        for view in views
        if view.is_evidence and view.status is ViewStatus.OK
        for finding in view.findings
        if finding.label == FEATURE + name and finding.conformity in _DECISIONS
    ]
    if not found:
        text = f'{name} was not measured by any valid view'
        return Reason('feature_not_measured', text, decision=Decision.REVIEW)
    finding, view = min(found, key=lambda pair: (pair[0].uncertainty, str(pair[1].view)))
    code, decision = _DECISIONS[finding.conformity]
    if decision is Decision.ACCEPT and any(f.conformity is Conformity.BREAKS for f, _ in found):
        code, decision = _DECISIONS[Conformity.UNCERTAIN]  # views contradict each other
    return Reason(code, describe(name, finding, view), finding.value, finding.limit, decision)


def describe(name: str, finding: Finding, view: ViewFindings) -> str:
    """`bore_1: 12.0130 ± 0.0040 mm seen by scanner at top; limit 12.0100 mm`.

    The uncertainty is given with two digits, as usual, and the rest with as many decimals.
    """
    certain = finding.uncertainty > 0
    decimals = max(1 - floor(log10(finding.uncertainty)), 0) if certain else 3
    value, around, limit = (
        f'{number:.{decimals}f}' for number in (finding.value, finding.uncertainty, finding.limit)
    )
    unit = finding.unit
    return f'{name}: {value} ± {around} {unit} seen by {view.view}; limit {limit} {unit}'
