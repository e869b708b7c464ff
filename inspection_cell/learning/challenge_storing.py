"""Choosing a few images of a data set as a challenge set, few enough to travel with a model."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.learning.challenge import CHALLENGE, challenge_files, check_classes
from inspection_cell.learning.datasets import LabelledFile, load_dataset
from inspection_cell.learning.label_files import Truth
from inspection_cell.learning.labels import Labels
from inspection_cell.models import ModelFolder
from inspection_cell.stored_parts import read_image
from inspection_cell.views.eight_bit import to_eight_bit

JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class Choice:
    """How much of a data set becomes the challenge set.

    Attributes:
        images: at most so many; all classes are shown, the rest is spread over the set.
        crop_px: side of the square that is cut out around a labelled thing; None: whole images.
    """

    images: int = 48
    crop_px: int | None = None


def store_challenge(path: Path, folder: ModelFolder, choice: Choice = Choice()) -> Path:
    """Write a model's challenge set into its folder, in place of the one there.

    Args:
        path: data set in YOLO layout; its validation images are taken where it has splits.
        folder: the model's.
        choice: how much of it.

    Raises:
        DataError: for bad labels or images, classes that the model does not know, and for crops
            of outlines; the set that is there stays.
    """
    data = load_dataset(path)
    check_classes(path, data.classes, folder.classes)
    if choice.crop_px is not None and data.task != 'detect':
        raise DataError(f'{path}: crops are for boxes; outlines ({data.task}) need whole images')
    stored, written = folder.path / CHALLENGE, folder.path / f'.{CHALLENGE}.new'
    shutil.rmtree(written, ignore_errors=True)
    for name in ('images', 'labels'):
        (written / name).mkdir(parents=True)
    chosen = _chosen(challenge_files(data), data.classes, choice.images)
    for number, (file, label) in enumerate(chosen):
        stem = written / 'images' / f'{number:03d}'
        if choice.crop_px is None:
            truth = _copied(file, stem)
        else:
            truth = _cut_out(file, stem, choice.crop_px, label)
        text = truth.yolo_text(data.classes)
        (written / 'labels' / f'{stem.name}.txt').write_text(text, encoding='utf-8')
    content = {'val': 'images', 'names': dict(enumerate(data.classes)), 'task': data.task}
    text = yaml.safe_dump(content, sort_keys=False)
    (written / 'data.yaml').write_text(text, encoding='utf-8')
    shutil.rmtree(stored, ignore_errors=True)
    written.replace(stored)
    return stored


def _chosen(
    files: Sequence[LabelledFile], classes: Sequence[str], most: int
) -> list[tuple[LabelledFile, str | None]]:
    """Files of each class in turn, the rarest first, with that class; then from the rest."""
    showing = {c: [file for file in files if c in file.truth.labels] for c in classes}
    share = max(most // (len(classes) + 1), 1)
    chosen: dict[Path, tuple[LabelledFile, str | None]] = {}
    for label in sorted(classes, key=lambda one: len(showing[one])):
        others = [file for file in showing[label] if file.image not in chosen]
        chosen |= {file.image: (file, label) for file in _evenly(others, share)}
    rest = [file for file in files if file.image not in chosen]
    chosen |= {file.image: (file, None) for file in _evenly(rest, most - len(chosen))}
    return list(chosen.values())[:most]


def _evenly(files: Sequence[LabelledFile], count: int) -> list[LabelledFile]:
    if count <= 0 or not files:
        return []
    places = np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int)
    return [files[place] for place in places]


def _copied(file: LabelledFile, stem: Path) -> Truth:
    shutil.copyfile(file.image, stem.with_suffix(file.image.suffix.lower()))
    return file.truth


def _cut_out(file: LabelledFile, stem: Path, side: int, label: str | None) -> Truth:
    """Write the square around a thing of this class; returns what it shows."""
    pixels = to_eight_bit(read_image(file.image)).pixels.astype(np.uint8, copy=False)
    height, width = pixels.shape[:2]
    window = _window(file.truth, width, height, side, label)
    x0, y0, x1, y1 = window.astype(int)
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    cv2.imwrite(str(stem.with_suffix('.jpg')), pixels[y0:y1, x0:x1], quality)
    return _cropped(file.truth, window, width, height)


def _window(
    truth: Truth, width: int, height: int, side: int, label: str | None
) -> NDArray[np.float64]:
    """The square x0, y0, x1, y1, pixels, around the class's first thing, any, or the middle."""
    size = np.array([width, height], dtype=np.float64)
    middle = size / 2
    if len(truth):
        index = truth.labels.index(label) if label else 0
        middle = truth.boxes[index].reshape(2, 2).mean(axis=0) * size
    room = np.maximum(size - side, 0)
    low = (middle - side / 2).clip(0, room).round()
    return np.concatenate([low, np.minimum(low + side, size)])


def _cropped(truth: Truth, window: NDArray[np.float64], width: int, height: int) -> Truth:
    x0, y0, x1, y1 = (int(value) for value in window)
    boxes_px = truth.boxes * np.array([width, height, width, height])
    whole = Labels(boxes_px, tuple(range(len(truth))))
    cut = whole.cropped(x0, y0, x1 - x0, y1 - y0)
    shares = cut.boxes_px / np.tile([x1 - x0, y1 - y0], 2)
    return Truth(shares, tuple(truth.labels[index] for index in cut.classes))
