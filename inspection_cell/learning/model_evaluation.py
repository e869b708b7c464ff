"""A model folder measured on a data set, as the cell would run it, and calibrated on it."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inspection_cell.errors import DataError, ModelError
from inspection_cell.learning.calibration import Fitted, fit_calibration, scored_hits
from inspection_cell.learning.challenge import check_classes
from inspection_cell.learning.coco import match
from inspection_cell.learning.datasets import Dataset, LabelledFile, files_sha256, load_dataset
from inspection_cell.learning.detection_run import DetectionRun, run_detector
from inspection_cell.learning.evaluation import MIN_SCORE, Evaluation, Thresholds, measure
from inspection_cell.learning.folds import Fold, part
from inspection_cell.models import (
    Calibrations,
    ModelFolder,
    check_model_fits,
    load_model_folder,
    write_model_file,
)
from inspection_cell.recipe import Recipe, load_recipe
from inspection_cell.views.calibrated import calibrated
from inspection_cell.views.detections import Detector
from inspection_cell.views.detectors import load_detector, load_export, load_trained
from inspection_cell.views.heads import LOWEST_SCORE
from inspection_cell.views.slicing import detector_for_sensor

FOLD = 'fold'
PYTORCH = 'pytorch'


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What to measure on what.

    Attributes:
        model: model folder.
        data: `data.yaml` or folder in YOLO layout.
        split: `train`, `val`, `test`, or `fold`: what the training held out.
        recipe: gives thresholds and image size.
        backend: None: what the cell would use; else `pytorch`, `openvino`, `openvino-int8`, …
        image_size: longest side that the network sees, pixels; None: the recipe's, without
            a recipe that of the training.
        sensor: whose images these are, where the recipe slices those of some sensors only.
        min_score: threshold of every class, without a recipe.
        fit: whether to fit a calibration.
        seed: deals the images for the calibration's proof.
    """

    model: Path
    data: Path
    split: str = 'val'
    recipe: Path | None = None
    backend: str | None = None
    image_size: int | None = None
    sensor: str | None = None
    min_score: float = MIN_SCORE
    fit: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class ModelEvaluation:
    """The result.

    Attributes:
        folder: the model, with its new calibration where one was stored.
        data: what the images are called.
        evaluation: with probabilities where the model has a calibration.
        calibrated: whether it has.
        fitted: the calibration that was fitted, stored or not; None: none was asked for.
    """

    folder: ModelFolder
    data: str
    evaluation: Evaluation
    calibrated: bool
    fitted: Fitted | None


def evaluate_model(
    request: EvaluationRequest, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> ModelEvaluation:
    """Run a model over a split once and measure it; store its calibration if one helps.

    Raises:
        DataError: for a data set that cannot be used or knows other classes.
        ModelError: for a model that cannot be run, or does not fit the recipe.
    """
    folder = load_model_folder(request.model)
    recipe = None if request.recipe is None else load_recipe(request.recipe)
    if recipe is not None:
        check_model_fits(recipe, folder)
    dataset = _dataset(request.data, folder)
    files = _files(folder, dataset, request.split)
    data_sha256 = files_sha256(files, dataset.classes)
    if request.fit and data_sha256 == folder.file.training.data_sha256:
        raise DataError(
            f'{dataset.path}: {request.split}: expected images to calibrate on that '
            f'{folder.path} did not learn from'
        )
    detector = _as_the_recipe(_raw_detector(folder, request, recipe), request, recipe)
    run = run_detector(detector, files, progress)
    name = f'{dataset.name}: {request.split}, {len(files)} images'
    fitted = None
    calibrations = folder.file.calibration
    if request.fit:
        fitted = fit_calibration(
            scored_hits(match(run.images, run.classes)), request.seed, calibrations
        )
        if fitted.helps:
            calibrations = fitted.calibrations(name, data_sha256)
            folder = _stored(folder, calibrations)
    evaluation = measure(_calibrated(run, calibrations), _thresholds(request, recipe, folder))
    return ModelEvaluation(folder, name, evaluation, calibrations is not None, fitted)


def _dataset(path: Path, folder: ModelFolder) -> Dataset:
    """For a network of plain boxes the outlines of a data set are boxes."""
    dataset = load_dataset(path, 'detect' if folder.file.task == 'detect' else None)
    check_classes(path, dataset.classes, folder.classes, str(folder.path))
    return dataset


def _files(folder: ModelFolder, dataset: Dataset, split: str) -> tuple[LabelledFile, ...]:
    if split != FOLD:
        return dataset.split(split)
    training = folder.file.training
    if training.folds is None or training.fold is None:
        raise ModelError(f'{folder.path}: was not trained on folds: there is no split {FOLD!r}')
    fold = Fold(training.folds, training.fold, training.seed)
    parted = part(dataset.split('train'), fold)
    if files_sha256(parted.train, dataset.classes) != training.data_sha256:
        raise DataError(f'{dataset.path}: not what {folder.path} learnt from')
    return parted.val


def _raw_detector(
    folder: ModelFolder, request: EvaluationRequest, recipe: Recipe | None
) -> Detector:
    size: int | None = request.image_size or folder.file.image_size
    if request.image_size is None and recipe is not None and recipe.file.detection is not None:
        size = recipe.file.detection.image_size
    if request.backend is None:
        return load_detector(folder, size, floor_score=LOWEST_SCORE, calibrated=False)
    if request.backend == PYTORCH:
        return load_trained(folder, size, floor_score=LOWEST_SCORE)
    exports = {f'{one.backend}-{one.precision}': one for one in reversed(folder.file.exports)}
    exports = {one.backend: one for one in reversed(folder.file.exports)} | exports
    if request.backend not in exports:
        known = ', '.join([PYTORCH, *exports])
        raise ModelError(f'{folder.path}: no backend {request.backend!r}; it has {known}')
    return load_export(folder, exports[request.backend], size, floor_score=LOWEST_SCORE)


def _as_the_recipe(
    detector: Detector, request: EvaluationRequest, recipe: Recipe | None
) -> Detector:
    """On tiles, where the recipe wants these images looked at in tiles."""
    detection = None if recipe is None else recipe.file.detection
    if detection is None or detection.slicing is None:
        return detector
    sensors = detection.slicing.sensors
    if sensors is not None and request.sensor is None:
        raise DataError(
            f'{request.recipe}: detection.slicing: images of {", ".join(sensors)} are looked at '
            'in tiles, others whole: say whose these are (--sensor)'
        )
    return detector_for_sensor(detector, detection, request.sensor or '')


def _thresholds(
    request: EvaluationRequest, recipe: Recipe | None, folder: ModelFolder
) -> Thresholds:
    if recipe is None:
        return Thresholds.same(folder.classes, request.min_score)
    return Thresholds.of_recipe(recipe, folder.classes)


def _calibrated(run: DetectionRun, calibrations: Calibrations | None) -> DetectionRun:
    if calibrations is None:
        return run
    images = tuple(
        dataclasses.replace(image, found=calibrated(image.found, calibrations))
        for image in run.images
    )
    return dataclasses.replace(run, images=images)


def _stored(folder: ModelFolder, calibrations: Calibrations) -> ModelFolder:
    file = folder.file.model_copy(update={'calibration': calibrations})
    try:
        write_model_file(folder.path, file)
    except OSError as error:
        raise ModelError(f'{folder.path}: the calibration cannot be stored: {error}') from error
    return load_model_folder(folder.path)
