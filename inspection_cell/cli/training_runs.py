"""Trainings from the command line: one, or one per fold, with a progress bar."""

from __future__ import annotations

from pathlib import Path
from statistics import mean, stdev
from typing import TYPE_CHECKING, TypeVar, get_args

from rich.progress import Progress

from inspection_cell.cli.console import ERR, OUT
from inspection_cell.errors import DataError
from inspection_cell.learning.training_settings import Head
from inspection_cell.models import MODEL_FILE, ModelFolder, Task, load_model_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inspection_cell.learning.training import TrainingPlan


T = TypeVar('T', bound=str)


def chosen_task(name: str | None) -> Task | None:
    """The task of this name; raises DataError for another."""
    tasks: tuple[Task, ...] = get_args(Task)
    return None if name is None else _one_of('--task', name, tasks)


def chosen_head(name: str) -> Head:
    """The head of this name; raises DataError for another."""
    heads: tuple[Head, ...] = get_args(Head)
    return _one_of('--head', name, heads)


def _one_of(option: str, name: str, allowed: tuple[T, ...]) -> T:
    for one in allowed:
        if one == name:
            return one
    raise DataError(f'{option}: expected one of {", ".join(allowed)}, got {name!r}')


def numbers(given: Sequence[str]) -> dict[str, float]:
    """Read `name=number` pairs; raises DataError for others."""
    found = {}
    for pair in given:
        name, _, value = pair.partition('=')
        try:
            found[name] = float(value)
        except ValueError as error:
            raise DataError(f'--set: expected NAME=NUMBER, got {pair!r}') from error
    return found


def train_one(plan: TrainingPlan, out: Path, *, resume: bool, silent: bool) -> ModelFolder:
    """Train and show how far it is."""
    from inspection_cell.learning.training import train  # PyTorch takes seconds

    with Progress(console=ERR, disable=silent) as progress:
        task = progress.add_task('epochs', total=plan.epochs)
        return train(
            plan,
            out,
            lambda report: progress.update(
                task,
                completed=report.epoch,
                total=report.epochs,
                description=f'epoch {report.epoch}, mAP50 {report.map50:.3f}',
            ),
            resume=resume,
        )


def train_folds(
    plans: Sequence[TrainingPlan], out: Path, *, resume: bool, silent: bool
) -> list[ModelFolder]:
    """Train each fold into `out/fold_<index>`; with `resume` those that are missing."""
    folders = []
    for plan in plans:
        place = out / f'fold_{plan.fold.index if plan.fold else 0}'
        if resume and (place / MODEL_FILE).is_file():
            folders.append(load_model_folder(place))
            continue
        begun = resume and place.is_dir()
        folders.append(train_one(plan, place, resume=begun, silent=silent))
    return folders


def folds_to_json(folders: Sequence[ModelFolder]) -> dict[str, object]:
    """Mean and standard deviation over the folds, and each fold's figures."""
    found = [folder.file.metrics for folder in folders]
    map50 = [metrics.map50 for metrics in found if metrics is not None]
    map50_95 = [metrics.map50_95 for metrics in found if metrics is not None]
    return {
        'map50': mean(map50),
        'map50_sd': stdev(map50) if len(map50) > 1 else None,
        'map50_95': mean(map50_95),
        'map50_95_sd': stdev(map50_95) if len(map50_95) > 1 else None,
        'folds': [
            {'path': str(folder.path), 'map50': one, 'map50_95': other}
            for folder, one, other in zip(folders, map50, map50_95, strict=True)
        ],
    }


def print_folds(folders: Sequence[ModelFolder]) -> None:
    """Print each fold and the mean."""
    values = []
    for folder in folders:
        if folder.file.metrics is not None:
            values.append(folder.file.metrics.map50)
            OUT.print(f'{folder.path}: mAP50 {folder.file.metrics.map50:.3f}')
    spread = f' ± {stdev(values):.3f}' if len(values) > 1 else ''
    OUT.print(f'mean of {len(values)} folds: mAP50 {mean(values):.3f}{spread}')
