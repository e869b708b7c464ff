"""Training a detector and writing its model folder."""

import dataclasses
import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from inspection_cell import __version__
from inspection_cell.errors import DataError, ModelError
from inspection_cell.learning.datasets import Dataset, LabelledFile, files_sha256, load_dataset
from inspection_cell.learning.folds import Fold, Parted, part
from inspection_cell.learning.learning_curve import LearningCurve, draw_curve, read_curve
from inspection_cell.learning.pasting import Pasting
from inspection_cell.learning.staging import stage
from inspection_cell.learning.training_settings import AUGMENTATIONS, Head, settings_of
from inspection_cell.models import (
    MODEL_FILE,
    Metrics,
    ModelFile,
    ModelFolder,
    Task,
    Training,
    file_sha256,
    load_model_folder,
    write_model_file,
)
from inspection_cell.ultralytics_adapter.training import (
    RUN,
    EpochReport,
    Trained,
    TrainingJob,
    architecture,
    made_with,
    store_weights,
    train_network,
)
from inspection_cell.ultralytics_adapter.validation import measure_network

LICENCE = 'AGPL-3.0 (trained with Ultralytics YOLO; see LICENSE-NOTE.md)'
LICENCE_NOTE = """\
# Licence of these weights

The weights in this folder were made with Ultralytics YOLO (https://ultralytics.com), which is
licensed under AGPL-3.0, and are loaded by it. Ultralytics regards trained weights as covered by
the same licence; commercial use without AGPL-3.0's obligations needs an Ultralytics Enterprise
licence. The code of inspection_cell itself is Apache-2.0.
"""
RESULTS, CURVE, STARTED = 'results.csv', 'learning_curve.png', 'started.json'


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What to train on and for how long.

    Attributes:
        data: `data.yaml` or folder in YOLO layout, with `train` and `val`, or with folds.
        task: None: as the data set says.
        image_size: side of the (square) images that the network sees, pixels.
        base: architecture (`yolo26n`: from scratch), a file with weights, or a model folder.
        head: `nms_free`, or `nms`: learns more from few images, its doubles are suppressed.
        max_hours: fewer epochs, their schedule fitted to that time; None: all epochs.
        patience: ends it after so many epochs without a better one; None: never.
        own_settings: the trainer's settings by its own names, on top of the presets.
        pasted: how many images more, with defects set into other training images.
        fold: holds out one fold of the split `train` instead of using the split `val`.
        synthesis_seed: of synthesised images.
    """

    data: Path
    name: str = 'detector'
    task: Task | None = None
    epochs: int = 60
    image_size: int = 320
    batch: int = 16
    seed: int = 0
    base: str = 'yolo26n'
    optimizer: str = 'AdamW'
    augmentation: str = 'fixed_cameras'
    head: Head = 'nms_free'
    own_settings: Mapping[str, float] = field(default_factory=dict)
    max_hours: float | None = None
    patience: int | None = None
    pasted: int = 0
    fold: Fold | None = None
    synthesis_seed: int | None = None
    licence: str = LICENCE
    attribution: str = ''

    @property
    def settings(self) -> dict[str, float]:
        """Augmentation and optimiser, by the trainer's own names."""
        return settings_of(self.augmentation, self.optimizer, self.own_settings)


def train(
    plan: TrainingPlan,
    out_dir: Path,
    progress: Callable[[EpochReport], None] = lambda _report: None,
    *,
    resume: bool = False,
) -> ModelFolder:
    """Train on the CPU, measure, and write a model folder with weights and `model.yaml`.

    The same plan, data, libraries and threads on the same kind of processor give the same
    weights, unless `max_hours` cut the training.

    Args:
        plan: what to train.
        out_dir: a new or empty folder; with `resume` the one of the training to go on with.
        progress: called after each epoch.
        resume: continue after the last whole epoch.

    Raises:
        DataError: for a data set that cannot be used, a folder in use, or another plan's folder.
        ModelError: for a base that does not fit.
    """
    dataset = load_dataset(plan.data, plan.task)
    parted = _parted(dataset, plan.fold)
    data_sha256 = files_sha256(parted.train, dataset.classes)
    resume = _opened(out_dir, {**_content(plan), 'data_sha256': data_sha256}, resume)
    run = out_dir / RUN
    shown = (*parted.train, *_pasted(parted.train, plan, run / 'pasted'))
    data = stage({'train': shown, 'val': parted.val}, dataset.classes, run / 'data')
    trained = train_network(_job(plan, dataset, data, out_dir, resume), progress)
    if trained.classes != dataset.classes:
        raise ModelError(f'{out_dir}: trained classes {trained.classes}, not {dataset.classes}')
    where = _held_out(dataset, plan.fold)
    metrics = measure_network(trained.weights, data, plan.image_size, len(parted.val), where)
    curve = read_curve(trained.results)
    training = _training(plan, dataset, parted, curve, trained.seconds, data_sha256)
    file = _model_file(plan, dataset, training, metrics)
    folder = _write(out_dir, file, trained)
    draw_curve(curve, f'{plan.name}: {dataset.name}', out_dir / CURVE)
    shutil.rmtree(run)
    return folder


def _parted(dataset: Dataset, fold: Fold | None) -> Parted:
    if fold is not None:
        return part(dataset.split('train'), fold)
    return Parted(dataset.split('train'), dataset.split('val'))


def _pasted(
    files: tuple[LabelledFile, ...], plan: TrainingPlan, folder: Path
) -> tuple[LabelledFile, ...]:
    return Pasting(files, plan.seed).write(plan.pasted, folder) if plan.pasted else ()


def _held_out(dataset: Dataset, fold: Fold | None) -> str:
    if fold is None:
        return f'{dataset.name}: validation images'
    return f'{dataset.name}: fold {fold.index} of {fold.count}, seed {fold.seed}'


def _opened(out_dir: Path, content: dict[str, object], resume: bool) -> bool:
    """Note the plan, or compare it with the noted one; says whether there is a checkpoint."""
    started, checkpoint = out_dir / RUN / STARTED, out_dir / RUN / 'weights' / 'last.pt'
    if (out_dir / MODEL_FILE).exists():
        raise DataError(f'{out_dir}: expected a new or empty folder, it holds a trained model')
    if checkpoint.is_file() and not resume:
        raise DataError(
            f'{out_dir}: holds an unfinished training; --resume goes on with it, '
            'or give another folder'
        )
    if resume:
        _same_plan(started, content)
    started.parent.mkdir(parents=True, exist_ok=True)
    started.write_text(json.dumps(content, indent=1), encoding='utf-8')
    return resume and checkpoint.is_file()


def _same_plan(started: Path, content: dict[str, object]) -> None:
    if not started.is_file():
        raise DataError(f'{started.parent.parent}: expected an unfinished training, none is there')
    noted = json.loads(started.read_text(encoding='utf-8'))
    other = [key for key in content if noted.get(key) != content[key] and key != 'max_hours']
    if other:
        wanted = ', '.join(f'{key} {noted.get(key)!r}' for key in other)
        raise DataError(f'{started.parent.parent}: goes on only as it began, with {wanted}')


def _content(plan: TrainingPlan) -> dict[str, object]:
    values = dataclasses.asdict(plan)
    return {**values, 'data': str(plan.data.resolve()), 'settings': plan.settings}


def _job(
    plan: TrainingPlan, dataset: Dataset, data: Path, out_dir: Path, resume: bool
) -> TrainingJob:
    settings: dict[str, float | str | bool | None] = {
        **plan.settings,
        'imgsz': plan.image_size,
        'batch': plan.batch,
        'nbs': plan.batch,  # one optimiser step per batch: small sets need the steps
        'seed': plan.seed,
        'workers': 1,
        'cache': 'ram',
        'patience': plan.patience or plan.epochs,
        'optimizer': plan.optimizer,
        'cos_lr': True,
    }
    if 'freeze' in plan.settings:
        settings['freeze'] = int(plan.settings['freeze'])  # a count of layers
    return TrainingJob(
        data,
        out_dir,
        dataset.task,
        _base(plan.base, dataset.task),
        plan.epochs,
        settings,
        plan.head == 'nms_free',
        AUGMENTATIONS[plan.augmentation].whole_share,
        plan.max_hours,
        resume,
    )


def _base(base: str, task: Task) -> str:
    path = Path(base)
    if (path / MODEL_FILE).is_file():
        return str(load_model_folder(path).weights)
    if path.suffix == '.pt':
        if not path.is_file():
            raise ModelError(f'{base}: expected a file with weights, there is none')
        return str(path)
    return architecture(base, task)


def _training(
    plan: TrainingPlan,
    dataset: Dataset,
    parted: Parted,
    curve: LearningCurve,
    seconds: float,
    data_sha256: str,
) -> Training:
    return Training(
        base=Path(plan.base).name,  # not where it lay on this machine
        data=dataset.name,
        data_sha256=data_sha256,
        images=len(parted.train),
        pasted=plan.pasted,
        epochs=curve.epochs,
        batch=plan.batch,
        seed=plan.seed,
        synthesis_seed=plan.synthesis_seed,
        seconds=round(seconds, 1),
        settings=plan.settings,
        optimizer=plan.optimizer,
        augmentation=plan.augmentation,
        folds=plan.fold.count if plan.fold else None,
        fold=plan.fold.index if plan.fold else None,
        best_epoch=curve.best_epoch,
        map50_by_epoch=tuple(round(value, 4) for value in curve.map50),
        made_with=made_with(),
    )


def _model_file(
    plan: TrainingPlan, dataset: Dataset, training: Training, metrics: Metrics
) -> dict[str, object]:
    return {
        'format': 1,
        'name': plan.name,
        'task': dataset.task,
        'classes': dataset.classes,
        'image_size': plan.image_size,
        'licence': plan.licence,
        'attribution': plan.attribution,
        'training': training,
        'metrics': _rounded(metrics),
        'code_version': __version__,
    }


def _write(out_dir: Path, content: Mapping[str, object], trained: Trained) -> ModelFolder:
    """Put weights, results, the licence note and last `model.yaml` there; check the result."""
    weights = out_dir / 'weights.pt'
    store_weights(trained.weights, weights)
    shutil.copyfile(trained.results, out_dir / RESULTS)
    (out_dir / 'LICENSE-NOTE.md').write_text(LICENCE_NOTE, encoding='utf-8')
    hashes = {'weights': weights.name, 'weights_sha256': file_sha256(weights)}
    write_model_file(out_dir, ModelFile.model_validate({**content, **hashes}))
    return load_model_folder(out_dir)


def _rounded(metrics: Metrics) -> Metrics:
    values = metrics.model_dump()
    values.update(map50=round(metrics.map50, 4), map50_95=round(metrics.map50_95, 4))
    values['per_class'] = {
        label: {key: round(value, 4) for key, value in of_class.items()}
        for label, of_class in values['per_class'].items()
    }
    return Metrics.model_validate(values)
