"""Label files in YOLO's text format: boxes, oriented boxes and outlines, checked line by line."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.geometry import read_only
from inspection_cell.models import Task
from inspection_cell.views.detections import Detections

BOX_NUMBERS, CORNER_NUMBERS, LEAST_OUTLINE = 4, 8, 6
ROUNDING = 1e-5  # what writers leave beyond [0, 1]


@dataclass(frozen=True, slots=True)
class Truth:
    """What one image really shows, as shares of its width and height.

    Attributes:
        boxes: (N, 4) x0, y0, x1, y1 in [0, 1].
        labels: (N,) class names.
        polygons: outlines (K, 2), one per box; empty for a data set of plain boxes.
    """

    boxes: NDArray[np.float64]
    labels: tuple[str, ...]
    polygons: tuple[NDArray[np.float64], ...] = ()

    def __post_init__(self) -> None:
        """Check the shapes and freeze the arrays."""
        boxes = read_only(np.reshape(self.boxes, (-1, 4)), (len(self.labels), 4), 'truth: boxes')
        polygons = tuple(read_only(p, (None, 2), 'truth: polygons') for p in self.polygons)
        if polygons and len(polygons) != len(boxes):
            raise DataError(f'truth: {len(boxes)} boxes, {len(polygons)} polygons')
        object.__setattr__(self, 'boxes', boxes)
        object.__setattr__(self, 'polygons', polygons)

    def __len__(self) -> int:
        """Number of labelled things."""
        return len(self.labels)

    def in_pixels(self, width: int, height: int) -> Detections:
        """The same in an image of this size, pixels; every score is 1."""
        scale = np.array([width, height], dtype=np.float64)
        return Detections(
            self.boxes * np.tile(scale, 2),
            np.ones(len(self)),
            self.labels,
            tuple(polygon * scale for polygon in self.polygons),
        )

    def yolo_text(self, classes: Sequence[str]) -> str:
        """One line `class cx cy w h`, or `class x y x y …` where there are outlines."""
        lines = []
        for index, (label, box) in enumerate(zip(self.labels, self.boxes, strict=True)):
            numbers = [*(box[:2] + box[2:]) / 2, *(box[2:] - box[:2])]
            if self.polygons:
                numbers = list(self.polygons[index].reshape(-1))
            values = ' '.join(f'{value:.7g}' for value in numbers)
            lines.append(f'{classes.index(label)} {values}\n')
        return ''.join(lines)


@dataclass(frozen=True, slots=True)
class LabelLine:
    """One line of a label file: the class's index and its numbers, 4 for a box."""

    place: str
    label: int
    numbers: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LabelFile:
    """The good lines of a label file and what is wrong with the others, in words."""

    lines: tuple[LabelLine, ...]
    problems: tuple[str, ...]


def read_label_file(file: Path, classes: Sequence[str]) -> LabelFile:
    """Read one label file; a problem names the file and the line."""
    try:
        rows = file.read_text(encoding='utf-8-sig').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return LabelFile((), (f'{file}: expected a text file with labels: {error}',))
    lines: list[LabelLine] = []
    problems: list[str] = []
    for number, row in enumerate(rows, start=1):
        if not row.strip():
            continue
        place = f'{file}:{number}'
        wrong = list(_problems(row.split(), classes))
        problems += [f'{place}: {problem}' for problem in wrong]
        if not wrong:
            label, *numbers = map(float, row.split())
            shares = tuple(min(max(value, 0.0), 1.0) for value in numbers)
            lines.append(LabelLine(place, int(label), shares))
    return LabelFile(tuple(lines), tuple(problems))


def truth_of(lines: Sequence[LabelLine], task: Task, classes: Sequence[str]) -> Truth:
    """What the lines say, for a network of this task."""
    boxes = [_box(line.numbers) for line in lines]
    polygons = [np.reshape(line.numbers, (-1, 2)) for line in lines]
    return Truth(
        np.reshape(np.array(boxes, dtype=np.float64), (-1, 4)).clip(0, 1),
        tuple(classes[line.label] for line in lines),
        () if task == 'detect' else tuple(polygons),
    )


def recognised_task(lines: Sequence[LabelLine]) -> Task:
    """Oriented boxes when every outline has four corners, outlines otherwise, boxes without."""
    counts = {len(line.numbers) for line in lines} - {BOX_NUMBERS}
    if not counts:
        return 'detect'
    return 'obb' if counts == {CORNER_NUMBERS} else 'segment'


def task_problems(lines: Sequence[LabelLine], task: Task) -> Iterator[str]:
    """What a network of this task cannot learn from, in words."""
    for line in lines:
        count = len(line.numbers)
        if task == 'obb' and count != CORNER_NUMBERS:
            yield f'{line.place}: expected a class and four corners for obb, got {count} numbers'
        if task == 'segment' and count == BOX_NUMBERS:
            yield f'{line.place}: expected a class and an outline for segment, got a box'


def _problems(words: Sequence[str], classes: Sequence[str]) -> Iterator[str]:
    try:
        label, *numbers = [float(word) for word in words]
    except ValueError:
        yield f'expected numbers, got {" ".join(words)[:60]!r}'
        return
    count = len(numbers)
    if count != BOX_NUMBERS and (count < LEAST_OUTLINE or count % 2):
        yield (
            'expected a class and 4 numbers (a box), 8 (four corners) or an even count from 6 '
            f'(an outline), got {count} numbers'
        )
    if not label.is_integer() or not 0 <= label < len(classes):
        yield f'class: expected 0 to {len(classes) - 1}, got {words[0]}'
    beyond = [
        word
        for word, value in zip(words[1:], numbers, strict=True)
        if not math.isfinite(value) or not -ROUNDING <= value <= 1 + ROUNDING
    ]
    if beyond:
        yield f'expected shares of the image in [0, 1], got {", ".join(beyond)}'
    elif count == BOX_NUMBERS and min(numbers[2:]) <= 0:
        yield f'expected a width and height above 0, got {words[3]} {words[4]}'


def _box(numbers: Sequence[float]) -> NDArray[np.float64]:
    values = np.array(numbers, dtype=np.float64)
    if len(values) == BOX_NUMBERS:
        return np.concatenate([values[:2] - values[2:] / 2, values[:2] + values[2:] / 2])
    points = values.reshape(-1, 2)
    return np.concatenate([points.min(axis=0), points.max(axis=0)])
