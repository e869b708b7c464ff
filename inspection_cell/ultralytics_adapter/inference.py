"""Networks as detectors by Ultralytics' own inference: trained weights and exports."""

import pickle
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import ModelError
from inspection_cell.models import ModelFolder
from inspection_cell.observations import Image
from inspection_cell.ultralytics_adapter.offline import YOLO, torch
from inspection_cell.views.detections import Detections, usable_cores
from inspection_cell.views.heads import FLOOR_SCORE, from_oriented, from_rows
from inspection_cell.views.preprocessing import SHORTEST, Fitted, fit

MAX_DETECTIONS = 300
LOAD_ERRORS = (
    *(OSError, RuntimeError, ValueError, TypeError, KeyError, EOFError, AttributeError),
    *(ImportError, pickle.UnpicklingError),
)


class UltralyticsDetector:
    """A YOLO network; each image is computed by itself, one after the other.

    Args:
        folder: the checked model folder.
        image_size: longest side that the network sees, pixels; None: the image's own.
        threads: of the CPU; None: as many as this process may use.
        floor_score: detections below are left out.
        network: file or folder that is loaded; None: the trained weights.
        backend: name of what computes.
        device: in PyTorch's words.
    """

    def __init__(
        self,
        folder: ModelFolder,
        image_size: int | None = None,
        threads: int | None = None,
        floor_score: float = FLOOR_SCORE,
        *,
        network: Path | None = None,
        backend: str = 'pytorch',
        device: str = 'cpu',
    ) -> None:
        """Load the network and run once, so that the first part is not slower than others.

        Raises:
            ModelError: for a network that cannot be loaded or knows other classes.
        """
        self._folder, self._image_size, self._floor_score = folder, image_size, floor_score
        self._threads = threads or usable_cores()
        self._device = device
        self._predicting = threading.Lock()
        self.backend = backend
        path = network or folder.weights
        try:
            self._model = YOLO(str(path), task=folder.file.task)
            names = tuple(str(name) for name in self._model.names.values())
        except LOAD_ERRORS as error:
            raise ModelError(f'{path}: cannot be loaded: {error}') from error
        if names != folder.classes:
            raise ModelError(
                f'{folder.path}: expected the classes {", ".join(folder.classes)}, '
                f'the weights know {", ".join(names)}'
            )
        self._predictor = _finite(self._model)
        self.detect([Image(np.zeros((SHORTEST, SHORTEST, 3), dtype=np.uint8))])

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names that it may give."""
        return self._folder.classes

    @property
    def model_hash(self) -> str:
        """The sha256 of the weights."""
        return self._folder.sha256

    def detect(self, images: Sequence[Image], beside: int = 0) -> list[Detections]:
        """The boxes of each 8 bit image, best first.

        Raises:
            DataError: for pixels that are not 8 bit, or too many of them.
            ModelError: when the network gives values that are no finite numbers.
        """
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: Image) -> Detections:
        fitted = fit(image, self._image_size)
        torch.set_num_threads(self._threads)  # holds for the calling thread only
        size = list(fitted.pixels.shape[:2])
        with self._predicting:
            result = _predicted(
                *(self._model, fitted.pixels, size, self._floor_score, self._device),
                self._predictor,
            )
        return _detections(result, fitted, self.classes)


class PlainPredictor:
    """The vendor's own call, one image at a time: what benchmarks and tests compare with.

    Args:
        folder: the checked model folder.
        network: an export's file or folder; None: the trained weights.
    """

    def __init__(self, folder: ModelFolder, network: Path | None = None) -> None:
        """Load the network."""
        self._folder = folder
        self._model = YOLO(str(network or folder.weights), task=folder.file.task)

    def detect(self, image: Image) -> Detections:
        """The boxes of one 8 bit image at its own size, scores from 0.05."""
        pixels = image.pixels.astype(np.uint8, copy=False)
        result = _predicted(self._model, pixels, max(pixels.shape[:2]), FLOOR_SCORE, 'cpu')
        height, width = pixels.shape[:2]
        whole = Fitted(pixels, np.ones(2), np.array([width, height], dtype=np.float64))
        return _detections(result, whole, self._folder.classes)


def _predicted(
    model: YOLO,
    pixels: NDArray[np.uint8],
    size: int | list[int],
    floor_score: float,
    device: str,
    predictor: type | None = None,
) -> Any:  # noqa: ANN401  (the vendor's own class)
    """One call for all, so that a benchmark compares alike."""
    return model.predict(
        pixels,
        imgsz=size,
        conf=floor_score,
        max_det=MAX_DETECTIONS,
        nms=False,
        device=device,
        verbose=False,
        predictor=predictor,
    )[0]


def _finite(model: YOLO) -> type:
    """The vendor's predictor, which would leave out what has no finite score, refusing that.

    It would leave out what has no pixel in its mask too; here that keeps its box.
    """
    vendor: Any = model.task_map[model.task]['predictor']

    class Finite(vendor):  # type: ignore[misc]
        def postprocess(self, preds: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            if not all(bool(torch.isfinite(one).all()) for one in _tensors(preds)):
                raise ModelError('the network gives values that are no finite numbers')
            return super().postprocess(preds, *args, **kwargs)

        def construct_result(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            features = getattr(self, '_feats', None)
            self._feats = features or ()  # the vendor filters only without
            try:
                return super().construct_result(*args, **kwargs)
            finally:
                self._feats = features

    return Finite


def _tensors(values: Any) -> Iterator[Any]:  # noqa: ANN401
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, dict):
        yield from _tensors(list(values.values()))
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _tensors(value)


def _detections(result: Any, fitted: Fitted, classes: Sequence[str]) -> Detections:  # noqa: ANN401
    """The vendor's object in our values; its masks have the network's resolution."""
    if result.obb is not None:
        data = result.obb.data.cpu().numpy()  # x, y, width, height, angle, score, class
        return from_oriented(data[:, [0, 1, 2, 3, 5, 6, 4]], fitted, classes)
    rows = result.boxes.data.cpu().numpy()
    if result.masks is None:
        return from_rows(rows, fitted, classes)
    masks = [(0, 0, mask) for mask in result.masks.data.cpu().numpy().astype(np.uint8)]
    return from_rows(rows, fitted, classes, masks)
