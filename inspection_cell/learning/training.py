"""Training a detector from scratch and writing its model folder."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from inspection_cell.errors import DataError, ModelError
from inspection_cell.models import (
    Metrics,
    ModelFile,
    ModelFolder,
    Training,
    file_sha256,
    load_model_folder,
    write_model_file,
)
from inspection_cell.ultralytics_adapter.training import EpochReport, Trained, train_network
from inspection_cell.ultralytics_adapter.validation import measure_network

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg', '.bmp')
LICENCE = 'AGPL-3.0 (trained with Ultralytics YOLO; see LICENSE-NOTE.md)'
LICENCE_NOTE = """\
# Licence of these weights

The weights in this folder were made with Ultralytics YOLO (https://ultralytics.com), which is
licensed under AGPL-3.0, and are loaded by it. Ultralytics regards trained weights as covered by
the same licence; commercial use without AGPL-3.0's obligations needs an Ultralytics Enterprise
licence. The code of inspection_cell itself is Apache-2.0.
"""
# Flips are safe for every part; scale and place vary little because the cameras are fixed.
AUGMENTATION = {
    'fliplr': 0.5,
    'flipud': 0.5,
    'hsv_h': 0.01,
    'hsv_s': 0.3,
    'hsv_v': 0.3,
    'translate': 0.1,
    'scale': 0.15,
    'mosaic': 0.0,  # tiles vary enough; whole ones keep the true size of defects
}
OPTIMISER = {'lr0': 0.002, 'lrf': 0.02, 'warmup_epochs': 2.0}  # of AdamW, cosine schedule


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """What to train on and for how long.

    Attributes:
        data: `data.yaml` in YOLO layout, with `train` and `val`.
        image_size: side of the (square) images that the network sees, pixels.
        base: architecture (from scratch) or a file with weights.
        max_hours: ends the training early, its schedule fitted to that time; None: all epochs.
        synthesis_seed: of synthesised images.
    """

    data: Path
    name: str = 'detector'
    epochs: int = 60
    image_size: int = 320
    batch: int = 16
    seed: int = 0
    base: str = 'yolo26n.yaml'
    max_hours: float | None = None
    synthesis_seed: int | None = None
    licence: str = LICENCE
    attribution: str = ''


def train(
    plan: TrainingPlan,
    out_dir: Path,
    progress: Callable[[EpochReport], None] = lambda _report: None,
) -> ModelFolder:
    """Train on the CPU, measure, and write a model folder with weights and `model.yaml`.

    Raises:
        DataError: when the data set has no images.
        ModelError: when the weights do not fit the data set's classes.
    """
    images = split_images(plan.data, 'train')
    if not images:
        raise DataError(f'{plan.data}: expected images in the split `train`, found none')
    data_sha256 = dataset_hash(plan.data)
    trained = train_network(plan.data, out_dir, plan.base, _settings(plan), progress)
    classes = dataset_classes(plan.data)
    if trained.classes != classes:
        raise ModelError(f'{plan.data}: trained classes {trained.classes}, data has {classes}')
    training = Training(
        base=plan.base,
        data=plan.data.resolve().parent.name,
        data_sha256=data_sha256,
        images=len(images),
        epochs=max(trained.epochs, 1),
        batch=plan.batch,
        seed=plan.seed,
        synthesis_seed=plan.synthesis_seed,
        seconds=round(trained.seconds, 1),
        settings={**AUGMENTATION, **OPTIMISER},
    )
    validation = split_images(plan.data, 'val')
    metrics = measure_network(trained.weights, plan.data, plan.image_size, len(validation))
    return write_model_folder(out_dir, plan, trained, training, metrics)


def write_model_folder(
    out_dir: Path, plan: TrainingPlan, trained: Trained, training: Training, metrics: Metrics
) -> ModelFolder:
    """Put weights, `model.yaml` and the licence note into `out_dir` and check the result."""
    weights = out_dir / 'weights.pt'
    shutil.copyfile(trained.weights, weights)
    file = ModelFile(
        format=1,
        name=plan.name,
        classes=trained.classes,
        image_size=plan.image_size,
        weights=weights.name,
        weights_sha256=file_sha256(weights),
        licence=plan.licence,
        attribution=plan.attribution,
        training=training,
        metrics=_rounded(metrics),
    )
    write_model_file(out_dir, file)
    (out_dir / 'LICENSE-NOTE.md').write_text(LICENCE_NOTE, encoding='utf-8')
    return load_model_folder(out_dir)


def dataset_classes(data: Path) -> tuple[str, ...]:
    """Class names of a data set in YOLO layout, in order."""
    names = _data_yaml(data).get('names')
    if isinstance(names, dict):
        names = [names[key] for key in sorted(names)]
    if not isinstance(names, list) or not names:
        raise DataError(f'{data}: expected `names`, a list of classes, got {names!r}')
    return tuple(str(name) for name in names)


def split_images(data: Path, split: str) -> tuple[Path, ...]:
    """Image files of a split (`train`, `val`), sorted."""
    content = _data_yaml(data)
    root = data.resolve().parent / str(content.get('path', '.'))
    folder = root / str(content.get(split, ''))
    found = (path for path in folder.rglob('*') if path.suffix.lower() in IMAGE_SUFFIXES)
    return tuple(sorted(found))


def dataset_hash(data: Path) -> str:
    """One sha256 over the names and bytes of all images and labels."""
    total = hashlib.sha256()
    root = data.resolve().parent
    for path in sorted(root.rglob('*')):
        if path.suffix.lower() in (*IMAGE_SUFFIXES, '.txt'):
            total.update(str(path.relative_to(root)).encode())
            total.update(path.read_bytes())
    return total.hexdigest()


def _settings(plan: TrainingPlan) -> dict[str, float | str | bool | None]:
    return {
        'epochs': plan.epochs,
        'time': plan.max_hours,
        'imgsz': plan.image_size,
        'batch': plan.batch,
        'nbs': plan.batch,  # one optimiser step per batch: small sets need the steps
        'seed': plan.seed,
        'workers': 1,
        'cache': 'ram',
        'patience': plan.epochs,
        'nms': False,  # the best epoch is that of the NMS-free head, which is the one used
        'optimizer': 'AdamW',
        'cos_lr': True,
        **AUGMENTATION,
        **OPTIMISER,
    }


def _data_yaml(data: Path) -> dict[str, object]:
    try:
        content = yaml.safe_load(data.read_text(encoding='utf-8'))
    except (OSError, yaml.YAMLError) as error:
        raise DataError(f'{data}: expected a YOLO data.yaml: {error}') from error
    if not isinstance(content, dict):
        raise DataError(f'{data}: expected a mapping, got {type(content).__name__}')
    return content


def _rounded(metrics: Metrics) -> Metrics:
    values = metrics.model_dump()
    values.update(map50=round(metrics.map50, 4), map50_95=round(metrics.map50_95, 4))
    values['per_class'] = {
        label: {key: round(value, 4) for key, value in of_class.items()}
        for label, of_class in values['per_class'].items()
    }
    return Metrics.model_validate(values)
