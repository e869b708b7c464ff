"""The only file that knows Ultralytics (AGPL-3.0): its models in, our values out.

Kept silent and offline: no downloads, no installation of packages, no telemetry.
"""

import os
import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

os.environ.setdefault('YOLO_OFFLINE', 'true')
os.environ.setdefault('YOLO_AUTOINSTALL', 'false')
os.environ.setdefault('YOLO_VERBOSE', 'false')
_threads_variable_given = 'OMP_NUM_THREADS' in os.environ

# The variables above are read at import.
import torch  # noqa: E402
import ultralytics.data.utils  # noqa: E402
from ultralytics import YOLO  # noqa: E402

from inspection_cell.errors import DataError, ModelError  # noqa: E402
from inspection_cell.models import ClassMetrics, Metrics, ModelFolder  # noqa: E402
from inspection_cell.observations import Image  # noqa: E402
from inspection_cell.views.detections import Detections  # noqa: E402

if not _threads_variable_given:  # Ultralytics sets it to 1, which would slow children down
    os.environ.pop('OMP_NUM_THREADS', None)

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


@dataclass(frozen=True, slots=True)
class EpochReport:
    """How far a training is."""

    epoch: int
    epochs: int
    map50: float
    map50_95: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training left behind: weights without the optimiser's state."""

    weights: Path
    classes: tuple[str, ...]
    epochs: int
    seconds: float


class _Epochs:
    """Follows a training through the trainer's callbacks."""

    def __init__(self, progress: Callable[[EpochReport], None]) -> None:
        self.done = 0
        self.since_s = time.monotonic()
        self._begun = 0
        self._progress = progress

    def begin(self, _trainer: Any) -> None:  # noqa: ANN401  (the vendor's own class)
        self._begun += 1

    def report(self, trainer: Any) -> None:  # noqa: ANN401
        if self.done == self._begun:  # called once more after the last epoch
            return
        self.done = self._begun
        found = {key: float(value) for key, value in trainer.metrics.items()}
        self._progress(
            EpochReport(
                self.done,
                int(trainer.epochs),
                found.get('metrics/mAP50(B)', 0.0),
                found.get('metrics/mAP50-95(B)', 0.0),
                time.monotonic() - self.since_s,
            )
        )


def _use_all_cores(_trainer: Any) -> None:  # noqa: ANN401
    torch.set_num_threads(len(os.sched_getaffinity(0)))  # the trainer leaves one unused


def train_network(
    data: Path,
    out_dir: Path,
    base: str,
    settings: Mapping[str, float | str | bool | None],
    progress: Callable[[EpochReport], None],
) -> Trained:
    """Train on the CPU.

    Args:
        data: the data set's `data.yaml` in YOLO layout.
        out_dir: where checkpoints go, under `run/`.
        base: architecture (`yolo26n.yaml`: from scratch) or a file with weights.
        settings: the trainer's arguments (epochs, imgsz, batch, seed, augmentation).
        progress: called after each epoch.
    """
    _without_fonts()
    model = YOLO(base, task='detect')
    epochs = _Epochs(progress)
    model.add_callback('on_train_start', _use_all_cores)
    model.add_callback('on_train_epoch_start', epochs.begin)
    model.add_callback('on_fit_epoch_end', epochs.report)
    model.train(
        data=str(data),
        project=str(out_dir.resolve()),
        name='run',
        exist_ok=True,
        device='cpu',
        amp=False,
        plots=False,
        verbose=False,
        **settings,
    )
    best = out_dir.resolve() / 'run' / 'weights' / 'best.pt'
    names = tuple(str(name) for name in YOLO(str(best)).names.values())
    return Trained(best, names, epochs.done, time.monotonic() - epochs.since_s)


def measure_network(weights: Path, data: Path, image_size: int, images: int) -> Metrics:
    """Average precision of the NMS-free head on the validation images of a data set."""
    _without_fonts()
    result = YOLO(str(weights), task='detect').val(
        data=str(data),
        imgsz=image_size,
        device='cpu',
        nms=False,
        plots=False,
        verbose=False,
        workers=0,
        project=str(weights.parent / 'validation'),
        exist_ok=True,
    )
    boxes = result.box
    per_class = {
        str(result.names[int(index)]): ClassMetrics(
            map50=float(boxes.ap50[place]), map50_95=float(boxes.ap[place])
        )
        for place, index in enumerate(boxes.ap_class_index)
    }
    return Metrics(
        data=f'{data.parent.name}: validation images',
        images=images,
        map50=float(boxes.map50),
        map50_95=float(boxes.map),
        per_class=per_class,
    )


def _without_fonts() -> None:
    """Keep the data set check from fetching a font for plots that are not drawn."""
    vars(ultralytics.data.utils)['check_font'] = lambda *_arguments: None
