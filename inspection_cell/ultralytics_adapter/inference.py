"""Trained networks as detectors: Ultralytics' own inference, with PyTorch."""

import os
import pickle
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError, ModelError
from inspection_cell.models import ModelFolder
from inspection_cell.observations import Image
from inspection_cell.ultralytics_adapter.offline import YOLO, torch
from inspection_cell.views.detections import Detections

STRIDE = 32
FLOOR_SCORE = 0.05
MAX_DETECTIONS = 300
GREY = 114  # what the trainer pads with
LOAD_ERRORS = (
    *(OSError, RuntimeError, ValueError, TypeError, KeyError, EOFError),
    pickle.UnpicklingError,
)


class UltralyticsDetector:
    """A YOLO model with its NMS-free head; each image is computed by itself.

    Args:
        folder: the checked model folder.
        image_size: longest side that the network sees, pixels; None: the image's own.
        threads: of the CPU; None: as many as this process may use.
    """

    def __init__(
        self, folder: ModelFolder, image_size: int | None = None, threads: int | None = None
    ) -> None:
        """Load the weights and run once, so that the first part is not slower than others."""
        self._folder = folder
        self._image_size = image_size
        self._threads = threads or len(os.sched_getaffinity(0))
        try:
            self._model = YOLO(str(folder.weights), task=folder.file.task)
        except LOAD_ERRORS as error:
            raise ModelError(f'{folder.weights}: cannot be loaded: {error}') from error
        names = tuple(str(name) for name in self._model.names.values())
        if names != folder.classes:
            raise ModelError(
                f'{folder.path}: expected the classes {", ".join(folder.classes)}, '
                f'the weights know {", ".join(names)}'
            )
        self.detect([Image(np.zeros((STRIDE * 2, STRIDE * 2, 3), dtype=np.uint8))])

    @property
    def backend(self) -> str:
        """What computes."""
        return 'pytorch'

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names that it may give."""
        return self._folder.classes

    @property
    def model_hash(self) -> str:
        """The sha256 of the weights."""
        return self._folder.sha256

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """The boxes of each 8 bit image with scores from 0.05; best first.

        Raises:
            DataError: for pixels that are not 8 bit.
        """
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: Image) -> Detections:
        pixels = _colour(image)
        height, width = pixels.shape[:2]
        network, scale = _fitted(pixels, self._image_size)
        torch.set_num_threads(self._threads)  # holds for the calling thread only
        found = _predicted(self._model, network, list(network.shape[:2]))
        data = found.cpu().numpy().astype(np.float64)  # (N, 6) xyxy, score, class
        boxes = (data[:, :4] / scale).clip(0, [width, height, width, height])
        whole = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)  # not in the padding
        data, boxes = data[whole], boxes[whole]
        order = np.argsort(-data[:, 4], kind='stable')
        labels = tuple(self._folder.classes[int(index)] for index in data[order, 5])
        return Detections(boxes[order], data[order, 4].clip(0, 1), labels)


class PlainPredictor:
    """The vendor's own call, one image at a time: what benchmarks compare with."""

    def __init__(self, folder: ModelFolder) -> None:
        """Load the same weights."""
        self._model = YOLO(str(folder.weights), task=folder.file.task)

    def count(self, image: Image) -> int:
        """Number of boxes in one 8 bit image at its own size, scores from 0.05."""
        pixels = _colour(image)
        return len(_predicted(self._model, pixels, max(pixels.shape[:2])))


def _predicted(model: YOLO, pixels: NDArray[np.uint8], size: int | list[int]) -> torch.Tensor:
    """Rows (N, 6) x0, y0, x1, y1, score, class: one call, so that a benchmark compares alike."""
    result = model.predict(
        pixels,
        imgsz=size,
        conf=FLOOR_SCORE,
        max_det=MAX_DETECTIONS,
        nms=False,
        device='cpu',
        verbose=False,
    )[0]
    return result.boxes.data


def _colour(image: Image) -> NDArray[np.uint8]:
    pixels = image.pixels
    if pixels.dtype != np.uint8:
        raise DataError(f'detector: expected 8 bit pixels, got {pixels.dtype}')
    if pixels.ndim == 2:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    eight_bit: NDArray[np.uint8] = pixels.astype(np.uint8, copy=False)
    return eight_bit


def _fitted(pixels: NDArray[np.uint8], image_size: int | None) -> tuple[NDArray[np.uint8], float]:
    """Scale the longest side to `image_size` and pad right and below to the network's stride."""
    scale = 1.0
    if image_size is not None and image_size != max(pixels.shape[:2]):
        scale = image_size / max(pixels.shape[:2])
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=way).astype(np.uint8)
    below, right = (-pixels.shape[0] % STRIDE, -pixels.shape[1] % STRIDE)
    if below or right:
        pixels = cv2.copyMakeBorder(
            pixels, 0, below, 0, right, cv2.BORDER_CONSTANT, value=(GREY, GREY, GREY)
        ).astype(np.uint8)
    return np.ascontiguousarray(pixels), scale
