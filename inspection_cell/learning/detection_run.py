"""A detector on labelled image files: what it found beside what is really there."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inspection_cell.learning.datasets import LabelledFile
from inspection_cell.stored_parts import read_image
from inspection_cell.views.detections import Detections, Detector
from inspection_cell.views.eight_bit import to_eight_bit


@dataclass(frozen=True, slots=True)
class DetectedImage:
    """One image: what it really shows and what was found, both in pixels."""

    file: Path
    truth: Detections
    found: Detections


@dataclass(frozen=True, slots=True)
class DetectionRun:
    """A detector's results on many images.

    Attributes:
        ms_per_image: median time of one image given by itself, reading it excluded.
    """

    images: tuple[DetectedImage, ...]
    classes: tuple[str, ...]
    ms_per_image: float
    backend: str
    model_hash: str


def run_detector(
    detector: Detector,
    files: Sequence[LabelledFile],
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    steady_s: Callable[[], float] = time.perf_counter,
) -> DetectionRun:
    """Detect on each image by itself; images are read one after the other, never all at once.

    Raises:
        DataError: for a file that is no readable image.
    """
    images, seconds = [], []
    for done, file in enumerate(files, start=1):
        image = to_eight_bit(read_image(file.image))
        height, width = image.pixels.shape[:2]
        began_s = steady_s()
        found = detector.detect([image])[0]
        seconds.append(steady_s() - began_s)
        images.append(DetectedImage(file.image, file.truth.in_pixels(width, height), found))
        progress(done, len(files))
    milliseconds = float(np.median(seconds)) * 1000.0 if seconds else 0.0
    return DetectionRun(
        tuple(images), detector.classes, milliseconds, detector.backend, detector.model_hash
    )
