"""Runs an ONNX export directly with ONNX Runtime, without PyTorch."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import (
    Fail,
    InvalidArgument,
    InvalidGraph,
    InvalidProtobuf,
    NoSuchFile,
    RuntimeException,
)

from inspection_cell.errors import ModelError
from inspection_cell.model_file import Precision, Task
from inspection_cell.views.heads import UNKNOWN, check_outputs

Outputs = tuple[NDArray[np.floating], ...]
LOAD_ERRORS = (
    *(Fail, InvalidArgument, InvalidGraph, InvalidProtobuf, NoSuchFile, RuntimeException),
    ValueError,
)


class OnnxRunner:
    """Outputs of an exported network for 8 bit images of any shapes, one image after the other.

    Args:
        path: the `.onnx` file.
        precision: what the export is listed as.
        task: of the network, to refuse another head.
        threads: of the CPU.
        nms_free: whether its head suppresses doubles.
    """

    def __init__(
        self,
        path: Path,
        precision: Precision,
        task: Task,
        threads: int,
        *,
        nms_free: bool = True,
    ) -> None:
        """Load the network."""
        self.backend = f'onnxruntime {precision}'
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 4
        # Both keep memory for every shape that ever came.
        options.enable_mem_pattern = False
        options.enable_cpu_mem_arena = False
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=['CPUExecutionProvider']
            )
            shapes = [
                [side if isinstance(side, int) else UNKNOWN for side in output.shape]
                for output in self._session.get_outputs()
            ]
            check_outputs(shapes, task, nms_free=nms_free)
        except (*LOAD_ERRORS, ModelError) as error:
            raise ModelError(f'{path}: cannot be used: {error}') from error
        self._input = self._session.get_inputs()[0].name

    def run(self, images: Sequence[NDArray[np.uint8]], beside: int = 0) -> list[Outputs]:
        """Outputs of each image (H, W, 3), B, G, R; never dependent on the other images."""
        return [self._run_one(image) for image in images]

    def _run_one(self, image: NDArray[np.uint8]) -> Outputs:
        values = cv2.dnn.blobFromImage(image, 1 / 255, swapRB=True)  # (1, 3, H, W) float32
        return tuple(self._session.run(None, {self._input: values}))
