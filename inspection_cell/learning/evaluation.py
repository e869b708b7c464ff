"""How good a detector is on labelled images that it was not trained on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from inspection_cell.learning.coco import MatchedClass, by_outlines, match
from inspection_cell.learning.datasets import LabelledFile
from inspection_cell.learning.detection_rates import Rate, detection_rate
from inspection_cell.learning.detection_run import DetectedImage, DetectionRun, run_detector
from inspection_cell.recipe import Recipe
from inspection_cell.views.detections import Detections, Detector
from inspection_cell.views.overlap import iou_matrix

MIN_SCORE = 0.25
MIN_IOU = 0.5


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which score on a detection counts.

    Attributes:
        min_score: by class.
        defects: the classes that must not be on a good part.
    """

    min_score: Mapping[str, float]
    defects: tuple[str, ...]

    def passed(self, found: Detections) -> Detections:
        """Those that count."""
        limits = np.array([self.min_score[label] for label in found.labels])
        return found.chosen(np.flatnonzero(found.scores >= limits))

    @classmethod
    def same(cls, classes: Sequence[str], min_score: float = MIN_SCORE) -> 'Thresholds':
        """One for all classes, each of them a defect."""
        return cls(dict.fromkeys(classes, min_score), tuple(classes))

    @classmethod
    def of_recipe(cls, recipe: Recipe, classes: Sequence[str]) -> 'Thresholds':
        """The recipe's; classes that it does not name keep the default and are no defects."""
        found = dict.fromkeys(classes, MIN_SCORE)
        detection = recipe.file.detection
        if detection is None:
            return cls(found, ())
        found |= {feature.label: feature.min_score for feature in detection.features}
        found |= {label: limit.min_score for label, limit in detection.classes.items()}
        return cls(found, tuple(label for label in classes if label in detection.classes))


@dataclass(frozen=True, slots=True)
class ClassEvaluation:
    """One class.

    Attributes:
        truths: how many true things the images show.
        map50: average precision; None when the images show none.
        map50_95: the same.
        min_score: the threshold for the figures below.
        found: detections from there on.
        precision: share of them that are true; None without any.
        recall: share of the true things that are found; None without any.
        precisions: (101,) precision for the recalls 0, 0.01, … 1.
        detection_rate: recall by size, as a recipe's class takes it; empty for few true things.
    """

    truths: int
    map50: float | None
    map50_95: float | None
    min_score: float
    found: int
    precision: float | None
    recall: float | None
    precisions: NDArray[np.float64]
    detection_rate: Rate


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All figures of one detector on one set of images.

    Attributes:
        map50: mean over the classes that the images show.
        map50_95: the same.
        overlap: of what: `boxes` or `outlines`.
        defect_free_images: images without any defect.
        false_alarms: detections of defects on those, from the thresholds on.
        confusion: (C + 1, C + 1) counts from the thresholds on: rows what is there, columns what
            was found, the last ones nothing.
        matched: every detection with its score and whether it is true, by class.
    """

    map50: float
    map50_95: float
    per_class: Mapping[str, ClassEvaluation]
    overlap: str
    images: int
    defect_free_images: int
    false_alarms: int
    confusion: NDArray[np.intp]
    matched: Mapping[str, MatchedClass]
    ms_per_image: float
    backend: str
    model_hash: str

    @property
    def false_alarms_per_defect_free_image(self) -> float | None:
        """None without such images."""
        if not self.defect_free_images:
            return None
        return self.false_alarms / self.defect_free_images


def evaluate(
    detector: Detector,
    files: Sequence[LabelledFile],
    thresholds: Thresholds | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Evaluation:
    """Run a detector and measure it; it must keep low scores (0.001) for average precision.

    Args:
        detector: any, so that every backend and slicing is measured alike.
        files: labelled images.
        thresholds: None: MIN_SCORE for every class.
        progress: called with images done and images in all.
    """
    return measure(run_detector(detector, files, progress), thresholds)


def measure(run: DetectionRun, thresholds: Thresholds | None = None) -> Evaluation:
    """Every figure of a detector's results."""
    chosen = thresholds or Thresholds.same(run.classes)
    matched = match(run.images, run.classes)
    per_class = {label: _of_class(one, chosen.min_score[label]) for label, one in matched.items()}
    clean = [i for i in run.images if not any(x in chosen.defects for x in i.truth.labels)]
    alarms = [x for image in clean for x in chosen.passed(image.found).labels]
    return Evaluation(
        _mean([one.map50 for one in per_class.values()]),
        _mean([one.map50_95 for one in per_class.values()]),
        per_class,
        'outlines' if by_outlines(run.images) else 'boxes',
        len(run.images),
        len(clean),
        sum(label in chosen.defects for label in alarms),
        sum(
            (_confusion(image, chosen, run.classes) for image in run.images),
            np.zeros((len(run.classes) + 1,) * 2, dtype=np.intp),
        ),
        matched,
        run.ms_per_image,
        run.backend,
        run.model_hash,
    )


def _of_class(matched: MatchedClass, min_score: float) -> ClassEvaluation:
    counted = matched.scores >= min_score
    found, hits = int(counted.sum()), int((matched.hits & counted).sum())
    return ClassEvaluation(
        matched.truths,
        matched.map50,
        matched.map50_95,
        min_score,
        found,
        hits / found if found else None,
        hits / matched.truths if matched.truths else None,
        matched.precisions,
        detection_rate(matched.sizes_px, _found(matched, min_score)),
    )


def _found(matched: MatchedClass, min_score: float) -> NDArray[np.bool_]:
    """Which true things (T,) something shows; a `min_score` of 0 does not find the others."""
    return (matched.found_by > 0) & (matched.found_by >= min_score)


def _mean(values: Sequence[float | None]) -> float:
    found = [value for value in values if value is not None]
    return float(np.mean(found)) if found else 0.0


def _confusion(
    image: DetectedImage, thresholds: Thresholds, classes: Sequence[str]
) -> NDArray[np.intp]:
    """Pairs by overlap of boxes, whatever their classes; of equal ones those of one class."""
    nothing = len(classes)
    found, truth = thresholds.passed(image.found), image.truth
    counts = np.zeros((nothing + 1, nothing + 1), dtype=np.intp)
    are = [classes.index(label) for label in truth.labels]
    seen = [classes.index(label) for label in found.labels]
    overlap = iou_matrix(truth.boxes_px, found.boxes_px)
    allowed = overlap >= MIN_IOU
    same = np.equal.outer(are, seen) if are and seen else np.zeros(overlap.shape, dtype=np.bool_)
    gain = np.where(allowed, 1.0 + overlap + same, 0.0)
    rows, columns = linear_sum_assignment(gain, maximize=True)
    pairs = [(r, c) for r, c in zip(rows, columns, strict=True) if allowed[r, c]]
    for row, column in pairs:
        counts[are[row], seen[column]] += 1
    for missed in set(range(len(are))) - {int(row) for row, _ in pairs}:
        counts[are[missed], nothing] += 1
    for invented in set(range(len(seen))) - {int(column) for _, column in pairs}:
        counts[nothing, seen[invented]] += 1
    return counts
