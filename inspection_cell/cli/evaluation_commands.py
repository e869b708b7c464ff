"""`evaluate`: how good a model is on labelled images, and probabilities for its scores."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from inspection_cell.cli.console import ERR, OUT, print_json, say_warning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspection_cell.learning.calibration import Fitted
    from inspection_cell.learning.evaluation import Evaluation
    from inspection_cell.learning.model_evaluation import ModelEvaluation


SplitOption = Annotated[
    str, typer.Option(help='train, val, test, or fold: what the training held out.')
]
RecipeOption = Annotated[
    Path | None, typer.Option(help='A recipe.yaml: its thresholds and image size.')
]
BackendOption = Annotated[
    str | None,
    typer.Option(
        help='pytorch, openvino, onnxruntime, tensorrt, or openvino-int8 and the like; '
        'default: the fastest that is proven.'
    ),
]
SizeOption = Annotated[
    int | None,
    typer.Option(min=32, max=8192, help="Longest side, pixels; default: the training's."),
]
SensorOption = Annotated[
    str | None, typer.Option(help='Whose images, where the recipe slices those of some.')
]
MinScoreOption = Annotated[
    float, typer.Option(min=0, max=1, help='Threshold of every class, without a recipe.')
]
FitOption = Annotated[
    bool, typer.Option('--fit-calibration', help='Store what makes scores probabilities.')
]


def evaluate(
    model: Annotated[Path, typer.Option(help='Model folder.')],
    data: Annotated[Path, typer.Option(help='data.yaml, or a folder in YOLO layout.')],
    split: SplitOption = 'val',
    recipe: RecipeOption = None,
    backend: BackendOption = None,
    image_size: SizeOption = None,
    sensor: SensorOption = None,
    min_score: MinScoreOption = 0.25,
    fit_calibration: FitOption = False,
    seed: Annotated[int, typer.Option(min=0, help='Deals the images for its proof.')] = 0,
    report: Annotated[Path | None, typer.Option(help='Folder for pictures.')] = None,
    json: Annotated[bool, typer.Option('--json', help='Print one JSON object.')] = False,
) -> None:
    """Measure a model on labelled images: precision, recall, false alarms, time."""
    from inspection_cell.learning.model_evaluation import (  # takes a second
        EvaluationRequest,
        evaluate_model,
    )

    request = EvaluationRequest(
        model,
        data,
        split,
        recipe,
        backend,
        image_size,
        sensor,
        min_score,
        fit=fit_calibration,
        seed=seed,
    )
    with Progress(console=ERR, disable=json) as progress:
        task = progress.add_task('images', total=None)
        result = evaluate_model(
            request, lambda done, total: progress.update(task, completed=done, total=total)
        )
    pictures = [] if report is None else _draw(result, report)
    if json:
        print_json({**result_to_json(result), 'pictures': [str(path) for path in pictures]})
    else:
        _print(result, pictures)


def result_to_json(result: ModelEvaluation) -> dict[str, object]:
    """Every figure, by the names of the commands' contract and more."""
    found = result.evaluation
    per_class = {
        label: {
            'map50': one.map50,
            'map50_95': one.map50_95,
            'boxes': one.truths,
            'min_score': one.min_score,
            'found': one.found,
            'precision': one.precision,
            'recall': one.recall,
            'detection_rate': one.detection_rate,
        }
        for label, one in found.per_class.items()
    }
    return {
        'map50': found.map50,
        'map50_95': found.map50_95,
        'per_class': per_class,
        'images': found.images,
        'ms_per_image': found.ms_per_image,
        'backend': found.backend,
        'overlap': found.overlap,
        'defect_free_images': found.defect_free_images,
        'false_alarms': found.false_alarms,
        'false_alarms_per_defect_free_image': found.false_alarms_per_defect_free_image,
        'confusion': {
            'labels': [*found.per_class, 'nothing'],
            'counts': found.confusion.tolist(),
        },
        'calibrated': result.calibrated,
        'calibration': None if result.fitted is None else _fitted_to_json(result.fitted),
        'model': str(result.folder.path),
        'model_hash': found.model_hash,
        'data': result.data,
    }


def _fitted_to_json(fitted: Fitted) -> dict[str, object]:
    return {
        'stored': fitted.helps,
        'expected_error': fitted.error,
        'expected_error_before': fitted.error_before,
        'detections': fitted.detections,
        'per_class': {
            label: {'slope': one.slope, 'offset': one.offset}
            for label, one in fitted.per_class.items()
        },
        'kept': dict(fitted.kept),
    }


def _draw(result: ModelEvaluation, folder: Path) -> Sequence[Path]:
    from inspection_cell.learning.evaluation_pictures import draw_evaluation, draw_reliability

    pictures = draw_evaluation(result.evaluation, folder)
    if result.fitted is None:
        return pictures
    return (*pictures, draw_reliability(result.fitted, folder))


def _print(result: ModelEvaluation, pictures: Sequence[Path]) -> None:
    found = result.evaluation
    table = Table('class', title=escape(result.data), title_justify='left')
    for column in ('true', 'AP50', 'AP50-95', 'threshold', 'found', 'precision', 'recall'):
        table.add_column(column, justify='right')
    for label, one in found.per_class.items():
        figures = [_figure(one.map50), _figure(one.map50_95), f'{one.min_score:g}']
        shares = [str(one.found), _figure(one.precision), _figure(one.recall)]
        table.add_row(escape(label), str(one.truths), *figures, *shares)
    OUT.print(table)
    OUT.print(f'mAP50 {found.map50:.3f}, mAP50-95 {found.map50_95:.3f} of {found.overlap}')
    if found.defect_free_images:
        OUT.print(
            f'{found.false_alarms} false alarms on {found.defect_free_images} defect-free images: '
            f'{_figure(found.false_alarms_per_defect_free_image)} per image'
        )
    OUT.print(f'{found.ms_per_image:.1f} ms per image, {found.backend}')
    _print_rates(found)
    if result.fitted is not None:
        _print_calibration(result.fitted)
    for picture in pictures:
        OUT.print(str(picture), style='dim')


def _print_rates(evaluation: Evaluation) -> None:
    """Lines for `detection.classes` of a recipe."""
    rates = {label: one.detection_rate for label, one in evaluation.per_class.items()}
    if any(rates.values()):
        OUT.print('found by size in the image, pixels, at these thresholds:')
    for label, rate in rates.items():
        if rate:
            pairs = ', '.join(f'[{size:g}, {share:g}]' for size, share in rate)
            OUT.print(escape(f'  {label}: detection_rate: [{pairs}]'), soft_wrap=True)


def _print_calibration(fitted: Fitted) -> None:
    for label, reason in fitted.kept.items():
        say_warning(f'{label} keeps its scores: {reason}')
    change = (
        f'expected calibration error {fitted.error_before:.3f} before, {fitted.error:.3f} after, '
        f'on images that were not fitted on ({fitted.detections} detections, cross-fitted)'
    )
    if fitted.helps:
        OUT.print(f'calibration stored: {change}')
    else:
        say_warning(f'no calibration stored, it would not help: {change}')


def _figure(value: float | None) -> str:
    return '-' if value is None else f'{value:.3f}'
