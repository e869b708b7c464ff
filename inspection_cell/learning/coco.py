"""Detections matched with the truth, and their average precision, by COCO's own rules.

Microsoft COCO's evaluation (pycocotools), but with every detection counted: no limit of 100.
"""

import contextlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from inspection_cell.errors import DataError
from inspection_cell.learning.detection_run import DetectedImage
from inspection_cell.learning.outlines import outline_iou
from inspection_cell.views.detections import Detections
from inspection_cell.views.overlap import iou_matrix

MOST_PER_IMAGE = 1000
RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True)
class MatchedClass:
    """One class over all images: the detections, best score first, and what they hit.

    Attributes:
        sizes_px: (T,) longer side of the box of each true thing.
        found_by: (T,) score of the detection that shows each of them; 0 where none does.
        images: (N,) index of each detection's image.
        scores: (N,) in [0, 1].
        hits: (N,) whether it shows a true thing, by 50 % overlap, that no better one shows.
        precisions: (101,) at 50 % overlap for the recalls 0, 0.01, … 1; zeros without truth.
        map50: mean of them; None without truth.
        map50_95: the same, mean over 50, 55, … 95 % overlap; None without truth.
    """

    sizes_px: NDArray[np.float64]
    found_by: NDArray[np.float64]
    images: NDArray[np.intp]
    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    precisions: NDArray[np.float64]
    map50: float | None
    map50_95: float | None

    @property
    def truths(self) -> int:
        """How many true things there are."""
        return len(self.sizes_px)


def match(images: Sequence[DetectedImage], classes: Sequence[str]) -> dict[str, MatchedClass]:
    """Match every image, class by class; by outlines where both sides have them, else by boxes.

    Raises:
        DataError: without images, or for a label that is none of the classes.
    """
    if not images:
        raise DataError('evaluation: expected labelled images, got none')
    unknown = {x for image in images for x in (*image.truth.labels, *image.found.labels)}
    unknown -= set(classes)
    if unknown:
        raise DataError(f'evaluation: {sorted(unknown)}: not among the classes {list(classes)}')
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does
        evaluation = _Evaluation(images, classes)
        evaluation.evaluate()
        evaluation.accumulate()
    return {
        label: _matched_class(evaluation, number, len(images))
        for number, label in enumerate(classes)
    }


def by_outlines(images: Sequence[DetectedImage]) -> bool:
    """Whether overlap is that of outlines."""
    sides = [side for image in images for side in (image.truth, image.found) if len(side)]
    return bool(sides) and all(side.polygons_px for side in sides)


class _Evaluation(COCOeval):  # type: ignore[misc]  # the library is untyped
    """COCO's evaluation over our values: every image, no area ranges, our outlines' overlap."""

    def __init__(self, images: Sequence[DetectedImage], classes: Sequence[str]) -> None:
        super().__init__(
            _dataset([image.truth for image in images], classes),
            _dataset([image.found for image in images], classes),
            'bbox',
        )
        self._images = images
        self._classes = classes
        self._outlines = by_outlines(images)
        self.params.imgIds = list(range(1, len(images) + 1))
        self.params.catIds = list(range(1, len(classes) + 1))
        self.params.maxDets = [MOST_PER_IMAGE]
        self.params.areaRng = [[0.0, float('inf')]]
        self.params.areaRngLbl = ['all']

    def computeIoU(self, imgId: int, catId: int) -> Any:  # noqa: ANN401, N802, N803
        """Overlap (detections, truths), best detection first."""
        if not self._outlines:
            return super().computeIoU(imgId, catId)
        image, label = self._images[imgId - 1], self._classes[catId - 1]
        truth, found = image.truth.of(label), image.found.of(label)
        if not len(truth) or not len(found):
            return []
        found = found.chosen(np.argsort(-found.scores, kind='stable')[:MOST_PER_IMAGE])
        overlap = np.zeros((len(found), len(truth)))
        for row, column in np.argwhere(iou_matrix(found.boxes_px, truth.boxes_px) > 0):
            first, second = found.polygons_px[row], truth.polygons_px[column]
            overlap[row, column] = outline_iou(first, second)
        return overlap


def _dataset(sides: Sequence[Detections], classes: Sequence[str]) -> COCO:
    dataset = COCO()
    dataset.dataset = {
        'images': [{'id': number} for number in range(1, len(sides) + 1)],
        'categories': [{'id': n, 'name': name} for n, name in enumerate(classes, start=1)],
        'annotations': list(_annotations(sides, classes)),
    }
    dataset.createIndex()
    return dataset


def _annotations(
    sides: Sequence[Detections], classes: Sequence[str]
) -> Iterator[Mapping[str, object]]:
    number = 0
    for image, side in enumerate(sides, start=1):
        for label, score, box in zip(side.labels, side.scores, side.boxes_px, strict=True):
            number += 1  # from 1: the library takes 0 for no match
            width, height = box[2:] - box[:2]
            yield {
                'id': number,
                'image_id': image,
                'category_id': classes.index(label) + 1,
                'bbox': [float(box[0]), float(box[1]), float(width), float(height)],
                'area': float(width * height),
                'iscrowd': 0,
                'score': float(score),
            }


def _matched_class(evaluation: _Evaluation, number: int, images: int) -> MatchedClass:
    of_images = evaluation.evalImgs[number * images : (number + 1) * images]
    present = [(index, one) for index, one in enumerate(of_images) if one is not None]
    scores = np.array([x for _, one in present for x in one['dtScores']], dtype=np.float64)
    hits = np.array([x > 0 for _, one in present for x in one['dtMatches'][0]], dtype=np.bool_)
    places = np.array([i for i, one in present for _ in one['dtScores']], dtype=np.intp)
    order = np.argsort(-scores, kind='stable')
    sizes, found_by = _truths(evaluation, [one for _, one in present])
    precisions = evaluation.eval['precision'][:, :, number, 0, 0]  # (overlaps, recalls)
    return MatchedClass(
        sizes,
        found_by,
        places[order],
        scores[order],
        hits[order],
        np.asarray(precisions[0], dtype=np.float64).clip(0.0, 1.0),
        float(precisions[0].mean()) if len(sizes) else None,
        float(precisions.mean()) if len(sizes) else None,
    )


def _truths(
    evaluation: _Evaluation, images: Sequence[Mapping[str, Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sizes in pixels of the true things, and the scores of what shows them at 50 % overlap."""
    sizes, found_by = [], []
    for one in images:
        scores = dict(zip(one['dtIds'], one['dtScores'], strict=True))
        for truth, detection in zip(one['gtIds'], one['gtMatches'][0], strict=True):
            sizes.append(max(evaluation.cocoGt.anns[truth]['bbox'][2:]))
            found_by.append(scores.get(int(detection), 0.0))
    return np.array(sizes, dtype=np.float64), np.array(found_by, dtype=np.float64)
