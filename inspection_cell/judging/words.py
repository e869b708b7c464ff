"""Defects and views in words, as reasons tell them."""

from collections.abc import Iterable, Sequence

from inspection_cell.findings import Defect
from inspection_cell.observations import ViewKey


def named(defect: Defect) -> str:
    """`scratch 0.81 seen by left at top`."""
    seen_by = views_in_words({source.view for source in defect.sources})
    return f'{defect.label} {defect.probability:.2f} seen by {seen_by or "nobody"}'


def describe(defect: Defect) -> str:
    """One defect in words: `scratch 0.81 seen by left at top, 12.4 mm long; limit 3 mm`."""
    text = named(defect)
    unit = f' {defect.unit}' if defect.unit else ''
    if defect.peak_mm and defect.value == defect.peak_mm:
        around = f' ± {defect.uncertainty:.2g}' if defect.uncertainty else ''
        text += f', {defect.value:+.2f}{around}{unit} off the reference'
    elif defect.value and defect.unit == 'mm':
        text += f', {defect.value:.1f} mm long'
    elif defect.value:
        text += f', {defect.value:.3g}{unit}'
    return text + (f'; limit {defect.limit:g}{unit}' if defect.limit else '; none is allowed')


def describe_process(defect: Defect) -> str:
    """One quantity in words: `process_peak of force at top: 12.3 N; at most 10 N`."""
    measured_by = ' and '.join(sorted({str(source.view) for source in defect.sources}))
    side = 'at most' if defect.value > defect.limit else 'at least'
    bound = f'{side} {defect.limit:g} {defect.unit}'
    return f'{defect.label} of {measured_by}: {defect.value:.4g} {defect.unit}; {bound}'


def views_in_words(views: Iterable[ViewKey]) -> str:
    """`left, right at top and scanner at tilted`: sensors gathered by presentation."""
    sensors: dict[str, list[str]] = {}
    for view in sorted(views):
        sensors.setdefault(view.presentation, []).append(view.sensor)
    return ' and '.join(f'{", ".join(names)} at {held}' for held, names in sensors.items())


def numbers_in_words(numbers: Sequence[int]) -> str:
    """`D1, D2, D5`: defects by their number in the verdict."""
    return ', '.join(f'D{number}' for number in numbers)
