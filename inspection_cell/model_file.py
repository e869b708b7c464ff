"""`model.yaml`: what a detector's folder says about its weights and exports."""

from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, model_validator

from inspection_cell.schema import Name, Share, StrictModel

MODEL_FILE = 'model.yaml'
Task = Literal['detect', 'obb', 'segment']
Backend = Literal['openvino', 'onnxruntime', 'tensorrt']
Precision = Literal['fp32', 'bf16', 'fp16', 'int8']
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
    pasted: int = Field(default=0, ge=0)
    """Images more, made of these by setting defects into others."""
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
    optimizer: str = 'AdamW'
    """What changed the weights."""
    augmentation: str = 'fixed_cameras'
    """Name of the preset that the settings came from."""
    folds: int | None = Field(default=None, ge=2)
    """Into how many folds the images were dealt, with `seed`; none: the data set's own split."""
    fold: int | None = Field(default=None, ge=0)
    """Which fold was held out for the metrics."""
    best_epoch: int = Field(default=0, ge=0)
    """Epoch whose weights these are, the best on the held out images; 0: not noted."""
    map50_by_epoch: tuple[Share, ...] = ()
    """mAP50 on the held out images after each epoch: the learning curve."""
    made_with: dict[str, str] = Field(default_factory=dict)
    """Library versions, threads and processor: with them the same seed gives the same weights."""


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


class Parity(StrictModel):
    """How an export compares with the trained weights on the challenge set."""

    challenge_sha256: Sha256
    """Hash of the challenge set's images and labels."""
    weights_sha256: Sha256
    """Hash of the trained weights that it was compared with."""
    images: int = Field(ge=1)
    """Images compared."""
    threshold: Share = 0.25
    """Boxes of either side with at least this score must have a partner."""
    boxes: int = Field(ge=0)
    """Boxes of the trained weights above the threshold."""
    unmatched_share: Share
    """Share of the boxes of either side without a partner at IoU 0.9."""
    max_score_difference: Share
    """Greatest difference of the scores of two partners."""
    map50_difference: float = Field(ge=-1, le=1)
    """mAP50 of the export minus that of the trained weights."""
    ms_per_image: float = Field(ge=0)
    """Time of the export for one image of the challenge set, ms."""
    trained_ms_per_image: float = Field(ge=0)
    """Time of the trained weights, ms."""
    machine: str
    """Processor that it was measured on."""
    problems: tuple[str, ...] = ()
    """What is beyond its limit, in words; empty: the export may be used."""


class Export(StrictModel):
    """The network in another runtime's format."""

    path: str
    """File or folder in this folder."""
    sha256: Sha256
    """Hash of its files."""
    backend: Backend
    """What runs it."""
    precision: Precision
    """What it computes in; one OpenVINO file may be listed as fp32 and as bf16."""
    end_to_end: bool
    """Whether it has the NMS-free head."""
    parity: Parity | None = None
    """The comparison that proves it; without one it is not used."""

    @property
    def proven(self) -> bool:
        """Whether it may be used."""
        return self.parity is not None and not self.parity.problems


class Calibration(StrictModel):
    """Logistic calibration of one class: p = 1 / (1 + exp(-(slope · logit(score) + offset)))."""

    slope: float = Field(gt=0)
    """Factor on the score's logit: ranks are kept."""
    offset: float
    """Added to it."""


class Calibrations(StrictModel):
    """What makes scores probabilities."""

    data: str
    """What it was fitted on."""
    data_sha256: Sha256
    """Hash of those images and labels."""
    per_class: dict[str, Calibration] = Field(min_length=1)
    """By class; a class that is not named keeps its scores."""
    expected_error: Share | None = None
    """Expected calibration error on images that it was not fitted on."""
    expected_error_before: Share | None = None
    """The same of the raw scores."""


class ModelFile(StrictModel):
    """The content of `model.yaml`."""

    format: Literal[1]
    """Version of this file format."""
    name: Name
    """Name of the model."""
    task: Task = 'detect'
    """What the network gives: boxes, oriented boxes or outlines."""
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
    code_version: str = ''
    """Version of inspection_cell that trained it."""
    exports: tuple[Export, ...] = ()
    """The network in other formats."""
    calibration: Calibrations | None = None
    """What makes its scores probabilities; none: scores are used as they are."""

    @model_validator(mode='after')
    def _consistent(self) -> Self:
        if len(set(self.classes)) != len(self.classes):
            raise ValueError('classes must differ from each other')
        if Path(self.weights).name != self.weights:
            raise ValueError('weights must be a file name in this folder, not a path')
        for export in self.exports:
            parts = PurePosixPath(export.path).parts
            if not parts or PurePosixPath(export.path).is_absolute() or '..' in parts:
                raise ValueError(f'exports: {export.path!r} must lie in this folder')
        listed = [(export.backend, export.precision) for export in self.exports]
        if len(set(listed)) != len(listed):
            raise ValueError('exports: each backend and precision only once')
        return self


def write_model_file(path: Path, file: ModelFile) -> None:
    """Write `model.yaml` into a model folder, keys in the order of the schema.

    Written beside and moved, so that a reader finds the old file or the new one.
    """
    content = yaml.safe_dump(file.model_dump(mode='json'), sort_keys=False, allow_unicode=True)
    written = path / f'.{MODEL_FILE}.new'
    written.write_text(content, encoding='utf-8')
    written.replace(path / MODEL_FILE)
