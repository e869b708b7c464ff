"""Scores as probabilities: logistic calibration of each class, and how far it can be trusted.

Platt, "Probabilistic outputs for support vector machines" (1999), on the score's logit, with his
smoothed targets. The expected calibration error is that of Guo et al., "On calibration of modern
neural networks" (2017), and is measured on images that the calibration was not fitted on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from inspection_cell.errors import DataError
from inspection_cell.learning.coco import MatchedClass
from inspection_cell.models import Calibration, Calibrations
from inspection_cell.views.calibrated import EDGE, probabilities
from inspection_cell.views.heads import FLOOR_SCORE

BINS = 10
FOLDS = 5
LEAST = 10  # hits, and misses, that a class needs
UNREGULARISED = 1e6


@dataclass(frozen=True, slots=True)
class ScoredHits:
    """Detections of all classes that a detector gives at run time.

    Attributes:
        labels: (N,) class names.
        scores: (N,) raw scores.
        hits: (N,) whether each is true.
        images: (N,) index of each one's image.
    """

    labels: tuple[str, ...]
    scores: NDArray[np.float64]
    hits: NDArray[np.bool_]
    images: NDArray[np.intp]

    def chosen(self, which: NDArray[np.bool_]) -> 'ScoredHits':
        """Those with True."""
        labels = tuple(x for x, keep in zip(self.labels, which, strict=True) if keep)
        return ScoredHits(labels, self.scores[which], self.hits[which], self.images[which])


@dataclass(frozen=True, slots=True)
class Bin:
    """Detections of similar scores.

    Attributes:
        score: their mean.
        hit_share: share of them that are true.
    """

    score: float
    hit_share: float
    count: int


@dataclass(frozen=True, slots=True)
class Fitted:
    """The calibration and its proof.

    Attributes:
        per_class: by class; those that are missing keep their scores.
        kept: classes that are as they were, with the reason.
        error: expected calibration error on images that were not fitted on.
        error_before: the same of the scores as they were.
        bins: reliability on images that were not fitted on.
        bins_before: the same of the scores as they were.
        detections: how many there were.
    """

    per_class: Mapping[str, Calibration]
    kept: Mapping[str, str]
    error: float
    error_before: float
    bins: tuple[Bin, ...]
    bins_before: tuple[Bin, ...]
    detections: int

    @property
    def helps(self) -> bool:
        """Whether probabilities are nearer to the truth than scores are."""
        return bool(self.per_class) and self.error < self.error_before

    def calibrations(self, data: str, data_sha256: str) -> Calibrations:
        """For the model file."""
        return Calibrations(
            data=data,
            data_sha256=data_sha256,
            per_class=dict(self.per_class),
            expected_error=round(self.error, 4),
            expected_error_before=round(self.error_before, 4),
        )


def scored_hits(matched: Mapping[str, MatchedClass], floor: float = FLOOR_SCORE) -> ScoredHits:
    """What the detector gives at run time: nothing below its floor."""
    kept = {label: one.scores >= floor for label, one in matched.items()}
    return ScoredHits(
        tuple(label for label, which in kept.items() for _ in range(int(which.sum()))),
        np.concatenate([matched[label].scores[which] for label, which in kept.items()]),
        np.concatenate([matched[label].hits[which] for label, which in kept.items()]),
        np.concatenate([matched[label].images[which] for label, which in kept.items()]),
    )


def fit_calibration(
    found: ScoredHits, seed: int = 0, present: Calibrations | None = None
) -> Fitted:
    """Fit every class on all images; measure by cross-fitting, five folds of the images.

    Args:
        found: raw scores of images that the network was not trained on.
        seed: deals the images into folds.
        present: the calibration in use, which the new one must beat; a class for which these
            images do not suffice keeps it.

    Raises:
        DataError: without any detection.
    """
    if not found.labels:
        raise DataError('calibration: expected detections, the detector gave none')
    in_use = dict(present.per_class) if present else {}
    per_class, kept = _fit(found)
    held_out = _cross_fitted(found, seed, in_use)
    before = reliability(_probable(found, in_use), found.hits)
    after = reliability(held_out, found.hits)
    return Fitted(
        {**in_use, **per_class},
        kept,
        expected_error(after),
        expected_error(before),
        after,
        before,
        len(found.labels),
    )


def reliability(scores: NDArray[np.float64], hits: NDArray[np.bool_]) -> tuple[Bin, ...]:
    """Share of true detections against the mean score, in ten bins of the same width."""
    places = np.minimum((scores * BINS).astype(int), BINS - 1)
    return tuple(
        Bin(float(scores[which].mean()), float(hits[which].mean()), int(which.sum()))
        for which in (places == place for place in range(BINS))
        if which.any()
    )


def expected_error(bins: Sequence[Bin]) -> float:
    """Mean distance of score and share of true detections, each bin by its count."""
    total = sum(one.count for one in bins)
    return sum(one.count * abs(one.score - one.hit_share) for one in bins) / max(total, 1)


def _fit(found: ScoredHits) -> tuple[dict[str, Calibration], dict[str, str]]:
    fitted: dict[str, Calibration] = {}
    kept: dict[str, str] = {}
    labels = np.array(found.labels)
    for label in sorted(set(found.labels)):
        scores, hits = found.scores[labels == label], found.hits[labels == label]
        true, false = int(hits.sum()), int((~hits).sum())
        if min(true, false) < LEAST:
            kept[label] = f'{true} true and {false} false detections, {LEAST} of each are needed'
            continue
        calibration = _fit_class(scores, hits)
        if calibration is None:
            kept[label] = 'higher scores are not more often true'
        else:
            fitted[label] = calibration
    return fitted, kept


def _fit_class(scores: NDArray[np.float64], hits: NDArray[np.bool_]) -> Calibration | None:
    inside = scores.clip(EDGE, 1.0 - EDGE)
    logits = np.log(inside / (1.0 - inside))[:, None]
    true, false = int(hits.sum()), int((~hits).sum())
    target = np.where(hits, (true + 1) / (true + 2), 1 / (false + 2))
    model = LogisticRegression(C=UNREGULARISED, max_iter=1000)
    model.fit(
        np.vstack([logits, logits]),
        np.repeat([1, 0], len(scores)),
        sample_weight=np.concatenate([target, 1.0 - target]),
    )
    slope, offset = float(model.coef_[0, 0]), float(model.intercept_[0])
    return Calibration(slope=slope, offset=offset) if slope > 0 else None


def _probable(found: ScoredHits, per_class: Mapping[str, Calibration]) -> NDArray[np.float64]:
    if not per_class:
        return found.scores
    calibrations = Calibrations(data='', data_sha256='0' * 64, per_class=dict(per_class))
    return probabilities(found.scores, found.labels, calibrations)


def _cross_fitted(
    found: ScoredHits, seed: int, in_use: Mapping[str, Calibration]
) -> NDArray[np.float64]:
    """Each detection's probability by a calibration that has not seen its image."""
    names = np.unique(found.images)
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of = dict(
        zip(names[order].tolist(), (np.arange(len(names)) % FOLDS).tolist(), strict=True)
    )
    folds = np.array([fold_of[int(image)] for image in found.images])
    result = found.scores.copy()
    for fold in range(FOLDS):
        held_out = folds == fold
        per_class, _ = _fit(found.chosen(~held_out))
        if held_out.any():
            result[held_out] = _probable(found.chosen(held_out), {**in_use, **per_class})
    return result
