"""What a detector gives: boxes with scores and labels, whatever library computed them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.geometry import read_only
from inspection_cell.observations import Image

AT_ONCE = 4  # images of one detector that are computed at the same time at most


def usable_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True, slots=True)
class Detections:
    """All boxes of one image, best score first.

    Attributes:
        boxes_px: (N, 4) x0, y0, x1, y1 in the image as it came, pixels.
        scores: (N,) in [0, 1].
        labels: (N,) class names.
        polygons_px: outlines (K, 2), one per box, of a segmentation or oriented-box model; empty
            for a model that gives none.
    """

    boxes_px: NDArray[np.float64]
    scores: NDArray[np.float64]
    labels: tuple[str, ...]
    polygons_px: tuple[NDArray[np.float64], ...] = ()

    def __post_init__(self) -> None:
        """Check lengths and ranges once, and freeze the arrays."""
        boxes = read_only(np.reshape(self.boxes_px, (-1, 4)), (None, 4), 'detections: boxes_px')
        scores = read_only(self.scores, (len(boxes),), 'detections: scores')
        if len(self.labels) != len(boxes):
            raise DataError(f'detections: {len(boxes)} boxes but {len(self.labels)} labels')
        if (scores < 0).any() or (scores > 1).any():
            raise DataError('detections: scores must lie in [0, 1]')
        if (boxes[:, 2:] < boxes[:, :2]).any():
            raise DataError('detections: boxes must have x0 <= x1 and y0 <= y1')
        if self.polygons_px and len(self.polygons_px) != len(boxes):
            raise DataError(f'detections: {len(boxes)} boxes, {len(self.polygons_px)} polygons')
        polygons = [
            read_only(polygon, (None, 2), 'detections: polygons_px')
            for polygon in self.polygons_px
        ]
        object.__setattr__(self, 'polygons_px', tuple(polygons))
        object.__setattr__(self, 'boxes_px', boxes)
        object.__setattr__(self, 'scores', scores)

    def __len__(self) -> int:
        """Number of boxes."""
        return len(self.labels)

    @property
    def centres_px(self) -> NDArray[np.float64]:
        """(N, 2) centres of the boxes, pixels."""
        centres: NDArray[np.float64] = (self.boxes_px[:, :2] + self.boxes_px[:, 2:]) / 2.0
        return centres

    def of(self, label: str, min_score: float = 0.0) -> 'Detections':
        """Those of one class with at least this score."""
        named = np.array([name == label for name in self.labels], dtype=np.bool_)
        return self.chosen(np.flatnonzero(named & (self.scores >= min_score)))

    def chosen(self, indices: Sequence[int] | NDArray[np.integer]) -> 'Detections':
        """Those with these indices, in that order."""
        return Detections(
            self.boxes_px[indices],
            self.scores[indices],
            tuple(self.labels[index] for index in indices),
            tuple(self.polygons_px[index] for index in indices) if self.polygons_px else (),
        )

    def polygon(self, index: int) -> NDArray[np.float64] | None:
        """The outline (K, 2) of one box; None where the model gives none."""
        return self.polygons_px[index] if self.polygons_px else None


class Detector(Protocol):
    """A trained network, ready to use, by several threads at the same time too."""

    @property
    def backend(self) -> str:
        """What computes: `pytorch`, `openvino bf16`, `onnxruntime fp32`, ..."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names that it may give."""
        ...

    @property
    def model_hash(self) -> str:
        """The sha256 of its weights."""
        ...

    def detect(self, images: Sequence[Image], beside: int = 0) -> list[Detections]:
        """The boxes of each 8 bit image; never dependent on the other images of the call.

        Args:
            images: of this call.
            beside: how many images are looked at by other threads at the same time: the cores
                are shared with them. It changes the time alone.
        """
        ...


class AroundDetector:
    """Base of detectors that change what another one sees or says, and are that one otherwise."""

    def __init__(self, detector: Detector) -> None:
        """Take the detector as it is."""
        self._detector = detector

    @property
    def backend(self) -> str:
        """What computes."""
        return self._detector.backend

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names that it may give."""
        return self._detector.classes

    @property
    def model_hash(self) -> str:
        """The sha256 of its weights."""
        return self._detector.model_hash
