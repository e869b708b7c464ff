"""What the trainer reads: links to the images and labels of its own, beside its checkpoints.

The trainer writes caches beside the labels that it reads; a user's data set stays untouched.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import yaml

from inspection_cell.learning.datasets import LabelledFile
from inspection_cell.stored_parts import read_image
from inspection_cell.views.eight_bit import to_eight_bit


def stage(
    files: Mapping[str, Sequence[LabelledFile]], classes: Sequence[str], folder: Path
) -> Path:
    """Link images and write labels under `folder`, which is emptied first.

    Args:
        files: by split (`train`, `val`).
        classes: names in the order of the labels' indices.
        folder: where to.

    Returns:
        The `data.yaml`.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for split, of_split in files.items():
        images, labels = folder / 'images' / split, folder / 'labels' / split
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        for number, file in enumerate(of_split):
            stem = f'{number:06d}_{file.image.stem}'  # two folders may hold the same name
            _show(file.image, images / f'{stem}{file.image.suffix.lower()}')
            text = file.truth.yolo_text(classes)
            (labels / f'{stem}.txt').write_text(text, encoding='utf-8')
    data = folder / 'data.yaml'
    content = {split: f'images/{split}' for split in files}
    names = dict(enumerate(classes))
    text = yaml.safe_dump({**content, 'names': names}, sort_keys=False, allow_unicode=True)
    data.write_text(text, encoding='utf-8')
    return data


def _show(image: Path, place: Path) -> None:
    """A link; of other than 8 bit the pixels as the cell's detector gets them."""
    pixels = read_image(image)
    if pixels.pixels.dtype == np.uint8:
        place.symlink_to(image)
    else:
        cv2.imwrite(str(place.with_suffix('.png')), to_eight_bit(pixels).pixels)
