"""Exporting a model: each format is written, compared with the trained weights, and listed."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inspection_cell.errors import ModelError
from inspection_cell.learning.challenge import Challenge, find_challenge, load_challenge
from inspection_cell.learning.parity import (
    THRESHOLD,
    Comparison,
    Run,
    compare,
    run_challenge,
)
from inspection_cell.learning.parity_report import write_report
from inspection_cell.models import (
    Backend,
    Export,
    ModelFolder,
    Precision,
    export_sha256,
    load_model_folder,
    write_model_file,
)
from inspection_cell.observations import Image
from inspection_cell.stored_parts import read_image
from inspection_cell.ultralytics_adapter.exporting import FORMATS, Exported, export_network
from inspection_cell.ultralytics_adapter.quantising import MOST_IMAGES
from inspection_cell.views.detectors import load_export, load_trained
from inspection_cell.views.eight_bit import to_eight_bit
from inspection_cell.views.heads import LOWEST_SCORE

EXPORTS = 'exports'


@dataclass(frozen=True, slots=True)
class Format:
    """What to export."""

    backend: Backend
    precision: Precision

    def __str__(self) -> str:
        """Words for people."""
        return f'{self.backend} {self.precision}'


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What to export and how to prove it.

    Attributes:
        formats: in this order.
        challenge: data set in YOLO layout; None: the one in the model folder.
        calibration: image files for int8, none of the challenge set.
        image_size: longest side that the network sees in use, pixels; None: the image's own.
        threshold: lowest score of the boxes that must agree.
        threads: of the CPU, for the comparison; None: as many as this process may use.
    """

    formats: tuple[Format, ...]
    challenge: Path | None = None
    calibration: tuple[Path, ...] = ()
    image_size: int | None = None
    threshold: float = THRESHOLD
    threads: int | None = None


@dataclass(frozen=True, slots=True)
class ExportResult:
    """One format as it is listed in `model.yaml` now, and how it compares."""

    export: Export
    comparison: Comparison
    size_bytes: int
    report: Path


def export(
    path: Path,
    plan: ExportPlan,
    progress: Callable[[str, int, int], None] = lambda _what, _done, _all: None,
) -> tuple[ExportResult, ...]:
    """Write, compare and list the formats of a plan.

    One that differs from the trained weights is listed with its problems, so that it is known,
    and its files are removed, so that it cannot be used. Reports lie beside the exports.

    Args:
        path: the model folder.
        plan: what to export.
        progress: called with what is done, images done and images in all.

    Raises:
        ModelError: for a format that cannot be made here, or a damaged folder.
        DataError: for a challenge set that cannot be used.
    """
    folder = load_model_folder(path)
    check_plan(folder, plan)
    challenge = load_challenge(find_challenge(folder, plan.challenge), folder.classes)
    calibration = _calibration(plan, challenge)
    detector = load_trained(
        folder, plan.image_size, threads=plan.threads, floor_score=LOWEST_SCORE
    )
    trained = run_challenge(detector, challenge, lambda *done: progress('trained weights', *done))
    results = []
    for wanted in plan.formats:
        made = _shared(folder, wanted) or _written(folder, wanted, plan, challenge, calibration)
        result = _compared(folder, wanted, made, plan, trained, challenge, progress)
        folder = _listed(folder, result.export)
        results.append(result)
    _remove_unused(folder)
    return tuple(results)


def check_plan(folder: ModelFolder, plan: ExportPlan) -> None:
    """Raise ModelError for what can never work, before minutes are spent on the rest."""
    problems = [
        f'{wanted}: {wanted.backend} computes in {", ".join(FORMATS[wanted.backend])}'
        for wanted in plan.formats
        if wanted.precision not in FORMATS[wanted.backend]
    ]
    if any(one.precision == 'int8' for one in plan.formats) and not plan.calibration:
        problems.append('int8 needs images like those in use, none of the challenge set')
    if not plan.formats:
        problems.append('expected at least one format')
    if problems:
        raise ModelError('\n'.join(f'{folder.path}: {problem}' for problem in problems))


def _shared(folder: ModelFolder, wanted: Format) -> Exported | None:
    """The file of fp32 for bf16 and the other way round: one network, told what to compute in.

    Writing it anew would give other bytes, and end the other's proof.
    """
    if wanted.backend != 'openvino' or wanted.precision not in ('fp32', 'bf16'):
        return None
    for one in folder.file.exports:
        same = one.backend == 'openvino' and {one.precision, wanted.precision} == {'fp32', 'bf16'}
        weights = one.parity.weights_sha256 if one.parity else None
        path = folder.path / one.path
        whole = path.exists() and export_sha256(path) == one.sha256  # a damaged one is made anew
        if same and weights == folder.file.weights_sha256 and whole:
            return Exported(path, one.end_to_end)
    return None


def _written(
    folder: ModelFolder,
    wanted: Format,
    plan: ExportPlan,
    challenge: Challenge,
    calibration: Sequence[Image],
) -> Exported:
    out_dir = folder.path / EXPORTS
    out_dir.mkdir(exist_ok=True)
    longest = max(max(one.image.pixels.shape[:2]) for one in challenge.images)
    size = plan.image_size or longest
    backend, precision = wanted.backend, wanted.precision
    return export_network(folder.weights, out_dir, backend, precision, size, calibration)


def _calibration(plan: ExportPlan, challenge: Challenge) -> Sequence[Image]:
    """Images for int8, evenly from those given.

    Raises:
        ModelError: for an image of the challenge set: ranges fitted to the very images of the
            comparison would make it look better than it is.
    """
    if all(wanted.precision != 'int8' for wanted in plan.formats):
        return ()
    step = -(-len(plan.calibration) // MOST_IMAGES)
    images = [to_eight_bit(read_image(file)) for file in plan.calibration[::step]]
    known = {one.image.pixels.tobytes() for one in challenge.images}
    if any(image.pixels.tobytes() in known for image in images):
        raise ModelError(
            f'int8: expected images to calibrate with that are not in {challenge.path}'
        )
    return images


def _compared(
    folder: ModelFolder,
    wanted: Format,
    made: Exported,
    plan: ExportPlan,
    trained: Run,
    challenge: Challenge,
    progress: Callable[[str, int, int], None],
) -> ExportResult:
    listed = Export(
        path=made.path.relative_to(folder.path).as_posix(),
        sha256=export_sha256(made.path),
        backend=wanted.backend,
        precision=wanted.precision,
        end_to_end=made.end_to_end,
    )
    detector = load_export(
        folder, listed, plan.image_size, threads=plan.threads, floor_score=LOWEST_SCORE
    )
    run = run_challenge(detector, challenge, lambda *done: progress(str(wanted), *done))
    weights = folder.file.weights_sha256
    comparison = compare(trained, run, challenge, weights, wanted.precision, plan.threshold)
    proven = listed.model_copy(update={'parity': comparison.parity})
    report = folder.path / EXPORTS / f'{wanted.backend}_{wanted.precision}_parity.md'
    write_report(report, proven, comparison)
    return ExportResult(proven, comparison, _size(made.path), report)


def _listed(folder: ModelFolder, new: Export) -> ModelFolder:
    """The folder with an export in place of the one of the same format."""
    kept = [
        one
        for one in folder.file.exports
        if (one.backend, one.precision) != (new.backend, new.precision)
        and (one.path != new.path or one.sha256 == new.sha256)  # its file was written anew
    ]
    file = folder.file.model_copy(update={'exports': (*kept, new)})
    write_model_file(folder.path, file)
    return ModelFolder(folder.path, file)


def _remove_unused(folder: ModelFolder) -> None:
    """Remove files of exports that are not proven, unless a proven one shares them."""
    used = {one.path for one in folder.exports}
    for one in folder.file.exports:
        place = folder.path / one.path
        if one.path not in used and place.exists():
            shutil.rmtree(place) if place.is_dir() else place.unlink()


def _size(path: Path) -> int:
    files = [path] if path.is_file() else list(path.rglob('*'))
    return sum(file.stat().st_size for file in files)
