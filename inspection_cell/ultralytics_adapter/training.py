"""Training a network with Ultralytics, on the CPU."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspection_cell.ultralytics_adapter.offline import YOLO, torch


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


def _prepare(trainer: Any) -> None:  # noqa: ANN401
    torch.set_num_threads(len(os.sched_getaffinity(0)))  # the trainer leaves one unused
    trainer.model.to(memory_format=torch.channels_last)
    if multiplies_bfloat16():
        trainer.model.predict = _in_bfloat16(trainer.model)


def multiplies_bfloat16() -> bool:
    """Whether this CPU computes bfloat16 in hardware, which takes two thirds of the time."""
    return bool(torch.cpu.get_capabilities().get('avx512_bf16', False))


def _in_bfloat16(network: Any) -> Callable[..., Any]:  # noqa: ANN401
    """The network's layers in bfloat16 while it learns; the loss stays in float32.

    The trainer's own mixed precision refuses CPUs, and would compute the loss in bfloat16 too.
    """
    computed = network.predict

    def predict(images: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        if not network.training:
            return computed(images, *args, **kwargs)
        with torch.autocast('cpu', dtype=torch.bfloat16):
            outputs = computed(images, *args, **kwargs)
        return _in_float32(outputs)

    return predict


def _in_float32(outputs: Any) -> Any:  # noqa: ANN401
    if isinstance(outputs, torch.Tensor):
        return outputs.float()
    if isinstance(outputs, dict):
        return {name: _in_float32(value) for name, value in outputs.items()}
    if isinstance(outputs, list | tuple):
        return type(outputs)(_in_float32(value) for value in outputs)
    return outputs


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
    model = YOLO(base, task='detect')
    epochs = _Epochs(progress)
    model.add_callback('on_train_start', _prepare)
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
