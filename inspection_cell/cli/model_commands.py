"""`export` and `promote`: from trained weights to the model that a cell runs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import Progress

from inspection_cell.cli.console import ERR, OUT, print_json, say_error
from inspection_cell.errors import ModelError
from inspection_cell.locations import user_data_folder
from inspection_cell.models import Backend, Precision
from inspection_cell.recipe import load_recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inspection_cell.learning.exporting import ExportResult, Format
    from inspection_cell.learning.promotion import Promotion

BACKENDS: dict[str, Backend] = {
    'openvino': 'openvino',
    'onnx': 'onnxruntime',
    'tensorrt': 'tensorrt',
}
PRECISIONS: tuple[Precision, ...] = ('fp32', 'bf16', 'fp16', 'int8')


FormatsOption = Annotated[
    list[str] | None,
    typer.Option('--format', help='openvino, onnx or tensorrt; default: openvino and onnx.'),
]
PrecisionsOption = Annotated[
    list[str] | None,
    typer.Option(
        '--precision',
        help='fp32, bf16, fp16 or int8; default: all that need no '
        'calibration and that this machine computes.',
    ),
]
ChallengeOption = Annotated[
    Path | None,
    typer.Option(
        help='Labelled images in YOLO layout to compare on; they become the '
        "model's challenge set. Default: the one in the model folder."
    ),
]
ChallengeImagesOption = Annotated[
    int, typer.Option(min=1, help='How many of them are kept; all classes are shown.')
]
ChallengeCropOption = Annotated[
    int | None,
    typer.Option(min=32, help='Cut squares of this side out around labelled things, px.'),
]
CalibrationOption = Annotated[
    Path | None, typer.Option(help='Folder of images for int8, none of the challenge set.')
]
SizeOption = Annotated[
    int | None, typer.Option(min=32, max=8192, help="As the recipe's; default: whole images.")
]
ThreadsOption = Annotated[
    int | None, typer.Option(min=1, help='Of the CPU; 1 is best where others compute too.')
]


def export(
    model: Annotated[Path, typer.Option(help='Model folder; the exports are put into it.')],
    formats: FormatsOption = None,
    precisions: PrecisionsOption = None,
    challenge: ChallengeOption = None,
    challenge_images: ChallengeImagesOption = 48,
    challenge_crop: ChallengeCropOption = None,
    calibration: CalibrationOption = None,
    image_size: SizeOption = None,
    threads: ThreadsOption = None,
    json: Annotated[bool, typer.Option('--json', help='Print one JSON object.')] = False,
) -> None:
    """Export a model and compare each export with the trained weights; only equal ones are used.

    Exit status 1 when a precision that was asked for is refused, or all are.
    """
    wanted = _formats(formats or ['openvino', 'onnx'], precisions, calibration is not None)
    from inspection_cell.learning.challenge_storing import Choice, store_challenge
    from inspection_cell.learning.exporting import ExportPlan, check_plan  # PyTorch takes seconds
    from inspection_cell.learning.exporting import export as export_model
    from inspection_cell.models import load_model_folder
    from inspection_cell.views.image_files import image_files

    images = image_files([calibration]) if calibration else ()
    plan = ExportPlan(wanted, calibration=images, image_size=image_size, threads=threads)
    folder = load_model_folder(model)
    check_plan(folder, plan)
    if challenge is not None:
        store_challenge(challenge, folder, Choice(challenge_images, challenge_crop))
    with Progress(console=ERR, disable=json) as progress:
        results = export_model(model, plan, _shown(progress))
    if json:
        print_json({'model': str(model), 'exports': [_result_to_json(one) for one in results]})
    else:
        for one in results:
            _print_result(one)
    refused = [one for one in results if not one.export.proven]
    if len(refused) == len(results) or (precisions and refused):
        raise typer.Exit(1)


def promote(
    recipe: Annotated[
        list[Path],
        typer.Option('--recipe', help='The recipe.yaml; each is examined by itself.'),
    ],
    model: Annotated[Path | None, typer.Option(help='Model folder of the candidate.')] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where promoted models go; default: the user's folder.")
    ] = None,
    challenge: Annotated[
        Path | None,
        typer.Option(help="Labelled images; default: the incumbent's challenge set."),
    ] = None,
    margin: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help='What mAP50, recall, precision may be worse by.'),
    ] = 0.02,
    rollback: Annotated[
        bool, typer.Option('--rollback', help='Put the model before the last promotion back.')
    ] = False,
    json: Annotated[bool, typer.Option('--json', help='Print one JSON object.')] = False,
) -> None:
    """Make a proven model that is not worse than the present one the recipe's model."""
    if rollback == (model is not None):
        raise typer.BadParameter('give either --model or --rollback')
    from inspection_cell.learning import promotion

    data_dir = data_dir or user_data_folder()
    done: dict[str, object] = {}
    for one in [load_recipe(path) for path in recipe]:
        if model is None:
            folder = promotion.rollback(one, data_dir)
            done[one.part_type] = {'rolled_back': str(folder)}
            said = f'back in use: {escape(str(folder))}'
        else:
            with Progress(console=ERR, disable=json) as progress:
                promoted = promotion.promote(
                    model,
                    one,
                    data_dir,
                    challenge=challenge,
                    margin=margin,
                    progress=_shown(progress),
                )
            done[one.part_type] = _promotion_to_json(promoted)
            said = _promotion_in_words(promoted)
        if not json:
            OUT.print(f'{one.part_type}: {said}')
    if json:
        print_json(done)


def _formats(
    names: Sequence[str], precisions: Sequence[str] | None, calibrated: bool
) -> tuple[Format, ...]:
    from inspection_cell.learning.exporting import Format
    from inspection_cell.ultralytics_adapter.exporting import FORMATS
    from inspection_cell.views.openvino_runner import computes

    unknown = [name for name in names if name not in BACKENDS]
    unknown += [name for name in precisions or [] if name not in PRECISIONS]
    if unknown:
        raise typer.BadParameter(
            f'{", ".join(unknown)}: expected a format of {", ".join(BACKENDS)} and a precision of '
            f'{", ".join(PRECISIONS)}'
        )
    wanted = []
    for name in dict.fromkeys(names):
        backend = BACKENDS[name]
        for precision in FORMATS[backend]:
            usable = precision != 'int8' or calibrated
            usable &= precision != 'bf16' or computes('bf16')
            if precision in precisions if precisions else usable:
                wanted.append(Format(backend, precision))
    if not wanted:
        raise ModelError(f'{", ".join(names)}: none computes in {", ".join(precisions or [])}')
    return tuple(wanted)


def _shown(progress: Progress) -> Callable[[str, int, int], None]:
    """A bar for each thing that is done."""
    tasks: dict[str, object] = {}

    def show(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = progress.add_task(what, total=total)
        progress.update(tasks[what], completed=done)  # type: ignore[arg-type]

    return show


def _print_result(one: ExportResult) -> None:
    parity = one.comparison.parity
    word = '[green]proven[/]' if one.export.proven else '[red]refused[/]'
    OUT.print(
        f'{word} {one.export.backend} {one.export.precision}: {parity.boxes} boxes on '
        f'{parity.images} images, {parity.unmatched_share:.2%} without a partner, scores within '
        f'{parity.max_score_difference:.3f}, mAP50 {parity.map50_difference:+.3f}, '
        f'{parity.ms_per_image:.0f} ms (trained {parity.trained_ms_per_image:.0f}), '
        f'{one.size_bytes / 1e6:.1f} MB'
    )
    for problem in parity.problems:
        say_error(f'{one.export.backend} {one.export.precision}: {problem}')


def _result_to_json(one: ExportResult) -> dict[str, object]:
    return {
        'proven': one.export.proven,
        'bytes': one.size_bytes,
        'report': str(one.report),
        **one.export.model_dump(mode='json'),
    }


def _promotion_to_json(done: Promotion) -> dict[str, object]:
    advantage = done.advantage
    return {
        'promoted': str(done.folder),
        'sha256': done.sha256,
        'replaced': done.replaced,
        'advantage': None if advantage is None else dataclasses.asdict(advantage),
    }


def _promotion_in_words(done: Promotion) -> str:
    lines = [f'[green]promoted[/] {escape(str(done.folder))}']
    if done.advantage is not None:
        lines += [
            f'{one.name} {one.candidate:.3f}, was {one.incumbent:.3f} on '
            f'{done.advantage.images} images; difference at least {one.lower:+.3f} (95 %)'
            for one in done.advantage.differences
        ]
    return '\n'.join(lines)
