"""Average precision at 50 % overlap, matched once and then measured on any draw of the images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.views.detections import Detections
from inspection_cell.views.overlap import iou_matrix

MIN_IOU = 0.5
RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True)
class MatchedClass:
    """Detections of one class over all images, best first.

    Attributes:
        images: (N,) index of the detection's image.
        hits: (N,) whether it shows a true thing that no better one showed.
        truths: (images,) how many true things each image has.
    """

    images: NDArray[np.intp]
    hits: NDArray[np.bool_]
    truths: NDArray[np.intp]

    def average_precision(self, weights: NDArray[np.float64]) -> float | None:
        """Mean precision at 101 recalls (COCO's rule); None when the draw has no true thing.

        Args:
            weights: (images,) how often each image counts.
        """
        total = float(self.truths @ weights)
        if total <= 0:
            return None
        counted = weights[self.images]
        hits = np.cumsum(counted * self.hits)
        precision = hits / np.maximum(np.cumsum(counted), 1e-12)
        best_after = np.maximum.accumulate(precision[::-1])[::-1]
        places = np.searchsorted(hits / total, RECALLS, side='left')
        reached = places < len(best_after)
        return float(best_after[places[reached]].sum() / len(RECALLS))


@dataclass(frozen=True, slots=True)
class Matched:
    """Detections of all images, matched with the truth."""

    classes: tuple[MatchedClass, ...]
    images: int

    def recall(self, weights: NDArray[np.float64] | None = None) -> float:
        """Share of the true things that are found; 1 where there are none."""
        drawn = self._drawn(weights)
        truths = sum(float(one.truths @ drawn) for one in self.classes)
        return self._hits(drawn) / truths if truths else 1.0

    def precision(self, weights: NDArray[np.float64] | None = None) -> float:
        """Share of the detections that are true; 1 where there are none."""
        drawn = self._drawn(weights)
        found = sum(float(drawn[one.images].sum()) for one in self.classes)
        return self._hits(drawn) / found if found else 1.0

    def _hits(self, drawn: NDArray[np.float64]) -> float:
        return sum(float(drawn[one.images] @ one.hits) for one in self.classes)

    def _drawn(self, weights: NDArray[np.float64] | None) -> NDArray[np.float64]:
        return np.ones(self.images) if weights is None else weights

    def map50(self, weights: NDArray[np.float64] | None = None) -> float:
        """Mean over the classes that the images show; each image counts `weights` times."""
        drawn = self._drawn(weights)
        values = [one.average_precision(drawn) for one in self.classes]
        found = [value for value in values if value is not None]
        return float(np.mean(found)) if found else 0.0


def match_truth(
    detections: Sequence[Detections], truths: Sequence[Detections], classes: Sequence[str]
) -> Matched:
    """Match each image's detections with its truth, by class, the best score first."""
    if len(detections) != len(truths) or not truths:
        raise DataError(f'{len(detections)} detections: expected those of {len(truths)} images')
    matched = [_match_class(detections, truths, label) for label in classes]
    return Matched(tuple(matched), len(truths))


def _match_class(
    detections: Sequence[Detections], truths: Sequence[Detections], label: str
) -> MatchedClass:
    images, hits, scores, counts = [], [], [], []
    for index, (found, truth) in enumerate(zip(detections, truths, strict=True)):
        found_here, truth_here = found.of(label), truth.of(label)
        order = np.argsort(-found_here.scores, kind='stable')
        images.append(np.full(len(order), index))
        scores.append(found_here.scores[order])
        hits.append(_hits(iou_matrix(found_here.boxes_px[order], truth_here.boxes_px)))
        counts.append(len(truth_here))
    best_first = np.argsort(-np.concatenate(scores), kind='stable')
    return MatchedClass(
        np.concatenate(images)[best_first].astype(np.intp),
        np.concatenate(hits)[best_first].astype(np.bool_),
        np.array(counts, dtype=np.intp),
    )


def _hits(overlap: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows, in order, take a column that is still free at MIN_IOU or more."""
    hits = np.zeros(len(overlap), dtype=np.bool_)
    free = overlap.copy()
    for row in range(len(overlap)):
        if not free.shape[1]:
            break
        column = int(free[row].argmax())
        if free[row, column] >= MIN_IOU:
            hits[row] = True
            free[:, column] = 0.0
    return hits
