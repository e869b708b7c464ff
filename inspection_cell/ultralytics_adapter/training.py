"""Training a network with Ultralytics, on the CPU."""

import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inspection_cell.errors import ModelError
from inspection_cell.models import Task
from inspection_cell.ultralytics_adapter.inference import LOAD_ERRORS
from inspection_cell.ultralytics_adapter.offline import YOLO, torch, ultralytics
from inspection_cell.views.detections import usable_cores

Settings = Mapping[str, float | str | bool | None]
HEADS: Mapping[Task, str] = {'detect': '', 'obb': '-obb', 'segment': '-seg'}
RECENT = 9  # epochs that foretell how long the next ones take
PRIVATE_SETTINGS = ('data', 'model', 'project', 'save_dir', 'name')  # paths of this machine
RUN = 'run'  # the trainer's own folder, with its checkpoints


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
    """What a training left behind.

    Attributes:
        weights: the best epoch's, without the optimiser's state.
        results: table of losses and precisions by epoch.
    """

    weights: Path
    results: Path
    classes: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """What the trainer is told.

    Attributes:
        data: the data set's `data.yaml` in YOLO layout, in a folder that may be written to.
        out_dir: where checkpoints go, under `run/`.
        base: architecture (`yolo26n`: from scratch) or a file with weights.
        settings: the trainer's arguments (imgsz, batch, seed, augmentation).
        nms_free: trains the head that needs no suppression of doubles, else the one that does.
        whole_share: share of the epochs, the last ones, that sees whole images, no mosaics.
        max_hours: fits the number of epochs to that time; None: all epochs.
        resume: continues from the checkpoint in `out_dir`.
    """

    data: Path
    out_dir: Path
    task: Task
    base: str
    epochs: int
    settings: Settings
    nms_free: bool = True
    whole_share: float = 0.0
    max_hours: float | None = None
    resume: bool = False


class _Epochs:
    """Follows a training through the trainer's callbacks."""

    def __init__(self, job: TrainingJob, progress: Callable[[EpochReport], None]) -> None:
        self.since_s = time.monotonic()
        self._job = job
        self._begun = 0
        self._ended_s: float | None = None
        self._each_s: list[float] = []
        self._reported = 0
        self._progress = progress

    def begin(self, trainer: Any) -> None:  # noqa: ANN401  (the vendor's own class)
        """Note which epoch runs."""
        self._begun = int(trainer.epoch) + 1

    def fit(self, trainer: Any) -> None:  # noqa: ANN401
        """With a time limit: fewer epochs, never more, and the schedule of those."""
        now_s = time.time()
        self._each_s.append(now_s - (self._ended_s or trainer.train_time_start))
        self._ended_s = now_s
        if self._job.max_hours is None:
            return
        left_s = self._job.max_hours * 3600 - (now_s - trainer.train_time_start)
        each_s = statistics.median(self._each_s[-RECENT:])
        possible = trainer.epoch + 1 + math.floor(left_s / each_s)
        trainer.epochs = trainer.args.epochs = min(self._job.epochs, max(possible, 1))
        trainer.args.close_mosaic = round(self._job.whole_share * trainer.epochs)
        trainer._setup_scheduler()
        trainer.scheduler.last_epoch = trainer.epoch
        trainer.stop |= trainer.epoch + 1 >= trainer.epochs

    def report(self, trainer: Any) -> None:  # noqa: ANN401
        """Hand on what was measured after the epoch."""
        if self._begun == self._reported:  # called once more after the last epoch
            return
        self.fit(trainer)
        self._reported = self._begun
        found = {key: float(value) for key, value in trainer.metrics.items()}
        self._progress(
            EpochReport(
                self._begun,
                int(trainer.epochs),
                found.get('metrics/mAP50(B)', 0.0),
                found.get('metrics/mAP50-95(B)', 0.0),
                time.monotonic() - self.since_s,
            )
        )


def train_network(job: TrainingJob, progress: Callable[[EpochReport], None]) -> Trained:
    """Train on the CPU; `progress` is called after each epoch.

    Raises:
        ModelError: for a base that is no architecture or weights of the task, or a checkpoint
            that cannot be continued.
    """
    run = job.out_dir.resolve() / RUN
    checkpoint = run / 'weights' / 'last.pt'
    model = _network(str(checkpoint) if job.resume else job.base, job.task, job.nms_free)
    epochs = _Epochs(job, progress)
    model.add_callback('on_train_start', _prepare)
    model.add_callback('on_train_epoch_start', epochs.begin)
    model.add_callback('on_fit_epoch_end', epochs.report)
    arguments = {
        **job.settings,
        'data': str(job.data),
        'epochs': job.epochs,
        'close_mosaic': round(job.whole_share * job.epochs),
        'project': str(run.parent),
        'name': RUN,
        'exist_ok': True,
        'nms': False if job.nms_free else None,  # the best epoch is that of the head in use
        'device': 'cpu',
        'amp': False,
        'plots': False,
        'verbose': False,
    }
    try:
        model.train(trainer=_trainer(model, job.nms_free), **arguments, resume=job.resume)
    except (AssertionError, FileNotFoundError, SyntaxError, TypeError, ValueError) as error:
        raise ModelError(f'{run}: the training cannot be started: {error}') from error
    best = run / 'weights' / 'best.pt'
    names = tuple(str(name) for name in YOLO(str(best)).names.values())
    return Trained(best, run / 'results.csv', names, time.monotonic() - epochs.since_s)


def architecture(base: str, task: Task) -> str:
    """The vendor's file for a family name: `yolo26s` and obb give `yolo26s-obb.yaml`."""
    name = base.removesuffix('.yaml').removesuffix(HEADS[task])
    return f'{name}{HEADS[task]}.yaml'


def made_with() -> dict[str, str]:
    """What the trained numbers depend on beside the seed: libraries, threads, processor."""
    bfloat16 = multiplies_bfloat16()
    return {
        'torch': str(torch.__version__),
        'ultralytics': str(ultralytics.__version__),
        'threads': str(usable_cores()),
        'processor': str(torch.backends.cpu.get_cpu_capability()),
        'precision': 'bfloat16 layers, float32 loss and weights' if bfloat16 else 'float32',
    }


def multiplies_bfloat16() -> bool:
    """Whether this CPU computes bfloat16 in hardware, which takes two thirds of the time."""
    return bool(torch.cpu.get_capabilities().get('avx512_bf16', False))


def _network(source: str, task: Task, nms_free: bool) -> YOLO:
    try:
        model = YOLO(source, task=task)
    except (*LOAD_ERRORS, SyntaxError, AttributeError) as error:
        raise ModelError(f'{source}: cannot be loaded as a base: {error}') from error
    if model.task != task:
        model = _converted(model, source, task)
    if nms_free and getattr(model.model.model[-1], 'one2one_cv2', None) is None:
        raise ModelError(
            f'{source}: expected a network with an NMS-free head, such as yolo26n; '
            '--head nms takes others'
        )
    return model


def _converted(model: YOLO, source: str, task: Task) -> YOLO:
    """A network of another task that begins with the layers that both have."""
    family = Path(str(model.model.yaml.get('yaml_file', ''))).stem
    if model.ckpt is None or not family:
        raise ModelError(f'{source}: expected a base for {task}, it is one for {model.task}')
    converted = YOLO(architecture(family.removesuffix(HEADS.get(model.task, '')), task), task=task)
    converted.load(source)
    return converted


def _trainer(model: YOLO, nms_free: bool) -> type:
    """The vendor's trainer; for the head with NMS it builds networks that have no other."""
    vendor: Any = model.task_map[model.task]['trainer']
    if nms_free:
        trainer: type = vendor
        return trainer

    class OneHeaded(vendor):  # type: ignore[misc]
        def get_model(self, cfg: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
            known = cfg if isinstance(cfg, dict) else ultralytics.nn.tasks.yaml_model_load(cfg)
            return super().get_model({**known, 'end2end': False}, *args, **kwargs)

    return OneHeaded


def _prepare(trainer: Any) -> None:  # noqa: ANN401
    torch.set_num_threads(usable_cores())  # the trainer leaves one unused
    trainer.model.to(memory_format=torch.channels_last)
    if multiplies_bfloat16():
        trainer.model.predict = _in_bfloat16(trainer.model)


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


def store_weights(checkpoint: Path, target: Path) -> None:
    """Copy a checkpoint without what it tells of the machine: paths, and a repository's state."""
    content = torch.load(checkpoint, map_location='cpu', weights_only=False)
    content.pop('git', None)
    network = content['model']
    network.pt_path = ''
    for settings in (content.get('train_args', {}), network.args):
        for name in PRIVATE_SETTINGS:
            settings.pop(name, None)
    torch.save(content, target)
