"""Labelled images: boxes with class indices, cut into tiles, in YOLO's text format."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import read_only

MIN_SIDE_PX = 10.0  # thinner boxes, of scratches, may hold no cell of the network's finest grid
KEPT_SHARE = 0.4  # of a box's area that must lie in a tile to be labelled there
OFF_CENTRE = 0.32  # greatest distance of a labelled thing from its tile's middle, tile sides


@dataclass(frozen=True, slots=True)
class Labels:
    """What one image shows.

    Attributes:
        boxes_px: (N, 4) x0, y0, x1, y1 in pixels.
        classes: (N,) index of the class.
    """

    boxes_px: NDArray[np.float64]
    classes: tuple[int, ...]

    def __post_init__(self) -> None:
        """Check the shape and freeze the array."""
        boxes = np.reshape(self.boxes_px, (-1, 4))
        frozen = read_only(boxes, (len(self.classes), 4), 'labels: boxes_px')
        object.__setattr__(self, 'boxes_px', frozen)

    def cropped(self, x: int, y: int, width: int, height: int) -> 'Labels':
        """Labels of the tile with its corner at (x, y), in the tile's pixels."""
        moved = self.boxes_px - (x, y, x, y)
        clipped = moved.clip(0, (width, height, width, height))
        kept = _areas(clipped) >= KEPT_SHARE * _areas(moved)
        classes = tuple(c for c, keep in zip(self.classes, kept, strict=True) if keep)
        return Labels(clipped[kept], classes)

    def yolo_text(self, width: int, height: int) -> str:
        """One line `class cx cy w h` per box, as shares of the image's size."""
        lines = []
        for label, (x0, y0, x1, y1) in zip(self.classes, self.boxes_px, strict=True):
            centre = ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height)
            size = ((x1 - x0) / width, (y1 - y0) / height)
            lines.append(' '.join([str(label), *(f'{value:.6f}' for value in (*centre, *size))]))
        return '\n'.join(lines) + ('\n' if lines else '')


def thickened(
    boxes_px: NDArray[np.float64], shape: tuple[int, int], least_px: float = MIN_SIDE_PX
) -> NDArray[np.float64]:
    """Boxes (N, 4) grown about their centres to `least_px` a side, within (height, width)."""
    boxes = np.reshape(boxes_px, (-1, 4))
    grow = np.maximum(least_px - (boxes[:, 2:] - boxes[:, :2]), 0.0) / 2.0
    grown: NDArray[np.float64] = np.hstack([boxes[:, :2] - grow, boxes[:, 2:] + grow])
    return grown.clip(0, (shape[1], shape[0], shape[1], shape[0]))


def tile_corners(
    boxes_px: NDArray[np.float64],
    shape: tuple[int, int],
    size: int,
    generator: np.random.Generator,
) -> list[tuple[int, int]]:
    """Corners of square tiles so that each box (N, 4) lies near the middle of one.

    Args:
        boxes_px: what the tiles are to show; one that an earlier tile holds gets none of its own.
        shape: height and width of the image.
        size: side of the tiles, pixels.
        generator: moves the boxes off the tiles' centres.
    """
    height, width = shape
    corners: list[tuple[int, int]] = []
    for box in boxes_px:
        if any(_inside(box, corner, size) for corner in corners):
            continue
        centre = (box[:2] + box[2:]) / 2 + generator.uniform(-OFF_CENTRE, OFF_CENTRE, 2) * size
        x, y = np.round(centre - size / 2).astype(int)
        corners.append((int(np.clip(x, 0, width - size)), int(np.clip(y, 0, height - size))))
    return corners


def _inside(box: NDArray[np.float64], corner: tuple[int, int], size: int) -> bool:
    low = np.array(corner)
    return bool((box[:2] >= low).all() and (box[2:] <= low + size).all())


def _areas(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    areas: NDArray[np.float64] = (boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1)
    return areas
