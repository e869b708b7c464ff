"""The benchmark's ROS-free parts: results, the machine's load, children's reports, the peer."""

import json
import os

import numpy as np
import open3d as o3d
import pytest

from inspection_cell.bench.machine import processor_time
from inspection_cell.bench.reports import Reports
from inspection_cell.bench.result import Figure, Result, Settings, not_measured, results_to_json
from inspection_cell.bench.rows import NAMES, measure_rows
from inspection_cell.bench.surface import PointToPlanePeer
from inspection_cell.bench.transport import Passage, stock_environment, tuned_environment
from inspection_cell.environment import MALLOC_SETTINGS, PROFILE_VARIABLES
from inspection_cell.errors import DataError
from inspection_cell.reference import ReferenceMesh


def reports_of(*lines: bytes) -> Reports:
    """Reports of a process that wrote these lines and ended."""
    read, write = os.pipe()
    with os.fdopen(write, 'wb') as end:
        end.writelines(lines)
    return Reports('sink', os.fdopen(read, 'rb'))


def test_json_has_one_key_per_row_with_the_numbers_of_the_contract():
    rows = [
        Result('surface', 'ms', 100.0, 800.0, 8.0, 'a scan', 'at least 8', (Figure('p99', 1.5),)),
        not_measured('verdict', 'p95', 'not yet'),
    ]
    values = json.loads(json.dumps(results_to_json(rows), allow_nan=False))
    assert list(values) == ['surface', 'verdict']
    assert (values['surface']['ours'], values['surface']['peer']) == (100.0, 800.0)
    assert values['surface']['ratio'] == 8.0
    assert values['surface']['figures'] == {'p99': 1.5}
    assert values['verdict']['ours'] is None
    assert values['verdict']['measured'] == 'not measured: not yet'


@pytest.mark.parametrize('bad', [float('nan'), float('inf')])
def test_numbers_that_json_cannot_say_are_refused(bad):
    with pytest.raises(DataError, match='row x: expected finite numbers'):
        Result('x', 'ms', 1.0, None, None, '', '', (Figure('p99', bad),))


def test_the_rows_are_those_of_the_contract():
    assert NAMES == ('verdict', 'detection', 'surface', 'transport', 'release')


def test_a_row_that_cannot_be_measured_says_why_and_the_others_go_on(tmp_path):
    results = list(measure_rows(['transport', 'verdict'], Settings(model=tmp_path)))
    assert [result.key for result in results] == ['verdict', 'transport']
    assert all(result.ours is None for result in results)
    assert str(tmp_path) in results[1].measured


def test_busy_share_is_the_used_part_of_the_passed_processor_time(tmp_path):
    before, after = tmp_path / 'before', tmp_path / 'after'
    #                   user nice system idle iowait irq softirq steal guest guest_nice
    before.write_text('cpu  100 0 50 800 50 0 0 0 7 7\ncpu0 1 1 1 1\n')
    after.write_text('cpu  130 10 80 820 60 0 0 0 9 9\ncpu0 1 1 1 1\n')
    first, second = processor_time(before), processor_time(after)
    assert second.busy_share_since(first) == pytest.approx(70 / 100)
    assert first.busy_share_since(first) == 0.0


def test_reports_come_in_order_and_their_end_is_an_error():
    reports = reports_of(b'{"ready": true}\n', b'{"sent": 3}\n')
    assert reports.next(5.0) == {'ready': True}
    assert reports.next(5.0) == {'sent': 3}
    with pytest.raises(DataError, match=r'sink: expected a line of JSON.*it has ended'):
        reports.next(5.0)


def test_a_process_that_says_something_else_is_quoted():
    with pytest.raises(DataError, match='sink: expected a line of JSON, got Segmentation fault'):
        reports_of(b'Segmentation fault\n').next(5.0)


def test_a_silent_process_is_not_waited_for_without_end():
    read, write = os.pipe()
    reports = Reports('sink', os.fdopen(read, 'rb'))
    with pytest.raises(DataError, match=r'sink: said nothing in 0\.05 s'):
        reports.next(0.05)
    os.close(write)


def test_the_stock_environment_differs_from_ours_by_profile_and_memory_settings_only(monkeypatch):
    monkeypatch.setenv('MALLOC_TRIM_THRESHOLD_', '1')  # of this shell, and not to be measured
    ours, stock = tuned_environment(), stock_environment()
    assert set(ours) - set(stock) == {*PROFILE_VARIABLES, *MALLOC_SETTINGS}
    assert ours['MALLOC_TRIM_THRESHOLD_'] == MALLOC_SETTINGS['MALLOC_TRIM_THRESHOLD_']
    assert all(ours[key] == value for key, value in stock.items())


def test_a_passage_counts_what_was_lost():
    passage = Passage(4, np.array([1.0, 2.0, 3.0]), 0.5, 0)
    assert passage.received_share == 0.75
    figures = {figure.name: figure.value for figure in passage.figures('ours')}
    assert (figures['ours_sent'], figures['ours_received']) == (4, 3)
    assert figures['ours_latency_p50_ms'] == 2.0
    nothing = Passage(4, np.array([]), 0.5, 0)
    assert nothing.received_share == 0.0
    assert not any('latency' in figure.name for figure in nothing.figures('ours'))


def test_the_surface_peer_registers_a_displaced_scan_onto_the_surface():
    box = o3d.geometry.TriangleMesh.create_box(0.06, 0.05, 0.04)
    reference = ReferenceMesh(np.asarray(box.vertices), np.asarray(box.triangles))
    o3d.utility.random.seed(1)
    scan = np.asarray(box.sample_points_uniformly(4000).points, dtype=np.float32)
    start = np.eye(4)
    start[:3, 3] = (0.4e-3, -0.3e-3, 0.5e-3)
    deviations_m = PointToPlanePeer(reference, 20_000).deviations_m(scan, start)
    assert deviations_m.shape == (4000,)
    assert np.percentile(np.abs(deviations_m), 99) < 20e-6
