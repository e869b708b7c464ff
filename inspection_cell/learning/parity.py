"""Whether an export finds what the trained weights find: box by box, on a challenge set.

Every box of either side with a score above the threshold needs a partner on the other side: the
same class, IoU of at least 0.9, and a score that differs by no more than the limit. The partner
itself may lie below the threshold: a box just above it has one just below it. Average precision
against the truth may hardly change either. `LIMITS` says by precision what may differ.
"""

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inspection_cell.errors import DataError
from inspection_cell.learning.average_precision import match_truth
from inspection_cell.learning.box_differences import MIN_IOU, Difference, box_differences
from inspection_cell.learning.challenge import Challenge
from inspection_cell.models import Parity, Precision
from inspection_cell.views.detections import Detections, Detector

THRESHOLD = 0.25
MIN_BOXES = 10  # fewer prove nothing
WORST_KEPT = 12
ROUNDING = 1e-6
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Limits:
    """What may differ.

    Attributes:
        unmatched_share: of the boxes of both sides.
        score: of two partners.
        map50: either way.
    """

    unmatched_share: float
    score: float
    map50: float


LIMITS: dict[Precision, Limits] = {
    'fp32': Limits(0.0, 0.02, 0.005),
    'fp16': Limits(0.0, 0.02, 0.005),
    'bf16': Limits(0.0, 0.02, 0.005),
    'int8': Limits(0.01, 0.10, 0.015),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result: what `model.yaml` keeps, and the boxes that differ most, worst first."""

    parity: Parity
    worst: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """What a detector found, image by image, its median time, and the classes that it knows."""

    detections: tuple[Detections, ...]
    ms_per_image: float
    classes: tuple[str, ...]


def run_challenge(
    detector: Detector, challenge: Challenge, progress: Progress = lambda _done, _all: None
) -> Run:
    """Detect on each image by itself; the detector must keep low scores (0.001) for the AP."""
    found, seconds = [], []
    for done, one in enumerate(challenge.images, start=1):
        began_s = time.perf_counter()
        found += detector.detect([one.image])
        seconds.append(time.perf_counter() - began_s)
        progress(done, len(challenge.images))
    return Run(tuple(found), float(np.median(seconds)) * 1000.0, detector.classes)


def compare(
    trained: Run,
    exported: Run,
    challenge: Challenge,
    weights_sha256: str,
    precision: Precision = 'fp32',
    threshold: float = THRESHOLD,
) -> Comparison:
    """Compare what an export found with what the trained weights found.

    Args:
        trained: of the trained weights.
        exported: of the export.
        challenge: the images of both.
        weights_sha256: hash of the trained weights.
        precision: of the export; it sets the limits.
        threshold: lowest score that needs a partner.

    Raises:
        DataError: when one of the runs is not of this set.
    """
    if not len(trained.detections) == len(exported.detections) == len(challenge.images):
        raise DataError(f'{challenge.path}: expected detections of {len(challenge.images)} images')
    limits = LIMITS[precision]
    least = threshold - limits.score - ROUNDING
    differences = [
        difference
        for one, ours, theirs in zip(
            challenge.images, trained.detections, exported.detections, strict=True
        )
        for difference in box_differences(one.name, ours, theirs, threshold, least)
    ]
    parity = _parity(trained, exported, challenge, differences, limits, threshold, weights_sha256)
    return Comparison(parity, tuple(sorted(differences, key=_badness)[:WORST_KEPT]))


def _parity(
    trained: Run,
    exported: Run,
    challenge: Challenge,
    differences: Sequence[Difference],
    limits: Limits,
    threshold: float,
    weights_sha256: str,
) -> Parity:
    truths = [one.truth for one in challenge.images]
    before, after = (
        match_truth(run.detections, truths, challenge.classes).map50()
        for run in (trained, exported)
    )
    boxes = sum(int((found.scores >= threshold).sum()) for found in trained.detections)
    both = boxes + sum(int((found.scores >= threshold).sum()) for found in exported.detections)
    unmatched = sum(difference.unmatched for difference in differences) / max(both, 1)
    score = max((difference.score_difference for difference in differences), default=0.0)
    problems = [*_too_little(trained, challenge, boxes, threshold)]
    problems += _beyond(limits, unmatched, score, after - before)
    return Parity(
        challenge_sha256=challenge.sha256,
        weights_sha256=weights_sha256,
        images=len(challenge.images),
        threshold=threshold,
        boxes=boxes,
        unmatched_share=round(min(unmatched, 1.0), 6),
        max_score_difference=round(score, 6),
        map50_difference=round(after - before, 6),
        ms_per_image=round(exported.ms_per_image, 2),
        trained_ms_per_image=round(trained.ms_per_image, 2),
        machine=machine_name(),
        problems=tuple(problems),
    )


def _too_little(trained: Run, challenge: Challenge, boxes: int, threshold: float) -> Sequence[str]:
    """A set on which the trained weights find next to nothing proves nothing."""
    if boxes < MIN_BOXES:
        return [
            f'the trained weights find {boxes} boxes above {threshold:g} on {challenge.path}, '
            f'{MIN_BOXES} are needed: add images that show something'
        ]
    found = {
        label
        for one in trained.detections
        for label, score in zip(one.labels, one.scores, strict=True)
        if score >= threshold
    }
    absent = [label for label in trained.classes if label not in found]
    if absent:
        return [
            f'the trained weights find no {", ".join(absent)} above {threshold:g} on '
            f'{challenge.path}: add images that show it'
        ]
    return []


def _beyond(limits: Limits, unmatched: float, score: float, map50: float) -> Sequence[str]:
    problems = []
    if unmatched > limits.unmatched_share:
        problems.append(
            f'{unmatched:.2%} of the boxes have no partner at IoU {MIN_IOU}, at most '
            f'{limits.unmatched_share:.0%} may'
        )
    if score > limits.score + ROUNDING:
        problems.append(f'scores differ by up to {score:.3f}, at most {limits.score} is allowed')
    if abs(map50) > limits.map50 + ROUNDING:
        points, allowed = 100 * map50, 100 * limits.map50
        problems.append(f'mAP50 differs by {points:+.2f} points, at most {allowed:g} is allowed')
    return problems


def _badness(difference: Difference) -> tuple[float, float]:
    """Sorts the worst first: boxes without a partner by their score, then score differences."""
    alone = max(difference.trained_score or 0.0, difference.exported_score or 0.0)
    return (-alone if difference.unmatched else 1.0, -difference.score_difference)


def machine_name() -> str:
    """The processor's name."""
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
    except OSError:
        lines = []
    named = (line.split(':', 1)[1].strip() for line in lines if line.startswith('model name'))
    return next(named, platform.processor() or platform.machine())
