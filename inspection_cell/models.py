"""A detector's folder: `model.yaml` (what it knows, how it was made) beside its weights."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, model_validator

from inspection_cell.errors import ConfigError, ModelError
from inspection_cell.recipe import Recipe
from inspection_cell.schema import Name, Share, StrictModel, load_yaml

MODEL_FILE = 'model.yaml'
Sha256 = Annotated[str, Field(pattern=r'^[0-9a-f]{64}$')]


class Training(StrictModel):
    """How the weights came about, so that they can be made again."""

    base: str
    """Architecture or weights that the training started from."""
    data: str
    """What the model was trained on."""
    data_sha256: Sha256
    """Hash of all images and labels of the training set."""
    images: int = Field(ge=1)
    """Training images."""
    epochs: int = Field(ge=1)
    """Passes over the training images."""
    batch: int = Field(ge=1)
    """Images per step."""
    seed: int = Field(ge=0)
    """Seed of the training itself."""
    synthesis_seed: int | None = Field(default=None, ge=0)
    """Seed of the synthesised images; none for real ones."""
    seconds: float = Field(ge=0)
    """Wall-clock time of the training, s."""
    settings: dict[str, float] = Field(default_factory=dict)
    """Augmentation and optimiser settings that differ from the trainer's defaults."""


class ClassMetrics(StrictModel):
    """Measured quality of one class."""

    map50: Share
    """Average precision at 50 % overlap."""
    map50_95: Share
    """Average precision, mean over 50 % to 95 % overlap."""


class Metrics(StrictModel):
    """Measured quality on images that were never trained on."""

    data: str
    """What it was measured on."""
    images: int = Field(ge=1)
    """How many images."""
    map50: Share
    """Mean average precision at 50 % overlap."""
    map50_95: Share
    """Mean average precision, mean over 50 % to 95 % overlap."""
    per_class: dict[str, ClassMetrics] = Field(default_factory=dict)
    """The same by class."""


class ModelFile(StrictModel):
    """The content of `model.yaml`."""

    format: Literal[1]
    """Version of this file format."""
    name: Name
    """Name of the model."""
    task: Literal['detect'] = 'detect'
    """What the network does."""
    classes: tuple[str, ...] = Field(min_length=1)
    """Class names in the order of the network's outputs."""
    image_size: int = Field(ge=32, le=8192)
    """Side of the training images, pixels."""
    weights: str
    """File with the weights, in this folder."""
    weights_sha256: Sha256
    """Hash of that file."""
    licence: str
    """Terms of the weights."""
    attribution: str = ''
    """Whom to name for the training data."""
    training: Training
    """How it was trained."""
    metrics: Metrics | None = None
    """How good it is."""

    @model_validator(mode='after')
    def _consistent(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError('classes must differ from each other')
        if Path(self.weights).name != self.weights:
            raise ValueError('weights must be a file name in this folder, not a path')
        return self


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
        """Hash of the weights."""
        return self.file.weights_sha256

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of the network's outputs."""
        return self.file.classes


def load_model_folder(path: Path) -> ModelFolder:
    """Read and check a model folder; raises ModelError for what is missing or damaged."""
    description = path / MODEL_FILE
    if not description.is_file():
        raise ModelError(f'{path}: expected a model folder with {MODEL_FILE}, there is none')
    try:
        file, _ = load_yaml(description, ModelFile)
    except ConfigError as error:
        raise ModelError(str(error)) from error
    folder = ModelFolder(path.resolve(), file)
    if not folder.weights.is_file():
        raise ModelError(f'{path}: expected the weights {file.weights}, there is no such file')
    found = file_sha256(folder.weights)
    if found != file.weights_sha256:
        raise ModelError(
            f'{folder.weights}: expected sha256 {file.weights_sha256[:12]}… as {MODEL_FILE} says, '
            f'found {found[:12]}…: the weights are damaged or were exchanged'
        )
    return folder


def write_model_file(path: Path, file: ModelFile) -> None:
    """Write `model.yaml` into a model folder, keys in the order of the schema."""
    content = yaml.safe_dump(file.model_dump(mode='json'), sort_keys=False, allow_unicode=True)
    (path / MODEL_FILE).write_text(content, encoding='utf-8')


def find_model(recipe: Recipe, data_dir: Path | None = None) -> Path:
    """Where the recipe's model lies: the data folder's promoted model before the recipe's own.

    Raises:
        ModelError: when the recipe has no detection, or no such folder exists.
    """
    if recipe.file.detection is None:
        raise ModelError(f'{recipe.path}: expected a section `detection` that names a model')
    name = recipe.file.detection.model
    places = [(recipe.path.parent / name).resolve()]
    if data_dir is not None:
        places.insert(0, data_dir / 'models' / Path(name).name)
    for place in places:
        if (place / MODEL_FILE).is_file():
            return place
    looked = ', '.join(map(str, places))
    raise ModelError(f'{recipe.path}: detection.model {name!r}: no {MODEL_FILE} in {looked}')


def check_model_fits(recipe: Recipe, folder: ModelFolder) -> None:
    """Raise ModelError with every class and feature of the recipe that the model lacks."""
    if recipe.file.detection is None:
        raise ModelError(f'{recipe.path}: expected a section `detection` that names a model')
    wanted = [f'classes.{label}' for label in recipe.file.detection.classes]
    wanted += [f'features.{feature.label}' for feature in recipe.file.detection.features]
    missing = [key for key in wanted if key.split('.', 1)[1] not in folder.classes]
    if missing:
        raise ModelError(
            f'{recipe.path}: detection: {", ".join(missing)}: not a class of {folder.path}, '
            f'which knows {", ".join(folder.classes)}'
        )


def file_sha256(path: Path) -> str:
    """Hash of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
