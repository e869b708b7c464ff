"""Data sets in YOLO layout: a `data.yaml`, or a folder with images, labels and `classes.txt`."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import yaml
from PIL import Image as ImageHeader

from inspection_cell.errors import DataError
from inspection_cell.learning.label_files import (
    LabelFile,
    Truth,
    read_label_file,
    recognised_task,
    task_problems,
    truth_of,
)
from inspection_cell.models import Task
from inspection_cell.views.image_files import IMAGE_SUFFIXES

SPLITS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {'train': ('train',), 'val': ('val', 'valid', 'validation'), 'test': ('test',)}
)
CLASSES_FILE = 'classes.txt'
PROBLEMS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """An image file and what it really shows; without labels it is free of defects."""

    image: Path
    truth: Truth


@dataclass(frozen=True, slots=True)
class Dataset:
    """A checked data set.

    Attributes:
        path: its folder or `data.yaml`.
        classes: names in the order of the labels' indices.
        task: what its labels teach.
        splits: files by split (`train`, `val`, `test`), sorted by name.
    """

    path: Path
    classes: tuple[str, ...]
    task: Task
    splits: Mapping[str, tuple[LabelledFile, ...]]

    @property
    def name(self) -> str:
        """Name of its folder."""
        return (self.path if self.path.is_dir() else self.path.parent).name

    def split(self, name: str) -> tuple[LabelledFile, ...]:
        """Files of a split; raises DataError when there is none."""
        files = self.splits.get(name, ())
        if not files:
            known = ', '.join(key for key, value in self.splits.items() if value) or 'none'
            raise DataError(f'{self.path}: no images in the split {name!r}; found splits: {known}')
        return files


def load_dataset(path: Path, task: Task | None = None) -> Dataset:
    """Read and check a data set; nothing is written beside it.

    Args:
        path: a `data.yaml`, a folder with one, or a folder with `classes.txt` and
            `<split>/images`, `images/<split>` or `images` (then all are of the split `train`).
        task: None: as the `data.yaml` says, else recognised from the labels.

    Raises:
        DataError: with every bad label, missing image and unreadable image at once.
    """
    path = path.resolve()
    listed = path / 'data.yaml' if (path / 'data.yaml').is_file() else path
    if listed.is_file():
        content = _data_yaml(listed)
        classes, images = _names(listed, content), _listed_images(listed, content)
        task = task or _task(listed, content)
    elif path.is_dir():
        classes, images = _classes_file(path / CLASSES_FILE), _found_images(path)
    else:
        raise DataError(f'{path}: expected a data.yaml or a folder in YOLO layout, none is there')
    return _checked(path, classes, task, images)


def files_sha256(files: Iterable[LabelledFile], classes: Sequence[str]) -> str:
    """One hash over the names and bytes of images, their labels and the classes' names."""
    total = hashlib.sha256('\n'.join(classes).encode())
    for file in sorted(files, key=lambda one: (one.image.name, str(one.image))):
        total.update(file.image.name.encode())
        total.update(file.image.read_bytes())
        total.update(file.truth.yolo_text(classes).encode())
    return total.hexdigest()


def _checked(
    path: Path,
    classes: tuple[str, ...],
    task: Task | None,
    images: Mapping[str, Sequence[Path]],
) -> Dataset:
    labels = {
        image: read_label_file(file, classes) if (file := _label_file(image)).is_file() else None
        for of_split in images.values()
        for image in of_split
    }
    read = {image: found or LabelFile((), ()) for image, found in labels.items()}
    lines = [line for found in read.values() for line in found.lines]
    chosen = task or recognised_task(lines)
    problems = [problem for found in read.values() for problem in found.problems]
    problems += task_problems(lines, chosen)
    problems += _image_problems(read)
    problems += _orphans(read)
    problems += _in_two_splits(images)
    if problems:
        more = len(problems) - PROBLEMS_SHOWN
        shown = problems[:PROBLEMS_SHOWN] + ([f'… and {more} more'] if more > 0 else [])
        raise DataError('\n'.join(shown))
    splits = {
        split: tuple(
            LabelledFile(image, truth_of(read[image].lines, chosen, classes)) for image in of_split
        )
        for split, of_split in images.items()
    }
    return Dataset(path, classes, chosen, MappingProxyType(splits))


def _image_problems(images: Iterable[Path]) -> Iterable[str]:
    for image in images:
        try:
            with ImageHeader.open(image) as opened:
                width, height = opened.size
        except (OSError, ValueError, ImportError) as error:  # Ultralytics tries other decoders
            yield f'{image}: expected a readable image: {error}'
            continue
        if min(width, height) < 1:
            yield f'{image}: expected pixels, got {width} x {height}'


def _in_two_splits(images: Mapping[str, Sequence[Path]]) -> Iterable[str]:
    """Images that a network would be examined on after it learnt from them."""
    learnt = set(images.get('train', ()))
    for split, of_split in images.items():
        if split != 'train':
            for image in of_split:
                if image in learnt:
                    yield f'{image}: expected in one split, it is in train and {split}'


def _orphans(images: Iterable[Path]) -> Iterable[str]:
    expected = {_label_file(image) for image in images}
    for folder in sorted({label.parent for label in expected}):
        for file in sorted(folder.glob('*.txt')):
            if file not in expected and file.name != CLASSES_FILE and _is_label_folder(folder):
                yield f'{file}: labels without an image'


def _is_label_folder(folder: Path) -> bool:
    return 'labels' in folder.parts


def _label_file(image: Path) -> Path:
    """The last folder `images` of the path becomes `labels`; else the file beside the image."""
    parts = list(image.parts)
    places = [index for index, part in enumerate(parts[:-1]) if part == 'images']
    if places:
        parts[places[-1]] = 'labels'
    return Path(*parts).with_suffix('.txt')


def _data_yaml(file: Path) -> dict[str, object]:
    try:
        content = yaml.safe_load(file.read_text(encoding='utf-8'))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f'{file}: expected a YOLO data.yaml: {error}') from error
    if not isinstance(content, dict):
        raise DataError(f'{file}: expected a mapping, got {type(content).__name__}')
    return content


def _names(file: Path, content: Mapping[str, object]) -> tuple[str, ...]:
    names = content.get('names')
    if isinstance(names, dict):
        if set(names) != set(range(len(names))):
            raise DataError(f'{file}: names: expected the indices 0, 1, …, got {list(names)}')
        names = [names[index] for index in range(len(names))]
    if not isinstance(names, list) or not names:
        raise DataError(f'{file}: expected `names`, a list of classes, got {names!r}')
    return _distinct(file, [str(name) for name in names])


def _task(file: Path, content: Mapping[str, object]) -> Task | None:
    tasks: tuple[Task, ...] = ('detect', 'obb', 'segment')
    given = content.get('task')
    if given is not None and given not in tasks:
        raise DataError(f'{file}: task: expected {", ".join(tasks)}, got {given!r}')
    return next((task for task in tasks if task == given), None)


def _classes_file(file: Path) -> tuple[str, ...]:
    try:
        names = [row.strip() for row in file.read_text(encoding='utf-8-sig').splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f'{file.parent}: expected a data.yaml, or a {file.name} with one class per line'
        ) from error
    return _distinct(file, [name for name in names if name])


def _distinct(file: Path, names: Sequence[str]) -> tuple[str, ...]:
    if not names or len(set(names)) != len(names):
        raise DataError(f'{file}: expected classes that differ from each other, got {names}')
    return tuple(names)


def _listed_images(file: Path, content: Mapping[str, object]) -> dict[str, tuple[Path, ...]]:
    root = (file.parent / str(content.get('path') or '.')).resolve()
    return {
        split: tuple(image for name in _as_list(content.get(split)) for image in _at(root / name))
        for split in SPLITS
    }


def _as_list(value: object) -> list[str]:
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def _at(place: Path) -> list[Path]:
    """Images of a folder, or those that a text file lists."""
    if place.is_file() and place.suffix == '.txt':
        rows = place.read_text(encoding='utf-8').splitlines()
        return [Path(place.parent / row.strip()).resolve() for row in rows if row.strip()]
    if not place.is_dir():
        raise DataError(f'{place}: expected a folder of images, or a .txt that lists them')
    return _images_below(place)


def _images_below(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob('*') if p.suffix.lower() in IMAGE_SUFFIXES)


def _found_images(root: Path) -> dict[str, tuple[Path, ...]]:
    found = {
        split: tuple(
            image
            for name in names
            for folder in (root / name / 'images', root / 'images' / name)
            for image in _images_below(folder)
        )
        for split, names in SPLITS.items()
    }
    if not any(found.values()):
        found['train'] = tuple(_images_below(root / 'images'))
    return found
