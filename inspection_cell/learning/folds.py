"""Cross-validation: images dealt into folds, with every class in each as far as possible."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inspection_cell.errors import DataError
from inspection_cell.learning.datasets import LabelledFile


@dataclass(frozen=True, slots=True)
class Fold:
    """One of several ways to hold images out.

    Attributes:
        count: into how many folds the images are dealt.
        index: which of them is held out, from 0.
        seed: the same seed deals the same images.
    """

    count: int
    index: int
    seed: int

    def __post_init__(self) -> None:
        """Refuse a fold that cannot be."""
        if self.count < 2 or not 0 <= self.index < self.count:
            raise DataError(
                f'fold: expected 0 to {self.count - 1} of at least 2, got {self.index}'
            )


@dataclass(frozen=True, slots=True)
class Parted:
    """Images to train on and images that are held out."""

    train: tuple[LabelledFile, ...]
    val: tuple[LabelledFile, ...]


def part(files: Sequence[LabelledFile], fold: Fold) -> Parted:
    """Deal the images by their rarest class, those free of defects among themselves.

    The same files, count and seed give folds that do not overlap and together hold each image.

    Raises:
        DataError: for fewer images than folds.
    """
    if len(files) < fold.count:
        raise DataError(f'expected at least {fold.count} images for the folds, got {len(files)}')
    boxes = Counter(label for file in files for label in set(file.truth.labels))
    groups: dict[str, list[LabelledFile]] = {}
    for file in sorted(files, key=lambda one: one.image.name):
        rarest = min(set(file.truth.labels), key=lambda name: (boxes[name], name), default='')
        groups.setdefault(rarest, []).append(file)
    generator = np.random.default_rng(fold.seed)
    dealt = [group[i] for _, group in sorted(groups.items()) for i in _shuffled(group, generator)]
    return Parted(
        tuple(file for place, file in enumerate(dealt) if place % fold.count != fold.index),
        tuple(file for place, file in enumerate(dealt) if place % fold.count == fold.index),
    )


def _shuffled(group: Sequence[LabelledFile], generator: np.random.Generator) -> list[int]:
    return [int(index) for index in generator.permutation(len(group))]
