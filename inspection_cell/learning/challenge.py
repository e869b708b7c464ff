"""A model's challenge set: labelled images that exports and successors are compared on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inspection_cell.errors import DataError, ModelError
from inspection_cell.learning.datasets import Dataset, LabelledFile, files_sha256, load_dataset
from inspection_cell.models import ModelFolder
from inspection_cell.observations import Image
from inspection_cell.stored_parts import read_image
from inspection_cell.views.detections import Detections
from inspection_cell.views.eight_bit import to_eight_bit

CHALLENGE = 'challenge'


@dataclass(frozen=True, slots=True)
class ChallengeImage:
    """An image, 8 bit, and what it really shows, in pixels."""

    name: str
    image: Image
    truth: Detections


@dataclass(frozen=True, slots=True)
class Challenge:
    """A challenge set in memory.

    Attributes:
        path: where it lies.
        sha256: hash of its images, labels and class names.
    """

    path: Path
    classes: tuple[str, ...]
    sha256: str
    images: tuple[ChallengeImage, ...]


def find_challenge(folder: ModelFolder, given: Path | None = None) -> Path:
    """The given set, or the one that is stored in the model folder.

    Raises:
        ModelError: when there is neither.
    """
    stored = folder.path / CHALLENGE
    if given is None and not stored.is_dir():
        raise ModelError(
            f'{folder.path}: expected a challenge set in {CHALLENGE}/, there is none; '
            'name labelled images with --challenge'
        )
    return given or stored


def load_challenge(path: Path, classes: Sequence[str]) -> Challenge:
    """Read a data set in YOLO layout; of one with splits, the validation images.

    Args:
        path: `data.yaml`, or a folder in YOLO layout.
        classes: of the model; the set's must be among them.

    Raises:
        DataError: for bad labels or images, or a class that the model does not know.
    """
    data = load_dataset(path)
    check_classes(path, data.classes, classes)
    files = challenge_files(data)
    images = tuple(_read(file) for file in files)
    return Challenge(path, data.classes, files_sha256(files, data.classes), images)


def check_classes(
    path: Path, found: Sequence[str], known: Sequence[str], whose: str = 'the model'
) -> None:
    """Raise DataError for classes of a data set that the model does not know."""
    unknown = [label for label in found if label not in known]
    if unknown:
        raise DataError(
            f'{path}: {", ".join(unknown)}: not a class of {whose}, which knows {", ".join(known)}'
        )


def challenge_files(data: Dataset) -> tuple[LabelledFile, ...]:
    """The validation images of a set, else the test images, else all that it has."""
    for name in ('val', 'test'):
        if data.splits.get(name):
            return data.split(name)
    return data.split('train')


def _read(file: LabelledFile) -> ChallengeImage:
    image = to_eight_bit(read_image(file.image))
    height, width = image.pixels.shape[:2]
    return ChallengeImage(file.image.name, image, file.truth.in_pixels(width, height))
