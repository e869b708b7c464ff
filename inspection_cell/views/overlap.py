"""How much boxes overlap, and which of two sets of boxes show the same things."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from inspection_cell.views.detections import Detections

Boxes = NDArray[np.float64]
SAME_THING = 0.5  # share of the smaller of two boxes that lies in the other


def iou_matrix(first: Boxes, second: Boxes) -> NDArray[np.float64]:
    """Intersection over union (N, M) of boxes (N, 4) and (M, 4), x0, y0, x1, y1."""
    shared = shared_areas(first, second)
    total = areas(first)[:, None] + areas(second)[None, :] - shared
    overlap: NDArray[np.float64] = shared / np.maximum(total, 1e-12)
    return overlap


def match_boxes(
    first: Detections, second: Detections, min_iou: float
) -> tuple[tuple[int, int], ...]:
    """Pairs of indices of boxes with the same label that overlap by at least `min_iou`.

    One to one: as many pairs as possible, and of these the greatest overlap in all.
    """
    if not len(first) or not len(second):
        return ()
    overlap = iou_matrix(first.boxes_px, second.boxes_px)
    same = np.array(first.labels)[:, None] == np.array(second.labels)[None, :]
    allowed = same & (overlap >= min_iou)
    rows, columns = linear_sum_assignment(np.where(allowed, 1.0 + overlap, 0.0), maximize=True)
    return tuple(
        (int(row), int(column))
        for row, column in zip(rows, columns, strict=True)
        if allowed[row, column]
    )


def shared_areas(first: Boxes, second: Boxes) -> NDArray[np.float64]:
    """Areas (N, M) that boxes (N, 4) and (M, 4) have in common."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared: NDArray[np.float64] = (high - low).clip(0).prod(axis=2)
    return shared


def areas(boxes: Boxes) -> NDArray[np.float64]:
    """Areas (N,) of boxes (N, 4); 0 where a corner lies beyond the other."""
    found: NDArray[np.float64] = (boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1)
    return found
