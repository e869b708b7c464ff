"""Row `verdict`: the whole cell, from the last frame of a part to its verdict."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import yaml

from inspection_cell.bench.machine import busy_share
from inspection_cell.bench.result import Figure, Result, Settings
from inspection_cell.bench.subject import bench_model, bench_recipe, with_finer_scanner
from inspection_cell.bringup import Simulated
from inspection_cell.cell import Cell, load_cell
from inspection_cell.cell_run import Watcher, run_parts
from inspection_cell.errors import DataError
from inspection_cell.findings import Verdict
from inspection_cell.fusion.fuse import Fuser
from inspection_cell.locations import demo_cell
from inspection_cell.observations import Scan
from inspection_cell.part_orders import simulated_orders
from inspection_cell.recipe import Recipe, load_recipe
from inspection_cell.records.store import RecordStore
from inspection_cell.reference import load_reference
from inspection_cell.sim.plan import PlannedPart
from inspection_cell.sim.station import Station
from inspection_cell.verdict import judge

PARTS, WARM_UPS = 30, 3
PRESENTATION = 'tilted'  # where the simulator finds a place for defects of every kind
FOURTH = {'position_mm': [-50.0, 230.0, 640.0], 'look_at_mm': [0.0, 0.0, 300.0]}
REPEATS = 15
FINER = 1.565  # the scanner then gives about 300,000 points of this part


def measure(settings: Settings, bar: str) -> Result:
    """Real nodes in their processes; frames are rendered before they are published."""
    others = busy_share()
    with TemporaryDirectory(prefix='inspection_cell_bench_') as folder:
        cell, recipe = _subject(Path(folder), bench_model(settings).path)
        latencies_ms, verdicts = _inspected(cell, recipe, Path(folder) / 'data')
        points = _points(cell, recipe)
        stages = _stages(cell, recipe, verdicts, Path(folder) / 'journal')
    median, p95 = np.percentile(latencies_ms, [50, 95])
    return Result(
        key='verdict',
        unit='ms',
        ours=round(float(p95), 1),
        peer=None,
        ratio=None,
        measured=(
            f'p95 of {len(latencies_ms)} parts after {WARM_UPS} for warming up: from the stamp '
            'of the last frame published to the verdict received by the client; one '
            f'presentation, {len(cell.cameras)} cameras at 1280x960 and one scan, all nodes as '
            'processes; what the best published whole cell reports is about 300 ms'
        ),
        bar=bar,
        figures=(
            Figure('busy_share_before', round(others, 3)),
            Figure('latency_p50_ms', round(float(median), 1)),
            Figure('latency_max_ms', round(float(latencies_ms.max()), 1)),
            Figure('scan_points', points),
            *stages,
        ),
    )


def _subject(folder: Path, model: Path) -> tuple[Cell, Recipe]:
    """The demo cell with a fourth camera and a finer scanner, and one presentation."""
    cell = with_finer_scanner(load_cell(demo_cell()), 'scanner', FINER)
    content = cell.file.model_dump(mode='json', exclude_none=True)
    fourth = dict(content['sensors']['front'])
    fourth |= {'topic': 'back/image_raw', 'camera_info_topic': 'back/camera_info', 'pose': FOURTH}
    fourth['trigger'] = {'kind': 'software', 'topic': 'back/trigger'}
    content['sensors']['back'] = fourth
    recipe = bench_recipe()
    wanted = recipe.file.model_dump(mode='json', exclude_none=True)
    held = wanted['presentations'][PRESENTATION]
    held['sensors'] = [*held['sensors'], 'back']
    wanted['presentations'] = {PRESENTATION: held}
    wanted['reference']['mesh'] = str(recipe.mesh_path)
    wanted['detection']['model'] = str(model.resolve())
    files = {'cell.yaml': content, 'recipe.yaml': wanted}
    for name, values in files.items():
        (folder / name).write_text(yaml.safe_dump(values), encoding='utf-8')
    return load_cell(folder / 'cell.yaml'), load_recipe(folder / 'recipe.yaml')


def _inspected(
    cell: Cell, recipe: Recipe, data_dir: Path
) -> tuple[np.ndarray[tuple[int], np.dtype[np.float64]], list[Verdict]]:
    """Latencies (N,) and verdicts of the parts after the warm-up."""
    source = Simulated(0, PARTS + WARM_UPS)
    orders = simulated_orders(cell, [recipe], source)
    quiet = Watcher(lambda _outcome: None, lambda _words: None, lambda _words: None)
    followed = run_parts(cell, [recipe], source, orders, data_dir, quiet)
    if followed.failure:
        raise DataError(f'bench row verdict: {followed.failure}')
    measured = [
        outcome
        for outcome in followed.outcomes[WARM_UPS:]
        if outcome.verdict_latency_ms is not None
    ]
    if not measured:
        raise DataError('bench row verdict: expected verdicts, there is none')
    store = RecordStore(data_dir)
    verdicts = [store.get(outcome.inspection_id).verdict for outcome in measured]
    store.close()
    return np.array([outcome.verdict_latency_ms for outcome in measured]), verdicts


def _points(cell: Cell, recipe: Recipe) -> int:
    """How many points one scan of a good part has."""
    station = Station(cell, [recipe], 0)
    presented = station.present(PlannedPart('bench', recipe.part_type), PRESENTATION)
    scan = station.observe(presented, 'scanner')
    if not isinstance(scan, Scan):
        raise DataError('bench row verdict: expected a scan')
    return len(scan.points)


def _stages(
    cell: Cell, recipe: Recipe, verdicts: Sequence[Verdict], journal: Path
) -> list[Figure]:
    """Where the time goes; the inspectors work at the same time, in processes of their own."""
    cameras = [_slowest(one, set(cell.cameras)) for one in verdicts]
    scanners = [_slowest(one, set(cell.scanners)) for one in verdicts]
    fuser = Fuser(recipe, cell, load_reference(recipe))
    views = verdicts[-1].views

    def decide() -> Verdict:
        return judge(
            recipe,
            fuser.fuse(views),
            views,
            inspection_id=verdicts[-1].inspection_id,
            part_id='bench',
            stamp_ns=0,
            cell_hash=cell.sha256,
            reference=fuser.reference,
        )

    fuse_ms = _median_ms(decide)
    store = RecordStore(journal)
    last = iter(verdicts[-REPEATS:])
    journal_ms = _median_ms(lambda: store.add(next(last)), min(REPEATS, len(verdicts)))
    store.close()
    return [
        Figure('cameras_inspect_p50_ms', round(float(np.median(cameras)) * 1e3, 1)),
        Figure('scan_inspect_p50_ms', round(float(np.median(scanners)) * 1e3, 1)),
        Figure('fuse_and_judge_ms', round(fuse_ms, 1)),
        Figure('journal_ms', round(journal_ms, 1)),
    ]


def _slowest(verdict: Verdict, sensors: set[str]) -> float:
    """Seconds from the frame to the findings of the last of some sensors."""
    return max(view.inspect_s for view in verdict.views if view.view.sensor in sensors)


def _median_ms(work: Callable[[], object], repeats: int = REPEATS) -> float:
    times_s = []
    for _ in range(repeats):
        begin_s = time.perf_counter()
        work()
        times_s.append(time.perf_counter() - begin_s)
    return float(np.median(times_s)) * 1e3
