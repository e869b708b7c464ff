"""Labelled images for training, rendered from the simulator's truth with a varied domain."""

import json
import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import yaml

from inspection_cell.cell import Cell
from inspection_cell.errors import DataError
from inspection_cell.learning.contact_sheet import write_contact_sheet
from inspection_cell.learning.labels import LabelKind, Labels
from inspection_cell.learning.rendering import (
    LabelledImage,
    PartOrder,
    render_part,
)
from inspection_cell.learning.tiling import corners_of, worth_writing
from inspection_cell.recipe import Recipe
from inspection_cell.sim.labels import CLASSES
from inspection_cell.sim.plan import PlannedPart
from inspection_cell.sim.seeds import Purpose, stream

TILE_PX = 320
GOOD_SHARES = {'train': 0.1, 'val': 0.3, 'test': 0.3}  # of the parts
TRAIN_VIEW_SHARE = 0.5
TASKS: dict[LabelKind, str] = {'boxes': 'detect', 'oriented': 'obb', 'outlines': 'segment'}
SPLITS = {'train': ('train', 'val'), 'tune': ('val',), 'test': ('test',)}
PURPOSES = {'train': Purpose.TRAIN, 'val': Purpose.TUNE, 'test': Purpose.TEST}


@dataclass(frozen=True, slots=True)
class SynthesisPlan:
    """What to render.

    Attributes:
        images: camera images to render in all.
        tile_px: side of the tiles that are cut out at the camera's resolution; None: whole images.
        val_share: share of the parts that is for validation, from a seed of another purpose.
        workers: processes.
        purpose: parts for tuning and for a test have streams of seeds of their own and show all
            their views; parts for training a share of them, with some for validation.
        label_kind: boxes, oriented boxes or outlines.
        varied: whether light, background and marks leave the cell's own look.
        good_share: of the parts; None: as suits the purpose.
    """

    cell: Cell
    recipes: tuple[Recipe, ...]
    images: int
    seed: int
    tile_px: int | None = TILE_PX
    val_share: float = 0.1
    workers: int = 1
    purpose: Literal['train', 'tune', 'test'] = 'train'
    label_kind: LabelKind = 'boxes'
    varied: bool = True
    good_share: float | None = None

    @property
    def view_share(self) -> float:
        """Of a part's views: in training other parts teach more than other views."""
        return TRAIN_VIEW_SHARE if self.purpose == 'train' else 1.0

    @property
    def splits(self) -> tuple[str, ...]:
        """What is written."""
        return SPLITS[self.purpose]


@dataclass(frozen=True, slots=True)
class Synthesized:
    """What was written.

    Attributes:
        data: the `data.yaml`.
        train: files for training; for whole images one per image.
        val: files for validation; those of a test.
        boxes: how many boxes of each class.
    """

    data: Path
    contact_sheet: Path
    train: int
    val: int
    boxes: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Job:
    plan: SynthesisPlan
    out_dir: Path
    split: str
    index: int

    @property
    def purpose(self) -> Purpose:
        return PURPOSES[self.split]


@dataclass(frozen=True, slots=True)
class _Written:
    split: str
    image: Path
    labels: Labels


@dataclass(frozen=True, slots=True)
class _WrittenPart:
    part: PlannedPart
    files: tuple[_Written, ...]


def tile_side(asked: int | None, purpose: str) -> int | None:
    """Side of the tiles, pixels; None for whole images, which 0 asks for and tests prefer."""
    chosen = (TILE_PX if purpose == 'train' else 0) if asked is None else asked
    return chosen or None


def synthesize(
    plan: SynthesisPlan,
    out_dir: Path,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Synthesized:
    """Render, label, cut and write a data set in YOLO layout.

    Args:
        plan: what to render.
        out_dir: gets `images/`, `labels/`, `data.yaml` and `contact_sheet.png`; must be empty.
        progress: called with parts done and parts in all.

    Raises:
        DataError: when `out_dir` holds something already.
    """
    if out_dir.exists() and any(out_dir.iterdir()):
        raise DataError(f'{out_dir}: expected a new or empty folder, it holds files')
    jobs = _jobs(plan, out_dir)
    for kind in ('images', 'labels'):
        for split in {'train', *plan.splits}:  # the layout needs a folder for training
            (out_dir / kind / split).mkdir(parents=True, exist_ok=True)
    parts: list[_WrittenPart] = []
    for done, part in enumerate(_each(jobs, plan.workers), start=1):
        parts.append(part)
        progress(done, len(jobs))
    return _finish(plan, parts, out_dir)


def _finish(plan: SynthesisPlan, parts: Sequence[_WrittenPart], out_dir: Path) -> Synthesized:
    """Write what describes the whole set."""
    names = dict(enumerate(CLASSES))
    content: dict[str, object] = {'train': 'images/train'}
    content |= {'val': f'images/{plan.splits[-1]}'}
    content |= {split: f'images/{split}' for split in plan.splits}
    content |= {'task': TASKS[plan.label_kind], 'names': names}
    data = out_dir / 'data.yaml'
    data.write_text(yaml.safe_dump(content, sort_keys=False), encoding='utf-8')
    described = [_part_to_json(part, out_dir) for part in parts]
    (out_dir / 'parts.json').write_text(json.dumps(described, indent=1), encoding='utf-8')
    written = [file for part in parts for file in part.files]
    sheet = out_dir / 'contact_sheet.png'
    write_contact_sheet([(one.image, one.labels) for one in written], CLASSES, sheet)
    found = [index for one in written for index in one.labels.classes]
    boxes = {name: found.count(index) for index, name in names.items()}
    train = sum(one.split == 'train' for one in written)
    return Synthesized(data, sheet, train, len(written) - train, boxes)


def _part_to_json(part: _WrittenPart, out_dir: Path) -> dict[str, object]:
    """The truth about one part: its defects, and which box of which file shows which."""
    return {
        'part_id': part.part.part_id,
        'part_type': part.part.part_type,
        'defects': [
            {'kind': str(defect.kind), 'size_mm': round(defect.size_mm, 3)}
            for defect in part.part.defects
        ],
        'images': [
            {
                'file': str(file.image.relative_to(out_dir)),
                'boxes_px': np.round(file.labels.boxes_px, 2).tolist(),
                'labels': [CLASSES[index] for index in file.labels.classes],
                'defects': list(file.labels.defects),
            }
            for file in part.files
        ],
    }


def _jobs(plan: SynthesisPlan, out_dir: Path) -> list[_Job]:
    cameras = plan.cell.cameras
    views = [
        sum(sensor in cameras for p in recipe.file.presentations.values() for sensor in p.sensors)
        for recipe in plan.recipes
    ]
    per_part = max(float(np.mean(views)) * plan.view_share, 1.0)
    parts = max(round(plan.images / per_part), len(plan.recipes))
    val = max(round(plan.val_share * parts), len(plan.recipes))
    if plan.purpose == 'train':
        counts = {'train': max(parts - val, 1), 'val': val}
    else:
        counts = dict.fromkeys(plan.splits, parts)
    return [
        _Job(plan, out_dir, split, index)
        for split in plan.splits
        for index in range(counts[split])
    ]


def _each(jobs: Sequence[_Job], workers: int) -> Iterable[_WrittenPart]:
    if workers <= 1:
        yield from map(_render_part, jobs)
        return
    context = multiprocessing.get_context('spawn')  # Open3D's threads do not survive a fork
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(_render_part, jobs)


def _render_part(job: _Job) -> _WrittenPart:
    """Render one part; write tiles and labels."""
    cv2.setNumThreads(1)
    plan = job.plan
    usual = GOOD_SHARES[job.split]
    order = PartOrder(
        plan.cell,
        plan.recipes,
        job.purpose,
        plan.seed,
        job.index,
        usual if plan.good_share is None else plan.good_share,
        plan.view_share,
        plan.varied,
    )
    part = render_part(order)
    return _WrittenPart(
        part.planned, tuple(one for image in part.images for one in _write(job, image))
    )


def _write(job: _Job, image: LabelledImage) -> list[_Written]:
    height, width = image.pixels.shape[:2]
    size = job.plan.tile_px
    generator = stream(job.purpose, job.plan.seed, 'tiles', image.stem)
    corners = [(0, 0)] if size is None else corners_of(image, size, generator)
    written = []
    for number, (x, y) in enumerate(corners):
        tile = image.pixels[y : y + (size or height), x : x + (size or width)]
        tall, wide = tile.shape[:2]
        cut = image.labels.cropped(x, y, wide, tall)
        stem = f'{image.stem}_{number}'
        draw = stream(job.purpose, job.plan.seed, 'plain', stem)
        if size is not None and not worth_writing(cut, draw):
            continue
        file = job.out_dir / 'images' / job.split / f'{stem}.png'
        cv2.imwrite(str(file), tile)
        text = job.out_dir / 'labels' / job.split / f'{stem}.txt'
        text.write_text(cut.yolo_text(wide, tall, job.plan.label_kind), encoding='utf-8')
        written.append(_Written(job.split, file, cut))
    return written
