"""Scores as probabilities: the calibration of a model file, applied to what its network gives."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inspection_cell.models import Calibrations
from inspection_cell.observations import Image
from inspection_cell.views.detections import AroundDetector, Detections, Detector

EDGE = 1e-6  # scores of 0 and 1 have no logit


class CalibratedDetector(AroundDetector):
    """Another detector's boxes with calibrated scores."""

    def __init__(self, detector: Detector, calibrations: Calibrations) -> None:
        """Take both as they are."""
        super().__init__(detector)
        self._calibrations = calibrations

    def detect(self, images: Sequence[Image], beside: int = 0) -> list[Detections]:
        """The boxes of each 8 bit image, the most probable first."""
        found = self._detector.detect(images, beside)
        return [calibrated(one, self._calibrations) for one in found]


def calibrated(found: Detections, calibrations: Calibrations) -> Detections:
    """The same boxes with probabilities for scores, sorted by them."""
    scores = probabilities(found.scores, found.labels, calibrations)
    order = np.argsort(-scores, kind='stable')
    changed = Detections(found.boxes_px, scores, found.labels, found.polygons_px)
    return changed.chosen(order)


def probabilities(
    scores: NDArray[np.floating], labels: Sequence[str], calibrations: Calibrations
) -> NDArray[np.float64]:
    """(N,) 1 / (1 + exp(-(slope · logit(score) + offset))), after Platt (1999).

    A class without a calibration keeps its scores. `raw_score` is the way back.
    """
    known = calibrations.per_class
    result = scores.astype(np.float64)
    rows = [row for row, label in enumerate(labels) if label in known]
    if not rows:
        return result
    slopes = np.array([known[labels[row]].slope for row in rows])
    offsets = np.array([known[labels[row]].offset for row in rows])
    inside = result[rows].clip(EDGE, 1.0 - EDGE)
    logits = slopes * np.log(inside / (1.0 - inside)) + offsets
    result[rows] = 1.0 / (1.0 + np.exp(-logits))
    return result


def raw_score(probability: float, label: str, calibrations: Calibrations | None) -> float:
    """The score that a network gives for what has this probability."""
    known = calibrations.per_class.get(label) if calibrations else None
    if known is None:
        return probability
    inside = min(max(probability, EDGE), 1.0 - EDGE)
    logit = (np.log(inside / (1.0 - inside)) - known.offset) / known.slope
    return float(1.0 / (1.0 + np.exp(-logit)))
