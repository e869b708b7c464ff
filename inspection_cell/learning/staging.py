"""What the trainer reads: links to the images and labels of its own, beside its checkpoints.

The trainer writes caches beside the labels that it reads; a user's data set stays untouched.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from inspection_cell.learning.datasets import LabelledFile


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
            (images / f'{stem}{file.image.suffix.lower()}').symlink_to(file.image)
            text = file.truth.yolo_text(classes)
            (labels / f'{stem}.txt').write_text(text, encoding='utf-8')
    data = folder / 'data.yaml'
    content = {split: f'images/{split}' for split in files}
    names = dict(enumerate(classes))
    text = yaml.safe_dump({**content, 'names': names}, sort_keys=False, allow_unicode=True)
    data.write_text(text, encoding='utf-8')
    return data
