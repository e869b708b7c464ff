"""How two detectors see the boxes of one image: partners, and boxes without one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from inspection_cell.learning.outlines import outline_iou
from inspection_cell.views.detections import Detections
from inspection_cell.views.overlap import iou_matrix

MIN_IOU = 0.9  # of partners


@dataclass(frozen=True, slots=True)
class Difference:
    """One box of the challenge set as the two sides see it.

    Attributes:
        trained_score: None where the trained weights have no partner.
        exported_score: None where the export has none.
        iou: of the two partners; 0 without.
    """

    image: str
    label: str
    box_px: tuple[float, float, float, float]
    trained_score: float | None
    exported_score: float | None
    iou: float

    @property
    def unmatched(self) -> bool:
        """Whether one side has no partner."""
        return self.trained_score is None or self.exported_score is None

    @property
    def score_difference(self) -> float:
        """Of the partners; 0 without."""
        if self.trained_score is None or self.exported_score is None:
            return 0.0
        return abs(self.trained_score - self.exported_score)


def box_differences(
    image: str, ours: Detections, theirs: Detections, threshold: float, least: float
) -> list[Difference]:
    """All boxes of one image, named `image`, with scores above the threshold, with their partners.

    A partner's own score may lie below the threshold, down to `least`.
    """
    ours, theirs = (side.chosen(np.flatnonzero(side.scores >= least)) for side in (ours, theirs))
    overlap = _overlap(ours, theirs)
    pairs = _partners(ours, theirs, overlap)
    differences = [
        Difference(
            image,
            ours.labels[i],
            _box(ours, i),
            float(ours.scores[i]),
            float(theirs.scores[j]),
            round(float(overlap[i, j]), 4),
        )
        for i, j in pairs
        if max(ours.scores[i], theirs.scores[j]) >= threshold
    ]
    alone = np.setdiff1d(np.flatnonzero(ours.scores >= threshold), [i for i, _ in pairs])
    differences += [
        Difference(image, ours.labels[i], _box(ours, i), float(ours.scores[i]), None, 0.0)
        for i in alone
    ]
    alone = np.setdiff1d(np.flatnonzero(theirs.scores >= threshold), [j for _, j in pairs])
    differences += [
        Difference(image, theirs.labels[j], _box(theirs, j), None, float(theirs.scores[j]), 0.0)
        for j in alone
    ]
    return differences


def _overlap(ours: Detections, theirs: Detections) -> NDArray[np.float64]:
    """IoU (N, M) of boxes; where both have outlines, the lesser of the boxes' and outlines'."""
    overlap = iou_matrix(ours.boxes_px, theirs.boxes_px)
    for i, j in np.argwhere(overlap >= MIN_IOU):
        first, second = ours.polygon(int(i)), theirs.polygon(int(j))
        if first is not None and second is not None:
            overlap[i, j] = min(overlap[i, j], outline_iou(first, second))
    return overlap


def _partners(
    ours: Detections, theirs: Detections, overlap: NDArray[np.float64]
) -> list[tuple[int, int]]:
    """As many pairs as possible; of several on one place those with the nearest scores."""
    if not overlap.size:
        return []
    same = np.array(ours.labels)[:, None] == np.array(theirs.labels)[None, :]
    allowed = same & (overlap >= MIN_IOU)
    near = 2.0 - np.abs(ours.scores[:, None] - theirs.scores[None, :])
    rows, columns = linear_sum_assignment(np.where(allowed, near, 0.0), maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if allowed[i, j]]


def _box(found: Detections, index: int) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (round(float(value), 1) for value in found.boxes_px[index])
    return x0, y0, x1, y1
