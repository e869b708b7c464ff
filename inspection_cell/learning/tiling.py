"""Tiles cut out of labelled images: around defects, and some that show only the part."""

import numpy as np
from numpy.typing import NDArray

from inspection_cell.learning.labels import Labels
from inspection_cell.learning.rendering import LabelledImage
from inspection_cell.sim.labels import CLASSES
from inspection_cell.views.overlap import areas

MAX_TILES = 4  # per image with defects
PLAIN_TILES = 4  # per image without: whole images show far less defects than tiles do
ON_PART = 40  # grey level that only the part reaches
PLAIN_SHARE = 0.2  # of the tiles without a defect that are kept: the others teach little
CORNER_TRIES = 8  # of a tile, for one whose border cuts nothing: a part of a mark may be any mark
OFF_CENTRE = 0.32  # greatest distance of a labelled thing from its tile's middle, tile sides


def worth_writing(labels: Labels, generator: np.random.Generator) -> bool:
    """Whether a tile is written: with defects always, without by a draw of its own."""
    if any(CLASSES[index] != 'screw' for index in labels.classes):
        return True
    return bool(generator.random() < PLAIN_SHARE)


def corners_of(
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
    shape = (pixels.shape[0], pixels.shape[1])
    return tile_corners(boxes, shape, size, generator, labels.boxes_px)[:most]


def tile_corners(
    boxes_px: NDArray[np.float64],
    shape: tuple[int, int],
    size: int,
    generator: np.random.Generator,
    whole_px: NDArray[np.float64] | None = None,
) -> list[tuple[int, int]]:
    """Corners of square tiles so that each box (N, 4) lies near the middle of one.

    Args:
        boxes_px: what the tiles are to show; one that an earlier tile holds gets none of its own.
        shape: height and width of the image.
        size: side of the tiles, pixels.
        generator: moves the boxes off the tiles' centres.
        whole_px: what the tiles' borders are not to cut (M, 4); None: `boxes_px`.
    """
    uncut = boxes_px if whole_px is None else whole_px
    height, width = shape
    corners: list[tuple[int, int]] = []
    for box in boxes_px:
        if any(_inside(box, corner, size) for corner in corners):
            continue
        shifts = generator.uniform(-OFF_CENTRE, OFF_CENTRE, (CORNER_TRIES, 2)) * size
        low = np.round((box[:2] + box[2:]) / 2 + shifts - size / 2)
        low = low.clip(0, (max(width - size, 0), max(height - size, 0)))
        x, y = min(low, key=lambda corner: _cut(uncut, corner, size)).astype(int)
        corners.append((int(x), int(y)))
    return corners


def _cut(boxes: NDArray[np.float64], corner: NDArray[np.float64], size: int) -> int:
    """How many boxes (N, 4) the tile's border cuts."""
    shown = areas(boxes.clip(np.tile(corner, 2), np.tile(corner + size, 2)))
    return int(((shown > 0) & (shown < areas(boxes))).sum())


def _inside(box: NDArray[np.float64], corner: tuple[int, int], size: int) -> bool:
    low = np.array(corner)
    return bool((box[:2] >= low).all() and (box[2:] <= low + size).all())
