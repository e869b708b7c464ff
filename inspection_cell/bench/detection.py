"""Row `detection`: four images, against the detector library's own call one by one."""

import time

import numpy as np

from inspection_cell.bench.machine import busy_share
from inspection_cell.bench.result import Figure, Result, Settings
from inspection_cell.bench.subject import bench_model, bench_recipe
from inspection_cell.cell import load_cell
from inspection_cell.locations import demo_cell
from inspection_cell.observations import Image
from inspection_cell.sim.plan import PlannedPart
from inspection_cell.sim.seeds import Purpose
from inspection_cell.sim.station import Station
from inspection_cell.ultralytics_adapter.inference import PlainPredictor, UltralyticsDetector

RUNS = 7
IMAGES = 4


def measure(settings: Settings, bar: str) -> Result:
    """Both on the same images with the same weights and image size, in turn; medians."""
    others = busy_share()
    folder = bench_model(settings)
    images = demo_images(IMAGES)
    ours, peer = UltralyticsDetector(folder), PlainPredictor(folder)
    ours_s, peer_s = [], []
    for _ in range(RUNS + 1):
        begin_s = time.perf_counter()
        found = ours.detect(images)
        middle_s = time.perf_counter()
        found_by_peer = [peer.count(image) for image in images]
        ours_s.append(middle_s - begin_s)
        peer_s.append(time.perf_counter() - middle_s)
    ours_ms, peer_ms = (float(np.median(times_s[1:])) * 1e3 for times_s in (ours_s, peer_s))
    height, width = images[0].pixels.shape[:2]
    return Result(
        key='detection',
        unit='ms',
        ours=round(ours_ms, 1),
        peer=round(peer_ms, 1),
        ratio=round(peer_ms / ours_ms, 2),
        measured=(
            f'{IMAGES} simulated {width}x{height} images, whole call, {ours.backend}, median of '
            f'{RUNS}; peer: predict on the same weights one by one; the peer on the OpenVINO '
            'export is not measured in this version'
        ),
        bar=bar,
        figures=(
            Figure('busy_share_before', round(others, 3)),
            Figure('ours_boxes', sum(len(boxes) for boxes in found)),
            Figure('peer_boxes', sum(found_by_peer)),
            Figure('ours_min_ms', round(min(ours_s) * 1e3, 1)),
            Figure('peer_min_ms', round(min(peer_s) * 1e3, 1)),
        ),
    )


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
