"""Model folders with real exports in a temporary folder, marked as proven."""

import shutil
from pathlib import Path

from inspection_cell.models import (
    Export,
    ModelFolder,
    Parity,
    export_sha256,
    file_sha256,
    load_model_folder,
    write_model_file,
)
from inspection_cell.ultralytics_adapter.exporting import export_network
from inspection_cell.ultralytics_adapter.offline import YOLO, torch


def parity_of(weights_sha256: str, problems: tuple[str, ...] = ()) -> Parity:
    """A comparison as the gate writes it."""
    return Parity(
        challenge_sha256='0' * 64, weights_sha256=weights_sha256, images=1, boxes=1,
        unmatched_share=0.0, max_score_difference=0.0, map50_difference=0.0, ms_per_image=1.0,
        trained_ms_per_image=2.0, machine='test', problems=problems,
    )  # fmt: skip


def export_folder(shipped: ModelFolder, path: Path) -> ModelFolder:
    """A copy of a model folder with an OpenVINO and an ONNX export."""
    path.mkdir(parents=True)
    shutil.copy(shipped.weights, path / shipped.file.weights)
    return with_exports(ModelFolder(path, shipped.file), ('openvino', 'onnxruntime'))


def random_folder(shipped: ModelFolder, path: Path, task: str) -> ModelFolder:
    """A network of another task with random weights: its outputs have the form of a trained one's.

    The weights keep signals alive through all layers, and scores are spread around one half.
    """
    path.mkdir(parents=True)
    with torch.random.fork_rng():
        torch.manual_seed(1)  # also for layers below that are left as they begin
        model = YOLO(f'yolo26n-{"seg" if task == "segment" else task}.yaml', task=task)
    generator = torch.Generator().manual_seed(0)
    for layer in model.model.modules():
        if isinstance(layer, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(layer.weight, nonlinearity='relu', generator=generator)
    for branch in model.model.model[-1].one2one_cv3:
        torch.nn.init.zeros_(branch[-1].bias)
    model.save(path / 'weights.pt')
    changed = {
        'task': task, 'classes': tuple(str(name) for name in model.names.values()),
        'weights': 'weights.pt', 'weights_sha256': file_sha256(path / 'weights.pt'),
        'calibration': None, 'exports': (),
    }  # fmt: skip
    file = shipped.file.model_copy(update=changed)
    return with_exports(ModelFolder(path, file), ('openvino',))


def with_exports(folder: ModelFolder, backends: tuple[str, ...]) -> ModelFolder:
    """The folder, its weights exported; OpenVINO is listed as fp32 and as bf16."""
    exports = []
    for backend in backends:
        made = export_network(folder.weights, folder.path, backend, 'fp32', 224)
        exports += [
            Export(
                path=made.path.name, sha256=export_sha256(made.path), backend=backend,
                precision=precision, end_to_end=made.end_to_end,
                parity=parity_of(folder.file.weights_sha256),
            )
            for precision in (('fp32', 'bf16') if backend == 'openvino' else ('fp32',))
        ]  # fmt: skip
    write_model_file(folder.path, folder.file.model_copy(update={'exports': tuple(exports)}))
    return load_model_folder(folder.path)


def export_of(folder: ModelFolder, backend: str, precision: str = 'fp32') -> Export:
    """One of the folder's exports."""
    return next(
        export
        for export in folder.file.exports
        if (export.backend, export.precision) == (backend, precision)
    )
