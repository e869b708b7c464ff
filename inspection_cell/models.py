"""A detector's folder: `model.yaml` beside weights and exports; loading it, and what it fits."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from inspection_cell.errors import ConfigError, ModelError
from inspection_cell.model_file import (
    MODEL_FILE,
    Backend,
    Calibration,
    Calibrations,
    ClassMetrics,
    Export,
    Metrics,
    ModelFile,
    Parity,
    Precision,
    Task,
    Training,
    write_model_file,
)
from inspection_cell.recipe import Recipe
from inspection_cell.schema import load_yaml
from inspection_cell.sections.detection import Detection

__all__ = [
    'MODEL_FILE',
    'Backend',
    'Calibration',
    'Calibrations',
    'ClassMetrics',
    'Export',
    'Metrics',
    'ModelFile',
    'ModelFolder',
    'Parity',
    'Precision',
    'Task',
    'Training',
    'check_model_fits',
    'export_sha256',
    'file_sha256',
    'find_model',
    'has_model',
    'load_model_folder',
    'own_model',
    'promoted_model',
    'write_model_file',
]
STRIDE = 32  # the networks' coarsest grid, pixels
PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A checked model folder."""

    path: Path
    file: ModelFile

    @property
    def weights(self) -> Path:
        """The file with the weights."""
        return self.path / self.file.weights

    @property
    def sha256(self) -> str:
        """Hash of what judges: of the weights, and of their calibration where there is one."""
        weights, calibration = self.file.weights_sha256, self.file.calibration
        if calibration is None:
            return weights
        content = {label: one.model_dump() for label, one in calibration.per_class.items()}
        told = json.dumps([weights, content], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the network's outputs."""
        return self.file.classes

    @property
    def exports(self) -> tuple[Export, ...]:
        """The exports that were proven equal to these very weights."""
        return tuple(
            export for export in self.file.exports if export.proven and self._is_compared(export)
        )

    def _is_compared(self, export: Export) -> bool:
        parity = export.parity
        return parity is not None and parity.weights_sha256 == self.file.weights_sha256

    def export_path(self, export: Export) -> Path:
        """Where an export lies; call before loading it.

        Raises:
            ModelError: when it is missing, or differs from what was compared.
        """
        path = self.path / export.path
        if not path.exists():
            raise ModelError(f'{self.path}: expected the export {export.path}, there is none')
        found = export_sha256(path)
        if found != export.sha256:
            raise ModelError(_exchanged(path, export.sha256, found, 'export again'))
        return path


def load_model_folder(path: Path) -> ModelFolder:
    """Read and check a model folder.

    Raises:
        ModelError: with everything that is missing or damaged. The exports' hashes are checked
            when one is used (`ModelFolder.export_path`): they are large, and one serves.
    """
    description = path / MODEL_FILE
    if not description.is_file():
        raise ModelError(f'{path}: expected a model folder with {MODEL_FILE}, there is none')
    try:
        file, _ = load_yaml(description, ModelFile)
    except ConfigError as error:
        raise ModelError(str(error)) from error
    folder = ModelFolder(path.resolve(), file)
    problems = _weights_problems(folder) + [
        f'{path}: expected the export {export.path}, there is none'
        for export in folder.exports
        if not (path / export.path).exists()
    ]
    if problems:
        raise ModelError('\n'.join(problems))
    return folder


def has_model(recipe: Recipe, data_dir: Path) -> bool:
    """Whether anything lies where the recipe's model is looked for, damaged or not."""
    promoted = promoted_model(recipe, data_dir)
    return promoted.is_symlink() or promoted.exists() or own_model(recipe).exists()


def find_model(recipe: Recipe, data_dir: Path | None = None) -> Path:
    """Where the recipe's model lies: the data folder's promoted model before the recipe's own.

    Raises:
        ModelError: when the recipe has no detection, no such folder exists, or the promoted one
            is damaged: the recipe's own does not take its place unnoticed.
    """
    name = _detection(recipe).model
    places = [own_model(recipe)]
    if data_dir is not None:
        promoted = promoted_model(recipe, data_dir)
        if (promoted.exists() or promoted.is_symlink()) and not (promoted / MODEL_FILE).is_file():
            raise ModelError(f'{promoted}: expected the promoted model, no {MODEL_FILE} is there')
        places.insert(0, promoted)
    for place in places:
        if (place / MODEL_FILE).is_file():
            return place.resolve()
    looked = ', '.join(map(str, places))
    raise ModelError(f'{recipe.path}: detection.model {name!r}: no {MODEL_FILE} in {looked}')


def own_model(recipe: Recipe) -> Path:
    """Where the model lies that the recipe itself names."""
    return (recipe.path.parent / _detection(recipe).model).resolve()


def promoted_model(recipe: Recipe, data_dir: Path) -> Path:
    """Where a model lies that was promoted for the recipe, whether there is one or not."""
    return data_dir / 'models' / recipe.part_type


def check_model_fits(recipe: Recipe, folder: ModelFolder) -> None:
    """Raise ModelError with every point in which the model does not fit the recipe."""
    detection = _detection(recipe)
    features = {feature.label for feature in detection.features}
    problems = [
        f'detection: {key}.{label}: not a class of {folder.path}, which knows '
        f'{", ".join(folder.classes)}'
        for key, labels in (
            ('classes', detection.classes),
            ('features', sorted(features)),
            ('ignore', detection.ignore),
        )
        for label in labels
        if label not in folder.classes
    ]
    problems += [
        f'detection: the class {label} of {folder.path} is named nowhere: what it finds would be '
        'dropped; put it under classes, features or ignore'
        for label in folder.classes
        if label not in (*detection.classes, *features, *detection.ignore)
    ]
    problems += _size_problems(detection, folder)
    if problems:
        raise ModelError('\n'.join(f'{recipe.path}: {problem}' for problem in problems))


def export_sha256(path: Path) -> str:
    """Hash of an export: of a file's bytes, or of the names and bytes of a folder's files."""
    if path.is_file():
        return file_sha256(path)
    total = hashlib.sha256()
    files = [file for file in path.rglob('*') if file.is_file()]
    for file in sorted(files, key=lambda one: one.relative_to(path).as_posix()):
        total.update(file.relative_to(path).as_posix().encode() + b'\0')
        total.update(bytes.fromhex(file_sha256(file)))
    return total.hexdigest()


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    total = hashlib.sha256()
    with path.open('rb') as file:
        while piece := file.read(PIECE):
            total.update(piece)
    return total.hexdigest()


def _detection(recipe: Recipe) -> Detection:
    if recipe.file.detection is None:
        raise ModelError(f'{recipe.path}: expected a section `detection` that names a model')
    return recipe.file.detection


def _weights_problems(folder: ModelFolder) -> list[str]:
    if not folder.weights.is_file():
        return [
            f'{folder.path}: expected the weights {folder.file.weights}, there is no such file'
        ]
    expected, found = folder.file.weights_sha256, file_sha256(folder.weights)
    if found == expected:
        return []
    return [_exchanged(folder.weights, expected, found, 'copy the whole folder again')]


def _exchanged(path: Path, expected: str, found: str, remedy: str) -> str:
    return (
        f'{path}: expected sha256 {expected[:12]}… as {MODEL_FILE} says, found {found[:12]}…: '
        f'damaged or exchanged; {remedy}'
    )


def _size_problems(detection: Detection, folder: ModelFolder) -> list[str]:
    size, trained = detection.image_size, folder.file.image_size
    if size is None:
        return []
    problems = []
    if size % STRIDE:
        below = size // STRIDE * STRIDE
        problems.append(
            f'detection.image_size: {size}: must be a multiple of {STRIDE}, such as '
            f'{max(below, STRIDE)} or {below + STRIDE}'
        )
    if size < trained:
        problems.append(
            f'detection.image_size: {size}: {folder.path} was trained on {trained} px, and shows '
            f'nothing reliable on smaller images; at least {trained}, or none for the whole image'
        )
    return problems
