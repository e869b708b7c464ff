"""The comparison of an export with the trained weights, to read: beside the export."""

from collections.abc import Iterator
from pathlib import Path

from inspection_cell.learning.box_differences import Difference
from inspection_cell.learning.parity import LIMITS, Comparison
from inspection_cell.models import Export


def write_report(path: Path, export: Export, comparison: Comparison) -> None:
    """Write figures, limits and the boxes that differ most as Markdown."""
    path.write_text('\n'.join(_lines(export, comparison)) + '\n', encoding='utf-8')


def _lines(export: Export, comparison: Comparison) -> Iterator[str]:
    parity, limits = comparison.parity, LIMITS[export.precision]
    yield f'# {export.backend} {export.precision} against the trained weights'
    yield ''
    if parity.problems:
        yield 'Refused:'
        yield ''
        yield from (f'- {problem}' for problem in parity.problems)
    else:
        yield 'Equal within the limits: it may be used.'
    yield ''
    yield '| what | found | allowed |'
    yield '|---|---|---|'
    yield f'| boxes above {parity.threshold:g} | {parity.boxes} on {parity.images} images | |'
    yield f'| without a partner | {parity.unmatched_share:.2%} | {limits.unmatched_share:.0%} |'
    yield f'| greatest score difference | {parity.max_score_difference:.4f} | {limits.score} |'
    yield f'| mAP50 difference | {parity.map50_difference:+.4f} | ±{limits.map50} |'
    yield f'| ms per image | {parity.ms_per_image:.1f} | |'
    yield f'| ms per image, trained weights | {parity.trained_ms_per_image:.1f} | |'
    yield ''
    yield f'Measured on {parity.machine}; challenge set {parity.challenge_sha256[:12]}…, '
    yield f'weights {parity.weights_sha256[:12]}…, export {export.sha256[:12]}….'
    yield ''
    yield '| image | class | box, px | trained | export | IoU |'
    yield '|---|---|---|---|---|---|'
    yield from map(_row, comparison.worst)


def _row(one: Difference) -> str:
    box = ', '.join(f'{value:.0f}' for value in one.box_px)
    scores = (_score(one.trained_score), _score(one.exported_score))
    return f'| {one.image} | {one.label} | {box} | {scores[0]} | {scores[1]} | {one.iou:.3f} |'


def _score(value: float | None) -> str:
    return 'none' if value is None else f'{value:.4f}'
