"""`synthesize` and `train`: from the simulator to a detector."""

import dataclasses
import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from inspection_cell.bringup import load_recipes
from inspection_cell.cell import load_cell
from inspection_cell.cli.console import ERR, OUT, print_json
from inspection_cell.cli.training_runs import (
    chosen_task,
    folds_to_json,
    numbers,
    print_folds,
    train_folds,
    train_one,
)
from inspection_cell.errors import DataError
from inspection_cell.learning.folds import Fold
from inspection_cell.learning.synthesis import SynthesisPlan, Synthesized, tile_side
from inspection_cell.learning.synthesis import synthesize as write_images
from inspection_cell.learning.training_settings import AUGMENTATIONS, OPTIMISERS
from inspection_cell.locations import demo_cell, demo_recipes


class SynthesisPurpose(StrEnum):
    """What rendered parts are for."""

    TRAIN = 'train'
    TUNE = 'tune'
    TEST = 'test'


class LabelChoice(StrEnum):
    """How labels are written: for detection, obb and segmentation."""

    BOXES = 'boxes'
    ORIENTED = 'oriented'
    OUTLINES = 'outlines'


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
    purpose: Annotated[
        SynthesisPurpose, typer.Option(help='Tuning and testing get parts of their own.')
    ] = SynthesisPurpose.TRAIN,
    labels: Annotated[LabelChoice, typer.Option(help='What is written.')] = LabelChoice.BOXES,
    tile_px: Annotated[
        int | None,
        typer.Option(min=0, help='Side of the tiles; 0: whole images. Default: 320 in training.'),
    ] = None,
    good_share: Annotated[
        float | None, typer.Option(min=0, max=1, help='Of the parts, how many have no defects.')
    ] = None,
    own_look: Annotated[
        bool, typer.Option('--own-look', help="Keep the cell's light, background and marks.")
    ] = False,
    json: Annotated[bool, typer.Option('--json', help='Print one JSON object.')] = False,
) -> None:
    """Render labelled images of simulated parts, for training or for a test."""
    loaded = load_cell(cell or demo_cell())
    recipes = load_recipes(loaded, recipe or ([] if cell else demo_recipes()))
    plan = SynthesisPlan(
        loaded,
        recipes,
        images,
        seed,
        tile_px=tile_side(tile_px, purpose.value),
        workers=len(os.sched_getaffinity(0)),
        purpose=purpose.value,
        label_kind=labels.value,
        varied=not own_look,
        good_share=good_share,
    )
    with Progress(console=ERR, disable=json) as progress:
        task = progress.add_task('rendering parts', total=None)
        written = write_images(
            plan, out, lambda done, total: progress.update(task, completed=done, total=total)
        )
    if json:
        print_json(_written_to_json(written))
    else:
        boxes = ', '.join(f'{count} {label}' for label, count in written.boxes.items())
        OUT.print(f'{written.train} for training, {written.val} for measuring; {boxes}')
        OUT.print(f'{written.data}\n{written.contact_sheet}', style='dim')


def train(
    data: Annotated[Path, typer.Option(help='data.yaml, or a folder in YOLO layout.')],
    out: Annotated[Path, typer.Option(help='Model folder to write.')],
    name: Annotated[str, typer.Option(help='Name of the model.')] = 'detector',
    task: Annotated[
        str | None, typer.Option(help='detect, obb or segment; default: as the labels are.')
    ] = None,
    base: Annotated[
        str, typer.Option(help='Architecture (from scratch), weights or a model folder.')
    ] = 'yolo26n',
    epochs: Annotated[int, typer.Option(min=1, help='Passes over the images.')] = 60,
    image_size: Annotated[
        int, typer.Option(min=32, max=8192, help='Side of the images in training, pixels.')
    ] = 320,
    batch: Annotated[int, typer.Option(min=1, help='Images per step.')] = 16,
    seed: Annotated[
        int, typer.Option(min=0, help='Same seed, machine and threads: same weights.')
    ] = 0,
    optimizer: Annotated[str, typer.Option(help=f'{", ".join(OPTIMISERS)}.')] = 'AdamW',
    augmentation: Annotated[
        str, typer.Option(help=f'{", ".join(AUGMENTATIONS)}.')
    ] = 'fixed_cameras',
    setting: Annotated[
        list[str] | None,
        typer.Option('--set', help="NAME=NUMBER: one of the trainer's settings, as lr0=0.004."),
    ] = None,
    max_hours: Annotated[
        float | None, typer.Option(min=0.0, help='Fewer epochs: as many as fit in.')
    ] = None,
    patience: Annotated[
        int | None, typer.Option(min=1, help='Ends after so many epochs without a better one.')
    ] = None,
    folds: Annotated[
        int | None, typer.Option(min=2, help='Deal the split `train` into so many folds.')
    ] = None,
    fold: Annotated[
        int | None, typer.Option(min=0, help='Only hold out this one; default: each in turn.')
    ] = None,
    resume: Annotated[
        bool, typer.Option('--resume', help='Go on with an unfinished training in --out.')
    ] = False,
    json: Annotated[bool, typer.Option('--json', help='Print one JSON object.')] = False,
) -> None:
    """Train a detector on the CPU, measure it and write its model folder."""
    from inspection_cell.learning.training import TrainingPlan  # PyTorch takes seconds

    plan = TrainingPlan(
        data,
        name=name,
        task=chosen_task(task),
        epochs=epochs,
        image_size=image_size,
        batch=batch,
        seed=seed,
        base=base,
        optimizer=optimizer,
        augmentation=augmentation,
        own_settings=numbers(setting or ()),
        max_hours=max_hours,
        patience=patience,
    )
    if folds is None:
        if fold is not None:
            raise DataError('--fold: expected --folds beside it')
        folder = train_one(plan, out, resume=resume, silent=json)
        metrics = folder.file.metrics
        if json:
            print_json(folder.file.model_dump(mode='json'))
        elif metrics is not None:
            OUT.print(f'mAP50 {metrics.map50:.3f}, mAP50-95 {metrics.map50_95:.3f}\n{folder.path}')
        return
    chosen = range(folds) if fold is None else [fold]
    plans = [dataclasses.replace(plan, fold=Fold(folds, index, seed)) for index in chosen]
    trained = train_folds(plans, out, resume=resume, silent=json)
    if json:
        print_json(folds_to_json(trained))
    else:
        print_folds(trained)


def _written_to_json(written: Synthesized) -> dict[str, object]:
    return {
        'data': str(written.data),
        'contact_sheet': str(written.contact_sheet),
        'train': written.train,
        'val': written.val,
        'boxes': written.boxes,
    }
