"""`train`: a detector from labelled images, or one for each of several folds."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inspection_cell.cli.console import OUT, print_json
from inspection_cell.cli.training_runs import (
    chosen_head,
    chosen_task,
    folds_to_json,
    numbers,
    print_folds,
    train_folds,
    train_one,
)
from inspection_cell.errors import DataError
from inspection_cell.learning.folds import Fold
from inspection_cell.learning.training_settings import AUGMENTATIONS, OPTIMISERS

if TYPE_CHECKING:
    from inspection_cell.learning.training import TrainingPlan

DataOption = Annotated[Path, typer.Option(help='data.yaml, or a folder in YOLO layout.')]
TaskOption = Annotated[
    str | None, typer.Option(help='detect, obb or segment; default: as the labels are.')
]
BaseOption = Annotated[
    str, typer.Option(help='Architecture (from scratch), weights or a model folder.')
]
SizeOption = Annotated[
    int, typer.Option(min=32, max=8192, help='Side of the images in training, pixels.')
]
SeedOption = Annotated[
    int, typer.Option(min=0, help='Same seed, machine and threads: same weights.')
]
OptimizerOption = Annotated[str, typer.Option(help=f'{", ".join(OPTIMISERS)}.')]
AugmentationOption = Annotated[str, typer.Option(help=f'{", ".join(AUGMENTATIONS)}.')]
HeadOption = Annotated[str, typer.Option(help='nms_free, or nms: better with few images.')]
SettingOption = Annotated[
    list[str] | None,
    typer.Option('--set', help="NAME=NUMBER: one of the trainer's settings, as lr0=0.004."),
]
HoursOption = Annotated[
    float | None, typer.Option(min=0.0, help='Fewer epochs: as many as fit in.')
]
PatienceOption = Annotated[
    int | None, typer.Option(min=1, help='Ends after so many epochs without a better one.')
]
PasteOption = Annotated[
    int, typer.Option(min=0, help='So many images more, with defects set into others.')
]
FoldsOption = Annotated[
    int | None, typer.Option(min=2, help='Deal the split `train` into so many folds.')
]
FoldOption = Annotated[
    int | None, typer.Option(min=0, help='Only hold out this one; default: each in turn.')
]
ResumeOption = Annotated[
    bool, typer.Option('--resume', help='Go on with an unfinished training in --out.')
]


def train(
    data: DataOption,
    out: Annotated[Path, typer.Option(help='Model folder to write.')],
    name: Annotated[str, typer.Option(help='Name of the model.')] = 'detector',
    task: TaskOption = None,
    base: BaseOption = 'yolo26n',
    epochs: Annotated[int, typer.Option(min=1, help='Passes over the images.')] = 60,
    image_size: SizeOption = 320,
    batch: Annotated[int, typer.Option(min=1, help='Images per step.')] = 16,
    seed: SeedOption = 0,
    optimizer: OptimizerOption = 'AdamW',
    augmentation: AugmentationOption = 'fixed_cameras',
    head: HeadOption = 'nms_free',
    setting: SettingOption = None,
    max_hours: HoursOption = None,
    patience: PatienceOption = None,
    paste: PasteOption = 0,
    folds: FoldsOption = None,
    fold: FoldOption = None,
    resume: ResumeOption = False,
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
        head=chosen_head(head),
        own_settings=numbers(setting or ()),
        max_hours=max_hours,
        patience=patience,
        pasted=paste,
    )
    if folds is not None:
        _train_folds(plan, out, folds, fold, resume=resume, json=json)
    elif fold is not None:
        raise DataError('--fold: expected --folds beside it')
    else:
        _train_once(plan, out, resume=resume, json=json)


def _train_once(plan: TrainingPlan, out: Path, *, resume: bool, json: bool) -> None:
    folder = train_one(plan, out, resume=resume, silent=json)
    metrics = folder.file.metrics
    if json:
        print_json(folder.file.model_dump(mode='json'))
    elif metrics is not None:
        OUT.print(f'mAP50 {metrics.map50:.3f}, mAP50-95 {metrics.map50_95:.3f}\n{folder.path}')


def _train_folds(
    plan: TrainingPlan, out: Path, folds: int, fold: int | None, *, resume: bool, json: bool
) -> None:
    chosen = range(folds) if fold is None else [fold]
    plans = [dataclasses.replace(plan, fold=Fold(folds, index, plan.seed)) for index in chosen]
    trained = train_folds(plans, out, resume=resume, silent=json)
    if json:
        print_json(folds_to_json(trained))
    else:
        print_folds(trained)
