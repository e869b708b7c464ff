"""What the heads of networks put out, as detections: boxes, oriented boxes, outlines."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import ModelError
from inspection_cell.model_file import Task
from inspection_cell.views.detections import Detections
from inspection_cell.views.outlines import outline_of
from inspection_cell.views.preprocessing import Fitted

Rows = NDArray[np.floating]
COLUMNS: dict[Task, int] = {'detect': 6, 'obb': 7, 'segment': 6 + 32}
FINER = 4  # the network's input against a segmentation's prototypes
MARGIN = 2  # prototypes that bilinear enlarging needs around a box
UNKNOWN = -1  # a side of a shape that only a run shows
FLOOR_SCORE = 0.05  # below, boxes are noise that costs time
LOWEST_SCORE = 0.001  # kept instead where average precision is measured
SAME_IOU = 0.7  # two boxes of one class with a greater IoU are one thing; Ultralytics' default
MOST_BOXES = 300  # of an image, as an NMS-free head gives at most


def decode(
    outputs: Sequence[NDArray[np.floating]],
    fitted: Fitted,
    task: Task,
    classes: Sequence[str],
    floor_score: float = FLOOR_SCORE,
    *,
    nms_free: bool = True,
) -> Detections:
    """The rows of one image's outputs as detections in image pixels, best first.

    Args:
        outputs: `detect` (1, N, 6) x0, y0, x1, y1, score, class; `obb` (1, N, 7) x, y, width,
            height, score, class, angle (radians, clockwise); `segment` (1, N, 38) as `detect`
            with 32 coefficients, and prototypes (1, 32, H/4, W/4). `detect` with doubles:
            (1, 4 + C, N) x, y, width, height and a score per class. Network pixels.
        fitted: what the network was given.
        task: of the network.
        classes: names by the network's class number.
        floor_score: rows below or equal are left out.
        nms_free: whether the head suppresses doubles; else they are suppressed here.

    Raises:
        ModelError: for outputs of another form, or of another task, or that are no numbers.
    """
    check_outputs([output.shape for output in outputs], task, nms_free=nms_free)
    if not all(np.isfinite(output).all() for output in outputs):
        raise ModelError('the network gives values that are no finite numbers')
    if not nms_free:
        return from_rows(_suppressed(outputs[0][0].T, floor_score, len(classes)), fitted, classes)
    rows = outputs[0][0]
    rows = rows[rows[:, 4] > floor_score]
    if task == 'obb':
        return from_oriented(rows, fitted, classes)
    masks = box_masks(rows, outputs[1][0], fitted) if task == 'segment' else None
    return from_rows(rows, fitted, classes, masks)


def check_outputs(shapes: Sequence[Sequence[int]], task: Task, *, nms_free: bool = True) -> None:
    """Raise ModelError for output shapes that the task's head does not give."""
    columns, count = COLUMNS[task], 2 if task == 'segment' else 1
    found = ', '.join(str(tuple(shape)) for shape in shapes)
    if not nms_free:
        if task != 'detect' or len(shapes) != 1 or len(shapes[0]) != 3 or shapes[0][2] == columns:
            raise ModelError(
                f'expected a head for boxes with an output (1, 4 + classes, N), task {task}, '
                f'the network gives {found}'
            )
    elif len(shapes) != count or len(shapes[0]) != 3 or shapes[0][2] not in (columns, UNKNOWN):
        raise ModelError(
            f'expected an NMS-free head for task {task} with an output (1, N, {columns})'
            f'{" and prototypes" if count == 2 else ""}, the network gives {found}'
        )


def _suppressed(candidates: Rows, floor_score: float, classes: int) -> Rows:
    """Rows (M, 6) x0, y0, x1, y1, score, class of candidates (N, 4 + C), best first.

    Each candidate counts for its best class; of those that overlap the best one stays.
    """
    if candidates.shape[1] != 4 + classes:
        raise ModelError(f'expected {classes} classes, the network has {candidates.shape[1] - 4}')
    numbers = candidates[:, 4:].argmax(axis=1)
    scores = candidates[np.arange(len(candidates)), 4 + numbers].astype(np.float64)
    above = scores > floor_score
    numbers, scores = numbers[above], scores[above]
    centre, size = np.split(candidates[above, :4].astype(np.float64), 2, axis=1)
    low = centre - size / 2
    kept = cv2.dnn.NMSBoxesBatched(
        np.hstack([low, size]).tolist(), scores.tolist(), numbers.tolist(), floor_score, SAME_IOU
    )
    best = np.asarray(kept, dtype=np.intp)[:MOST_BOXES]
    boxes = np.hstack([low, low + size])[best]
    rows: Rows = np.column_stack([boxes, scores[best], numbers[best]])
    return rows


def from_rows(
    rows: Rows,
    fitted: Fitted,
    classes: Sequence[str],
    masks: Sequence[tuple[int, int, NDArray[np.uint8]]] | None = None,
) -> Detections:
    """Rows (N, 6 or more) of upright boxes as detections.

    Args:
        rows: x0, y0, x1, y1, score, class number; network pixels.
        fitted: what the network was given.
        classes: names by the network's class number.
        masks: of a segmentation: for each row x and y of the mask's corner in the network's input,
            and the mask (h, w); a row without any pixel in its mask is outlined by its box.
    """
    boxes = fitted.inside(fitted.to_image(rows[:, :4].astype(np.float64)))
    kept = _within(boxes)
    outlines: list[NDArray[np.float64]] = []
    if masks is not None:
        found = [_outline(*mask, fitted) for mask in masks]
        outlines = [
            outline if len(outline) >= 3 else _corners(box)
            for outline, box in zip(found, boxes, strict=True)
        ]
    return _sorted(rows, boxes, kept, classes, outlines)


def from_oriented(rows: Rows, fitted: Fitted, classes: Sequence[str]) -> Detections:
    """Rows (N, 7) of oriented boxes as detections: corners, and the upright boxes around them."""
    corners = fitted.to_image(corners_of(rows[:, [0, 1, 2, 3, 6]]))  # (N, 4, 2)
    upright = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    boxes = fitted.inside(upright)
    return _sorted(rows, boxes, _within(boxes), classes, list(corners))


def _corners(box: NDArray[np.float64]) -> NDArray[np.float64]:
    """The outline (4, 2) of an upright box (4,)."""
    x0, y0, x1, y1 = box
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])


def _within(boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(N,) which boxes are not in the padding alone."""
    within: NDArray[np.bool_] = np.all(boxes[:, 2:] > boxes[:, :2], axis=1)
    return within


def corners_of(oriented: Rows) -> NDArray[np.float64]:
    """Corners (N, 4, 2) of boxes (N, 5) x, y, width, height, angle in radians."""
    values = oriented.astype(np.float64)
    cosine, sine = np.cos(values[:, 4]), np.sin(values[:, 4])
    along = np.stack([cosine, sine], axis=1) * values[:, 2:3] / 2
    across = np.stack([-sine, cosine], axis=1) * values[:, 3:4] / 2
    signs = ((1, 1), (1, -1), (-1, -1), (-1, 1))
    corners: NDArray[np.float64] = np.stack(
        [values[:, :2] + first * along + second * across for first, second in signs], axis=1
    )
    return corners


def _sorted(
    rows: Rows,
    boxes: NDArray[np.float64],
    kept: NDArray[np.bool_],
    classes: Sequence[str],
    outlines: list[NDArray[np.float64]],
) -> Detections:
    scores = rows[:, 4].astype(np.float64).clip(0, 1)
    order = np.argsort(-scores, kind='stable')
    order = order[kept[order]]
    numbers = rows[order, 5].astype(np.intp)
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(classes):
        raise ModelError(f'expected classes 0 to {len(classes) - 1}, got {numbers.max()}')
    return Detections(
        boxes[order],
        scores[order],
        tuple(classes[number] for number in numbers),
        tuple(outlines[index] for index in order) if outlines else (),
    )


def box_masks(
    rows: Rows, prototypes: NDArray[np.floating], fitted: Fitted
) -> list[tuple[int, int, NDArray[np.uint8]]]:
    """Masks of a segmentation head, each within its box, at the network's resolution.

    As in YOLACT (Bolya et al., 2019): coefficients times prototypes, enlarged bilinearly,
    positive logits inside the box.

    Args:
        rows: (N, 6 + C) with the coefficients from column 6.
        prototypes: (C, H/4, W/4).
        fitted: what the network was given.
    """
    height, width = fitted.pixels.shape[:2]
    masks = []
    for row in rows:
        x0, y0 = (max(int(np.ceil(value)), 0) for value in row[:2])
        x1, y1 = (min(int(np.ceil(row[2])), width), min(int(np.ceil(row[3])), height))
        logits = _enlarged(row[6:], prototypes, (x0, y0, max(x1, x0), max(y1, y0)))
        masks.append((x0, y0, (logits > 0).astype(np.uint8)))
    return masks


def _enlarged(
    coefficients: Rows, prototypes: NDArray[np.floating], box: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """Logits (y1 - y0, x1 - x0) of one box; only the prototypes around it are computed."""
    x0, y0, x1, y1 = box
    left, top = (max(value // FINER - MARGIN, 0) for value in (x0, y0))
    near = prototypes[:, top : y1 // FINER + MARGIN, left : x1 // FINER + MARGIN]
    if x1 == x0 or y1 == y0 or not near.size:
        return np.zeros((0, 0), dtype=np.float32)
    logits = np.tensordot(coefficients.astype(np.float32), near.astype(np.float32), axes=1)
    large = cv2.resize(logits, None, fx=FINER, fy=FINER, interpolation=cv2.INTER_LINEAR)
    x0, x1 = x0 - left * FINER, x1 - left * FINER
    y0, y1 = y0 - top * FINER, y1 - top * FINER
    within: NDArray[np.float32] = large[y0:y1, x0:x1].astype(np.float32, copy=False)
    return within


def _outline(x: int, y: int, mask: NDArray[np.uint8], fitted: Fitted) -> NDArray[np.float64]:
    """The outline (K, 2) of a mask, around all its pieces, image pixels; (0, 2): it is empty."""
    if not mask.any():
        return np.empty((0, 2))
    outline = outline_of(mask)
    if cv2.contourArea(outline.astype(np.float32)) == 0:  # one pixel wide
        low, high = outline.min(axis=0) - 0.5, outline.max(axis=0) + 0.5
        outline = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    corner = np.array([x + 0.5, y + 0.5])  # a pixel's centre
    return fitted.to_image(outline + corner)
