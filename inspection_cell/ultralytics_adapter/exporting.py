"""Trained weights in other runtimes' formats, for images of any size, without NMS if they can."""

import importlib.util
import logging
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inspection_cell.errors import ModelError
from inspection_cell.model_file import Backend, Precision
from inspection_cell.observations import Image
from inspection_cell.ultralytics_adapter.offline import YOLO, converting, torch
from inspection_cell.ultralytics_adapter.quantising import quantise

# What each runtime can compute in; bf16 is the fp32 file, told at load to compute in bf16.
FORMATS: dict[Backend, tuple[Precision, ...]] = {
    'openvino': ('fp32', 'bf16', 'fp16', 'int8'),
    'onnxruntime': ('fp32',),
    'tensorrt': ('fp32', 'fp16'),
}
VENDOR_NAMES: dict[Backend, str] = {
    'openvino': 'openvino',
    'onnxruntime': 'onnx',
    'tensorrt': 'engine',
}
# The vendor's loader recognises formats by these endings.
ENDINGS: dict[Backend, str] = {
    'openvino': '_openvino_model',
    'onnxruntime': '.onnx',
    'tensorrt': '.engine',
}
HALF, TRACED_PX = 16, 640
NOISY = ('nncf', 'openvino', 'torch.utils.cpp_extension')
EXPORT_ERRORS = (
    OSError,
    RuntimeError,
    ValueError,
    TypeError,
    KeyError,
    AssertionError,
    ImportError,
)


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: a file or folder, and whether its head is NMS-free."""

    path: Path
    end_to_end: bool


def export_network(
    weights: Path,
    out_dir: Path,
    backend: Backend,
    precision: Precision,
    image_size: int = TRACED_PX,
    calibration: Sequence[Image] = (),
) -> Exported:
    """Write one export into `out_dir`, named by its precision.

    Args:
        weights: the trained PyTorch weights.
        out_dir: an existing folder; an export of that name there is replaced.
        backend: the runtime that it is for.
        precision: bf16 writes what fp32 does.
        image_size: for TensorRT, longest side in use, pixels; the others take any.
        calibration: for int8, images like those in use, none of the challenge set.

    Raises:
        ModelError: for a combination that does not exist, that this machine cannot make, or that
            the converter fails on.
    """
    if precision not in FORMATS[backend]:
        raise ModelError(f'{backend}: expected {", ".join(FORMATS[backend])}, got {precision}')
    if backend == 'tensorrt':
        _require_tensorrt()
    stored: Precision = 'fp32' if precision == 'bf16' else precision
    written = out_dir / f'{stored}{ENDINGS[backend]}'
    with tempfile.TemporaryDirectory(dir=out_dir) as scratch, converting():
        try:
            made = _converted(weights, Path(scratch), backend, stored, image_size)
            if precision == 'int8':
                quantise(made.path, calibration)
        except EXPORT_ERRORS as error:
            raise ModelError(f'{weights}: export {backend} {precision} failed: {error}') from error
        _replace(made.path, written)
    return Exported(written, made.end_to_end)


def _converted(
    weights: Path, scratch: Path, backend: Backend, stored: Precision, image_size: int
) -> Exported:
    """The vendor writes beside the weights: a copy of them."""
    copied = scratch / 'weights.pt'
    shutil.copyfile(weights, copied)
    model = YOLO(str(copied))
    model.model.args = {**model.model.args, 'data': ''}  # a path of the training machine
    half = {'quantize': HALF} if stored == 'fp16' else {}
    end_to_end = getattr(model.model.model[-1], 'one2one_cv2', None) is not None
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.ERROR)
    made = Path(
        model.export(
            format=VENDOR_NAMES[backend],
            imgsz=image_size,
            dynamic=True,
            nms=False,
            device=0 if backend == 'tensorrt' else 'cpu',
            verbose=False,
            **half,
        )
    )
    if not made.exists():
        raise ModelError(f'{weights}: expected the export {made.name}, none was written')
    return Exported(made, end_to_end)


def _require_tensorrt() -> None:
    if not torch.cuda.is_available():
        raise ModelError('tensorrt: expected an NVIDIA GPU with its driver, there is none')
    if importlib.util.find_spec('tensorrt') is None:
        raise ModelError('tensorrt: expected the package tensorrt; run: pip install tensorrt')


def _replace(made: Path, written: Path) -> None:
    if written.is_dir():
        shutil.rmtree(written)
    made.replace(written)
