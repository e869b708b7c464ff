"""Labelled images: boxes or outlines with classes, cut into tiles, in YOLO's text formats."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import read_only
from inspection_cell.views.overlap import areas

LabelKind = Literal['boxes', 'oriented', 'outlines']  # for detection, obb, segmentation
MIN_SIDE_PX = 10.0  # thinner boxes, of scratches, may hold no cell of the network's finest grid
KEPT_SHARE = 0.4  # of a box's area that must lie in a tile to be labelled there


@dataclass(frozen=True, slots=True)
class Labels:
    """What one image shows.

    Attributes:
        boxes_px: (N, 4) x0, y0, x1, y1 in pixels.
        classes: (N,) index of the class.
        outlines_px: (N,) outlines (K, 2) in pixels; none: only boxes are known.
        defects: (N,) which of the part's defects it is, None for what is no defect; or empty.
    """

    boxes_px: NDArray[np.float64]
    classes: tuple[int, ...]
    outlines_px: tuple[NDArray[np.float64], ...] = ()
    defects: tuple[int | None, ...] = ()

    def __post_init__(self) -> None:
        """Check the shape and freeze the array."""
        boxes = np.reshape(self.boxes_px, (-1, 4))
        frozen = read_only(boxes, (len(self.classes), 4), 'labels: boxes_px')
        object.__setattr__(self, 'boxes_px', frozen)

    def cropped(self, x: int, y: int, width: int, height: int) -> 'Labels':
        """Labels of the tile with its corner at (x, y), in the tile's pixels."""
        moved = self.boxes_px - (x, y, x, y)
        clipped = moved.clip(0, (width, height, width, height))
        kept = np.flatnonzero(areas(clipped) >= KEPT_SHARE * areas(moved))
        return Labels(
            clipped[kept],
            tuple(self.classes[i] for i in kept),
            tuple(self.outlines_px[i] - (x, y) for i in kept) if self.outlines_px else (),
            tuple(self.defects[i] for i in kept) if self.defects else (),
        )

    def yolo_text(self, width: int, height: int, kind: LabelKind = 'boxes') -> str:
        """One line a thing: class, then shares of the image's size.

        Boxes are `cx cy w h`; oriented boxes the four corners, outlines all their points, as
        `x y`. Without known outlines these are those of the box.
        """
        lines = []
        for index, label in enumerate(self.classes):
            if kind == 'boxes':
                x0, y0, x1, y1 = self.boxes_px[index]
                points = np.array([[(x0 + x1) / 2, (y0 + y1) / 2], [x1 - x0, y1 - y0]])
            else:
                points = self._points(index, kind).clip(0, (width, height))
            shares = (points / (width, height)).reshape(-1)
            lines.append(' '.join([str(label), *(f'{value:.6f}' for value in shares)]))
        return '\n'.join(lines) + ('\n' if lines else '')

    def _points(self, index: int, kind: LabelKind) -> NDArray[np.float64]:
        x0, y0, x1, y1 = self.boxes_px[index]
        corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
        if not self.outlines_px:
            return corners
        outline = self.outlines_px[index].clip((x0, y0), (x1, y1))
        if kind == 'oriented':
            return oriented_box(outline)
        found: NDArray[np.float64] = corners if len(outline) < 3 else outline
        return found


def oriented_box(
    outline_px: NDArray[np.float64], least_px: float = MIN_SIDE_PX
) -> NDArray[np.float64]:
    """Corners (4, 2) of the smallest rectangle around (K, 2) points, grown to `least_px`."""
    centre, size, angle = cv2.minAreaRect(outline_px.astype(np.float32))
    grown = (max(size[0], least_px), max(size[1], least_px))
    corners: NDArray[np.float64] = cv2.boxPoints((centre, grown, angle)).astype(np.float64)
    return corners


def thickened(
    boxes_px: NDArray[np.float64], shape: tuple[int, int], least_px: float = MIN_SIDE_PX
) -> NDArray[np.float64]:
    """Boxes (N, 4) grown about their centres to `least_px` a side, within (height, width)."""
    boxes = np.reshape(boxes_px, (-1, 4))
    grow = np.maximum(least_px - (boxes[:, 2:] - boxes[:, :2]), 0.0) / 2.0
    grown: NDArray[np.float64] = np.hstack([boxes[:, :2] - grow, boxes[:, 2:] + grow])
    return grown.clip(0, (shape[1], shape[0], shape[1], shape[0]))
