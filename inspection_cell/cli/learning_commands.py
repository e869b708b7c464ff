"""`synthesize` and `train`: from the simulator to a detector."""

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from inspection_cell.bringup import load_recipes
from inspection_cell.cell import load_cell
from inspection_cell.cli.console import ERR, OUT, print_json
from inspection_cell.errors import DataError
from inspection_cell.learning.synthesis import SynthesisPlan, Synthesized
from inspection_cell.learning.synthesis import synthesize as write_images
from inspection_cell.locations import demo_cell, demo_recipes


def synthesize(
    out: Annotated[Path, typer.Option(help='Folder for images and labels; must be empty.')],
    images: Annotated[int, typer.Option(min=2, help='How many camera images.')] = 600,
    seed: Annotated[int, typer.Option(min=0, help='The same seed gives the same images.')] = 0,
    cell: Annotated[
        Path | None, typer.Option(help='The cell.yaml; default: the demo cell.')
    ] = None,
    recipe: Annotated[
        list[Path] | None, typer.Option('--recipe', help='A recipe.yaml; several may be given.')
    ] = None,
    json: Annotated[bool, typer.Option('--json', help='Print one JSON object.')] = False,
) -> None:
    """Render labelled images of simulated parts, for training."""
    loaded = load_cell(cell or demo_cell())
    recipes = load_recipes(loaded, recipe or ([] if cell else demo_recipes()))
    workers = len(os.sched_getaffinity(0))
    plan = SynthesisPlan(loaded, recipes, images, seed, workers=workers)
    with Progress(console=ERR, disable=json) as progress:
        task = progress.add_task('rendering parts', total=None)
        written = write_images(
            plan, out, lambda done, total: progress.update(task, completed=done, total=total)
        )
    if json:
        print_json(_written_to_json(written))
    else:
        boxes = ', '.join(f'{count} {label}' for label, count in written.boxes.items())
        OUT.print(f'{written.train} for training, {written.val} for validation; {boxes}')
        OUT.print(f'{written.data}\n{written.contact_sheet}', style='dim')


def train(
    data: Annotated[Path, typer.Option(help='data.yaml in YOLO layout.')],
    out: Annotated[Path, typer.Option(help='Model folder to write.')],
    name: Annotated[str, typer.Option(help='Name of the model.')] = 'detector',
    epochs: Annotated[int, typer.Option(min=1, help='Passes over the images.')] = 60,
    image_size: Annotated[
        int, typer.Option(min=32, max=8192, help='Side of the images in training, pixels.')
    ] = 320,
    batch: Annotated[int, typer.Option(min=1, help='Images per step.')] = 16,
    seed: Annotated[int, typer.Option(min=0, help='Seed of the training.')] = 0,
    max_hours: Annotated[float | None, typer.Option(min=0.0, help='Ends it earlier.')] = None,
    json: Annotated[bool, typer.Option('--json', help='Print one JSON object.')] = False,
) -> None:
    """Train a detector from scratch on the CPU, measure it and write its model folder."""
    if not data.is_file():
        raise DataError(f'{data}: expected a data.yaml in YOLO layout, there is none')
    from inspection_cell.learning.training import TrainingPlan  # PyTorch takes seconds
    from inspection_cell.learning.training import train as train_detector

    plan = TrainingPlan(
        data,
        name=name,
        epochs=epochs,
        image_size=image_size,
        batch=batch,
        seed=seed,
        max_hours=max_hours,
    )
    with Progress(console=ERR, disable=json) as progress:
        task = progress.add_task('epochs', total=epochs)
        folder = train_detector(
            plan,
            out,
            lambda report: progress.update(
                task,
                completed=report.epoch,
                total=report.epochs,
                description=f'epoch {report.epoch}, mAP50 {report.map50:.3f}',
            ),
        )
    metrics = folder.file.metrics
    if json:
        print_json(folder.file.model_dump(mode='json'))
    elif metrics is not None:
        OUT.print(f'mAP50 {metrics.map50:.3f}, mAP50-95 {metrics.map50_95:.3f}\n{folder.path}')


def _written_to_json(written: Synthesized) -> dict[str, object]:
    return {
        'data': str(written.data),
        'contact_sheet': str(written.contact_sheet),
        'train': written.train,
        'val': written.val,
        'boxes': written.boxes,
    }
