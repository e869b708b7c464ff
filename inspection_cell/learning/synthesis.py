"""Labelled images for training, rendered from the simulator's truth with a varied domain."""

import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import yaml

from inspection_cell.cell import Cell
from inspection_cell.errors import DataError
from inspection_cell.learning.contact_sheet import write_contact_sheet
from inspection_cell.learning.labels import Labels, tile_corners
from inspection_cell.learning.rendering import (
    VIEW_SHARE,
    LabelledImage,
    PartOrder,
    render_part,
)
from inspection_cell.recipe import Recipe
from inspection_cell.sim.labels import CLASSES
from inspection_cell.sim.seeds import Purpose, stream

GOOD_SHARE = 0.3  # of the parts
MAX_TILES = 4  # per image with defects
PLAIN_TILES = 6  # per image without: whole images show far less defects than tiles do
ON_PART = 40  # grey level that only the part reaches


@dataclass(frozen=True, slots=True)
class SynthesisPlan:
    """What to render.

    Attributes:
        images: camera images to render in all.
        tile_px: side of the tiles that are cut out at the camera's resolution; None: whole images.
        val_share: share of the parts that is for validation, from a seed of another purpose.
        workers: processes.
    """

    cell: Cell
    recipes: tuple[Recipe, ...]
    images: int
    seed: int
    tile_px: int | None = 224
    val_share: float = 0.1
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Synthesized:
    """What was written.

    Attributes:
        data: the `data.yaml`.
        train: files for training; for whole images one per image.
        val: files for validation.
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
        return Purpose.TRAIN if self.split == 'train' else Purpose.TUNE


@dataclass(frozen=True, slots=True)
class _Written:
    split: str
    image: Path
    labels: Labels


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
    for split in ('train', 'val'):
        for kind in ('images', 'labels'):
            (out_dir / kind / split).mkdir(parents=True, exist_ok=True)
    written: list[_Written] = []
    for done, part in enumerate(_each(jobs, plan.workers), start=1):
        written += part
        progress(done, len(jobs))
    names = dict(enumerate(CLASSES))
    content = {'train': 'images/train', 'val': 'images/val', 'names': names}
    data = out_dir / 'data.yaml'
    data.write_text(yaml.safe_dump(content, sort_keys=False), encoding='utf-8')
    sheet = out_dir / 'contact_sheet.png'
    write_contact_sheet([(one.image, one.labels) for one in written], CLASSES, sheet)
    found = [index for one in written for index in one.labels.classes]
    boxes = {name: found.count(index) for index, name in names.items()}
    train = sum(one.split == 'train' for one in written)
    return Synthesized(data, sheet, train, len(written) - train, boxes)


def _jobs(plan: SynthesisPlan, out_dir: Path) -> list[_Job]:
    cameras = plan.cell.cameras
    views = [
        sum(sensor in cameras for p in recipe.file.presentations.values() for sensor in p.sensors)
        for recipe in plan.recipes
    ]
    per_part = max(float(np.mean(views)) * VIEW_SHARE, 1.0)
    parts = max(round(plan.images / per_part), len(plan.recipes))
    val = max(round(plan.val_share * parts), len(plan.recipes))
    return [
        _Job(plan, out_dir, split, index)
        for split, count in (('train', max(parts - val, 1)), ('val', val))
        for index in range(count)
    ]


def _each(jobs: Sequence[_Job], workers: int) -> Iterable[list[_Written]]:
    if workers <= 1:
        yield from map(_render_part, jobs)
        return
    context = multiprocessing.get_context('spawn')  # Open3D's threads do not survive a fork
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(_render_part, jobs)


def _render_part(job: _Job) -> list[_Written]:
    """Render one part; write tiles and labels."""
    cv2.setNumThreads(1)
    plan = job.plan
    order = PartOrder(plan.cell, plan.recipes, job.purpose, plan.seed, job.index, GOOD_SHARE)
    return [one for image in render_part(order) for one in _write(job, image)]


def _write(job: _Job, image: LabelledImage) -> list[_Written]:
    height, width = image.pixels.shape[:2]
    size = job.plan.tile_px
    generator = stream(job.purpose, job.plan.seed, 'tiles', image.stem)
    corners = [(0, 0)] if size is None else _corners(image, size, generator)
    written = []
    for number, (x, y) in enumerate(corners):
        tile = image.pixels[y : y + (size or height), x : x + (size or width)]
        tall, wide = tile.shape[:2]
        cut = image.labels.cropped(x, y, wide, tall)
        file = job.out_dir / 'images' / job.split / f'{image.stem}_{number}.png'
        cv2.imwrite(str(file), tile)
        text = job.out_dir / 'labels' / job.split / f'{image.stem}_{number}.txt'
        text.write_text(cut.yolo_text(wide, tall), encoding='utf-8')
        written.append(_Written(job.split, file, cut))
    return written


def _corners(
    image: LabelledImage, size: int, generator: np.random.Generator
) -> list[tuple[int, int]]:
    """Tiles around defects, then anywhere on the part: edges, bores, bare texture."""
    labels, pixels = image.labels, image.pixels
    screw = CLASSES.index('screw')
    order = generator.permutation(len(labels.classes))
    defects = [index for index in order if labels.classes[index] != screw]
    screws = [index for index in order if labels.classes[index] == screw]
    part = np.argwhere(pixels[::8, ::8].max(axis=2) > ON_PART) * 8.0  # (N, 2) y, x
    chosen = generator.permutation(part)[: 1 if defects else PLAIN_TILES]
    plain = [np.concatenate([point[::-1], point[::-1]]) for point in chosen]
    wanted = [labels.boxes_px[index] for index in defects[: MAX_TILES - 1]]
    wanted += plain + [labels.boxes_px[index] for index in screws[:1]]
    boxes = np.array(wanted, dtype=np.float64).reshape(-1, 4)
    most = MAX_TILES if defects else PLAIN_TILES
    return tile_corners(boxes, (pixels.shape[0], pixels.shape[1]), size, generator)[:most]
