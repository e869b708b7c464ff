"""A detector over a runner: fit, run, decode; no PyTorch."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import ModelError
from inspection_cell.models import ModelFolder
from inspection_cell.observations import Image
from inspection_cell.views.detections import Detections
from inspection_cell.views.heads import FLOOR_SCORE, decode
from inspection_cell.views.preprocessing import fit


class Runner(Protocol):
    """An exported network in its runtime."""

    backend: str

    def run(
        self, images: Sequence[NDArray[np.uint8]], beside: int = 0
    ) -> list[tuple[NDArray[np.floating], ...]]:
        """Outputs of each image (H, W, 3), B, G, R; never dependent on the other images."""
        ...


class DirectDetector:
    """An export with an NMS-free head, or of boxes whose doubles are suppressed afterwards.

    Args:
        folder: the checked model folder.
        runner: of the export.
        image_size: longest side that the network sees, pixels; None: the image's own.
        floor_score: detections below are left out.
        nms_free: whether the head suppresses doubles.
    """

    def __init__(
        self,
        folder: ModelFolder,
        runner: Runner,
        image_size: int | None = None,
        floor_score: float = FLOOR_SCORE,
        *,
        nms_free: bool = True,
    ) -> None:
        """Take the network as it is; nothing runs yet."""
        self._folder = folder
        self._runner = runner
        self._image_size = image_size
        self._floor_score = floor_score
        self._nms_free = nms_free

    @property
    def backend(self) -> str:
        """What computes, and in what precision."""
        return self._runner.backend

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names that it may give."""
        return self._folder.classes

    @property
    def model_hash(self) -> str:
        """The sha256 of the weights that it was exported from."""
        return self._folder.sha256

    def detect(self, images: Sequence[Image], beside: int = 0) -> list[Detections]:
        """The boxes of each 8 bit image, best first.

        Raises:
            DataError: for pixels that are not 8 bit, or too many of them.
            ModelError: for an output that is not of the model's task or classes.
        """
        if not images:
            return []
        fitted = [fit(image, self._image_size) for image in images]
        outputs = self._runner.run([one.pixels for one in fitted], beside)
        try:
            return [
                decode(
                    output,
                    one,
                    self._folder.file.task,
                    self.classes,
                    self._floor_score,
                    nms_free=self._nms_free,
                )
                for output, one in zip(outputs, fitted, strict=True)
            ]
        except ModelError as error:
            raise ModelError(f'{self._folder.path}: {self.backend}: {error}') from error
