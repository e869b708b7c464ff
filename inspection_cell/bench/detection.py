"""Row `detection`: four images in one call, against the detector library's own, one by one."""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inspection_cell.bench.machine import busy_share
from inspection_cell.bench.result import Figure, Result, Settings
from inspection_cell.bench.subject import bench_model, bench_recipe
from inspection_cell.cell import load_cell
from inspection_cell.locations import demo_cell
from inspection_cell.model_file import Precision
from inspection_cell.models import Export, ModelFolder, export_sha256
from inspection_cell.observations import Image
from inspection_cell.sim.plan import PlannedPart
from inspection_cell.sim.seeds import Purpose
from inspection_cell.sim.station import Station
from inspection_cell.ultralytics_adapter.exporting import export_network
from inspection_cell.ultralytics_adapter.inference import PlainPredictor
from inspection_cell.views.detections import Detections, Detector
from inspection_cell.views.detectors import choose, load_export
from inspection_cell.views.openvino_runner import computes
from inspection_cell.views.overlap import match_boxes

RUNS = 15
WARM_UPS = 2
IMAGES = 4
MIN_IOU, MIN_SCORE = 0.9, 0.25

Found = Sequence[Detections]


@dataclass(frozen=True, slots=True)
class Subject:
    """What is measured: a detector, the export that it runs, and where that came from."""

    detector: Detector
    network: Path
    origin: str


def measure(settings: Settings, bar: str) -> Result:
    """All three on the same images with the same weights and image size, in turn; medians."""
    others = busy_share()
    folder, images = bench_model(settings), demo_images(IMAGES)
    with tempfile.TemporaryDirectory() as scratch:
        subject = subject_of(folder, Path(scratch))
        trained, exported = PlainPredictor(folder), PlainPredictor(folder, subject.network)
        ways: tuple[Callable[[], Found], ...] = (
            lambda: subject.detector.detect(images),
            lambda: [trained.detect(image) for image in images],
            lambda: [exported.detect(image) for image in images],
        )
        found = [way() for way in ways]
        times_ms = interleaved_ms(ways)
    ours_ms, trained_ms, exported_ms = (float(value) for value in np.median(times_ms, axis=1))
    height, width = images[0].pixels.shape[:2]
    return Result(
        key='detection',
        unit='ms',
        ours=round(ours_ms, 1),
        peer=round(trained_ms, 1),
        ratio=round(trained_ms / ours_ms, 2),
        measured=(
            f'{IMAGES} simulated {width}x{height} images, whole call, {subject.detector.backend}, '
            f'median of {RUNS} taken in turn; peer: predict on the .pt one by one; peer_export: '
            f'predict of Ultralytics on the same export one by one; {subject.origin}'
        ),
        bar=bar,
        figures=(
            Figure('busy_share_before', round(others, 3)),
            Figure('ratio_pt', round(trained_ms / ours_ms, 2)),
            Figure('ratio_export', round(exported_ms / ours_ms, 2)),
            Figure('peer_export_ms', round(exported_ms, 1)),
            *(
                Figure(f'{name}_min_ms', round(float(times.min()), 1))
                for name, times in zip(('ours', 'peer', 'peer_export'), times_ms, strict=True)
            ),
            *(
                Figure(f'{name}_boxes', sum(len(_clear(one)) for one in each))
                for name, each in zip(('ours', 'peer', 'peer_export'), found, strict=True)
            ),
            Figure('matched_share_pt', round(matched_share(found[0], found[1]), 4)),
            Figure('matched_share_export', round(matched_share(found[0], found[2]), 4)),
        ),
    )


def subject_of(folder: ModelFolder, scratch: Path) -> Subject:
    """The folder's proven export for OpenVINO, or one made for this run alone."""
    export = choose(folder).export
    if export is not None and export.backend == 'openvino' and export.end_to_end:
        origin = f'{export.backend} {export.precision}, proven in the model folder'
        return Subject(load_export(folder, export), folder.export_path(export), origin)
    made = export_network(folder.weights, scratch, 'openvino', 'fp32')
    precision: Precision = 'bf16' if computes('bf16') else 'fp32'
    listed = Export(
        path=made.path.name,
        sha256=export_sha256(made.path),
        backend='openvino',
        precision=precision,
        end_to_end=made.end_to_end,
    )
    detector = load_export(ModelFolder(scratch, folder.file), listed)
    origin = 'the model folder has no proven export for OpenVINO: exported for this run'
    return Subject(detector, made.path, origin)


def interleaved_ms(ways: Sequence[Callable[[], object]]) -> NDArray[np.float64]:
    """(ways, runs) times of each, ms; one after the other, so that all meet the same machine."""
    times_ms = np.zeros((len(ways), WARM_UPS + RUNS))
    for run in range(WARM_UPS + RUNS):
        for number, way in enumerate(ways):
            begin_s = time.perf_counter()
            way()
            times_ms[number, run] = (time.perf_counter() - begin_s) * 1e3
    return times_ms[:, WARM_UPS:]


def matched_share(first: Found, second: Found) -> float:
    """Share of both sides' clear boxes that have a partner of the same label at IoU 0.9."""
    pairs = [(_clear(one), _clear(other)) for one, other in zip(first, second, strict=True)]
    total = sum(len(one) + len(other) for one, other in pairs)
    matched = sum(len(match_boxes(one, other, MIN_IOU)) for one, other in pairs)
    return 2 * matched / total if total else 1.0


def _clear(found: Detections) -> Detections:
    return found.chosen(np.flatnonzero(found.scores >= MIN_SCORE))


def demo_images(count: int) -> list[Image]:
    """Images of a good part from the demo cell's cameras, presentation after presentation."""
    recipe, cell = bench_recipe(), load_cell(demo_cell())
    station = Station(cell, [recipe], 0, purpose=Purpose.TEST)
    part = PlannedPart('bench', recipe.part_type)
    images: list[Image] = []
    for presentation in recipe.file.presentations:
        presented = station.present(part, presentation)
        for name in list(cell.cameras)[: count - len(images)]:
            seen = station.observe(presented, name)
            if isinstance(seen, Image):
                images.append(seen)
    return images
