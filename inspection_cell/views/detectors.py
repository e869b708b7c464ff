"""A model folder as a detector: the fastest network of this machine that was proven.

Only what is chosen is imported: exports of boxes, and NMS-free ones, need neither PyTorch nor
Ultralytics.
"""

import platform
import shutil
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from inspection_cell.errors import ModelError
from inspection_cell.model_file import Backend, Precision
from inspection_cell.models import Export, ModelFolder
from inspection_cell.observations import Image
from inspection_cell.views.calibrated import CalibratedDetector
from inspection_cell.views.detections import Detector, usable_cores
from inspection_cell.views.direct_detector import DirectDetector, Runner
from inspection_cell.views.heads import FLOOR_SCORE
from inspection_cell.views.preprocessing import SHORTEST

__all__ = ['FLOOR_SCORE', 'Choice', 'choose', 'load_detector', 'load_export', 'load_trained']

PACKAGES: dict[Backend, tuple[str, ...]] = {
    'openvino': ('openvino',),
    'onnxruntime': ('onnxruntime',),
    'tensorrt': ('tensorrt', 'torch', 'ultralytics'),
}
FASTEST_FIRST: tuple[Precision, ...] = ('int8', 'bf16', 'fp16', 'fp32')


@dataclass(frozen=True, slots=True)
class Choice:
    """What computes on this machine.

    Attributes:
        export: None: the trained weights, with PyTorch.
        why: a sentence for the log.
    """

    export: Export | None
    why: str


def load_detector(
    folder: ModelFolder,
    image_size: int | None = None,
    *,
    threads: int | None = None,
    floor_score: float = FLOOR_SCORE,
    calibrated: bool = True,
) -> Detector:
    """The fastest proven network of a folder, warm.

    Args:
        folder: the checked model folder.
        image_size: longest side that the network sees, pixels; None: the image's own.
        threads: of the CPU; None: as many as this process may use.
        floor_score: detections with lower raw scores are left out.
        calibrated: whether scores become probabilities, where the folder has a calibration.

    Raises:
        ModelError: when the chosen network is damaged, or nothing here can run any.
    """
    export = choose(folder).export
    if export is None:
        detector = load_trained(folder, image_size, threads=threads, floor_score=floor_score)
    else:
        detector = load_export(
            folder, export, image_size, threads=threads, floor_score=floor_score
        )
    if calibrated and folder.file.calibration is not None:
        return CalibratedDetector(detector, folder.file.calibration)
    return detector


def load_export(
    folder: ModelFolder,
    export: Export,
    image_size: int | None = None,
    *,
    threads: int | None = None,
    floor_score: float = FLOOR_SCORE,
) -> Detector:
    """One export, proven or not, with its raw scores, warm.

    Raises:
        ModelError: when its files are missing, damaged or of another kind, or its runtime is
            not installed.
    """
    missing = _missing_packages(folder, export)
    if missing:
        raise ModelError(
            f'{folder.path}: expected the Python packages {", ".join(missing)} for the export '
            f'{export.path}, they are not installed'
        )
    count = threads or usable_cores()
    if not _direct(folder, export):
        return _by_ultralytics(folder, export, image_size, count, floor_score)
    runner = _runner(folder, export, count)
    detector = DirectDetector(folder, runner, image_size, floor_score, nms_free=export.end_to_end)
    _warm_up(detector, image_size)
    return detector


def load_trained(
    folder: ModelFolder,
    image_size: int | None = None,
    *,
    threads: int | None = None,
    floor_score: float = FLOOR_SCORE,
) -> Detector:
    """The trained weights with their raw scores, by PyTorch, warm.

    Raises:
        ModelError: when they cannot be loaded, or PyTorch is not installed.
    """
    if find_spec('torch') is None or find_spec('ultralytics') is None:
        raise ModelError(
            f'{folder.weights}: trained weights need PyTorch and Ultralytics, which are not '
            f"installed (pip install 'inspection_cell[train]'); {choose(folder).why}"
        )
    from inspection_cell.ultralytics_adapter.inference import UltralyticsDetector  # loads torch

    return UltralyticsDetector(folder, image_size, threads, floor_score)


def choose(folder: ModelFolder) -> Choice:
    """Which network of a folder this machine should run, and why."""
    reasons, usable = [], []
    for export in folder.file.exports:
        against = _against(folder, export)
        if against:
            reasons.append(f'{_named(export)}: {against}')
        else:
            usable.append(export)
    if not usable:
        none = '; '.join(reasons) or 'the folder has no export'
        return Choice(None, f'no export can be used here: {none}')
    best = min(usable, key=_rank)
    others = [f'{_named(export)}: slower' for export in usable if export is not best]
    why = f'{_named(best)} is the fastest proven export that this machine runs'
    return Choice(best, '; '.join([why, *others, *reasons]))


def _named(export: Export) -> str:
    return f'{export.backend} {export.precision}'


def _against(folder: ModelFolder, export: Export) -> str:
    """Why an export cannot be used; empty if it can."""
    if export.parity is None:
        return 'it was never compared with the trained weights'
    if export.parity.problems:
        return f'it differs from the trained weights: {export.parity.problems[0]}'
    if export not in folder.exports:
        return 'it was compared with other weights'
    missing = _missing_packages(folder, export)
    if missing:
        return f'{", ".join(missing)} is not installed'
    if export.backend == 'tensorrt' and shutil.which('nvidia-smi') is None:
        return 'there is no NVIDIA GPU'
    if export.backend == 'openvino':
        from inspection_cell.views.openvino_runner import computes

        return '' if computes(export.precision) else f'this CPU has no {export.precision}'
    return ''


def _missing_packages(folder: ModelFolder, export: Export) -> list[str]:
    needed = list(PACKAGES[export.backend])
    if not _direct(folder, export):
        needed += ['torch', 'ultralytics']
    return sorted({name for name in needed if find_spec(name) is None})


def _direct(folder: ModelFolder, export: Export) -> bool:
    read = export.end_to_end or folder.file.task == 'detect'
    return read and export.backend != 'tensorrt'


def _rank(export: Export) -> tuple[int, int]:
    order: tuple[Backend, ...] = ('tensorrt', 'onnxruntime', 'openvino')
    if platform.machine().lower() in ('x86_64', 'amd64'):
        order = ('tensorrt', 'openvino', 'onnxruntime')
    return order.index(export.backend), FASTEST_FIRST.index(export.precision)


def _runner(folder: ModelFolder, export: Export, threads: int) -> Runner:
    path, task = folder.export_path(export), folder.file.task
    if export.backend == 'openvino':
        from inspection_cell.views.openvino_runner import OpenVinoRunner

        return OpenVinoRunner(path, export.precision, task, threads, nms_free=export.end_to_end)
    from inspection_cell.views.onnx_runner import OnnxRunner

    return OnnxRunner(path, export.precision, task, threads, nms_free=export.end_to_end)


def _by_ultralytics(
    folder: ModelFolder, export: Export, image_size: int | None, threads: int, floor_score: float
) -> Detector:
    from inspection_cell.ultralytics_adapter.inference import UltralyticsDetector

    return UltralyticsDetector(
        folder,
        image_size,
        threads,
        floor_score,
        network=folder.export_path(export),
        backend=f'{_named(export)} by ultralytics',
        device='cuda:0' if export.backend == 'tensorrt' else 'cpu',
    )


def _warm_up(detector: Detector, image_size: int | None) -> None:
    side = image_size or SHORTEST
    blank = Image(np.zeros((side, side, 3), dtype=np.uint8))
    detector.detect([blank, blank])
    detector.detect([blank])
