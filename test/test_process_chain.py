"""Stored scans and recordings through the whole inspection: the signal decides with the scan."""

from pathlib import Path

import numpy as np
import open3d as o3d
import pytest
from scipy.io import wavfile

from inspection_cell.cell import load_cell
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import Decision
from inspection_cell.geometry import Intrinsics, invert
from inspection_cell.observations import Signal
from inspection_cell.pipeline import Pipeline
from inspection_cell.recipe import load_recipe
from inspection_cell.records.serialisation import verdict_from_json, verdict_to_json
from inspection_cell.records.store import RecordStore
from inspection_cell.reference import load_reference
from inspection_cell.signal_files import signal_csv
from inspection_cell.stored_parts import observations, read_stored_parts
from inspection_cell.views.process import ProcessInspector
from inspection_cell.views.surface import SurfaceInspector

CELL = """\
format: 1
name: press
sensors:
  scanner:
    kind: scanner
    topic: scanner/points
    pose: {position_mm: [60, -80, 400], look_at_mm: [0, 0, 200]}
  force: {kind: process, topic: force, unit: N}
  sound: {kind: process, topic: sound, unit: FS}
limits: {min_free_disk_mb: 0}
"""
RECIPE = """\
format: 1
part_type: plate
reference: {mesh: plate.ply, units: mm}
presentations:
  top:
    pose: {position_mm: [0, 0, 200], rpy_deg: [0, 0, 0]}
    sensors: [scanner, force, sound]
surface: {tolerance_mm: [-0.3, 0.3]}
process:
  force: {unit: N, min_duration_s: 1, limits: [{measure: peak, low: 40, high: 60}]}
  sound:
    unit: FS
    min_duration_s: 0.5
    limits: [{measure: band_rms, band_hz: [900, 1100], high: 0.1}]
coverage: {minimum: 0.2}
"""
CAMERA = Intrinsics(160, 120, 400.0, 400.0, 79.5, 59.5)
TIME_S = np.arange(8000) / 8000.0
PRESS = 50.0 * np.sin(np.pi * TIME_S)


@pytest.fixture
def station(tmp_path):
    """A folder with a cell, a recipe and one stored good part with its scan and recordings."""
    plate = o3d.geometry.TriangleMesh.create_box(60, 40, 20).translate((-30, -20, 0))
    step = o3d.geometry.TriangleMesh.create_box(15, 40, 12).translate((30, -20, 0))
    o3d.io.write_triangle_mesh(str(tmp_path / 'plate.ply'), plate + step)
    (tmp_path / 'cell.yaml').write_text(CELL)
    (tmp_path / 'recipe.yaml').write_text(RECIPE)
    top = tmp_path / 'parts' / 'p7' / 'top'
    top.mkdir(parents=True)
    (top.parent / 'part.yaml').write_text('part_type: plate\nunits: m\n')
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(scanned(tmp_path)))
    o3d.io.write_point_cloud(str(top / 'scanner.ply'), cloud)
    press(tmp_path, PRESS)
    listen(tmp_path, 440.0)
    return tmp_path


def scanned(folder: Path):
    cell, recipe = load_cell(folder / 'cell.yaml'), load_recipe(folder / 'recipe.yaml')
    part_to_cell = recipe.file.presentations['top'].pose.transform()
    part_to_sensor = invert(cell.scanners['scanner'].pose.transform()) @ part_to_cell
    columns, rows = np.meshgrid(np.arange(CAMERA.width), np.arange(CAMERA.height))
    rays = CAMERA.rays(np.column_stack([columns.ravel(), rows.ravel()]))
    ranges, _ = load_reference(recipe).cast(part_to_sensor, rays)
    hit = np.isfinite(ranges)
    return rays[hit] * ranges[hit, None]


def press(folder: Path, values, unit='N'):
    content = signal_csv(Signal(values.astype(np.float32), 8000.0, unit))
    (folder / 'parts/p7/top/force.csv').write_bytes(content)


def listen(folder: Path, frequency_hz: float):
    samples = (16000 * np.sin(2 * np.pi * frequency_hz * TIME_S)).astype(np.int16)
    wavfile.write(folder / 'parts/p7/top/sound.wav', 8000, samples)


def inspected(folder: Path):
    """The verdict on the stored part, as the record store keeps it."""
    cell, recipe = load_cell(folder / 'cell.yaml'), load_recipe(folder / 'recipe.yaml')
    reference, evidence = load_reference(recipe), EvidenceFolder(folder / 'data')
    signals = ProcessInspector(recipe, evidence)
    surface = SurfaceInspector(recipe, reference, evidence)
    inspectors = {'scanner': surface, 'force': signals, 'sound': signals}
    (part,) = read_stored_parts(folder / 'parts')
    store = RecordStore(folder / 'data')
    try:
        pipeline = Pipeline(cell, recipe, reference, inspectors, store)
        seen = observations(part, cell, recipe, 'i1', 5)
        verdict = pipeline.inspect('i1', part.part_id, seen, 9)
        assert verdict_to_json(store.get('i1').verdict) == verdict_to_json(verdict)
    finally:
        store.close()
    return verdict_from_json(verdict_to_json(verdict))


def test_a_good_plate_pressed_as_it_should_be_is_accepted(station):
    verdict = inspected(station)
    assert verdict.decision is Decision.ACCEPT, verdict.reasons
    files = [file for view in verdict.views for file in view.evidence if file.kind == 'signal']
    assert len(files) == 2
    assert all((station / 'data' / file.name).is_file() for file in files)


@pytest.mark.parametrize(('share', 'words'), [(1.4, 'at most 60 N'), (0.5, 'at least 40 N')])
def test_too_much_and_too_little_force_reject_a_good_plate(station, share, words):
    press(station, share * PRESS)
    verdict = inspected(station)
    assert verdict.decision is Decision.REJECT
    assert verdict.reasons[0].text.startswith('process_peak of force at top')
    assert words in verdict.reasons[0].text


def test_a_whistle_in_the_forbidden_band_rejects(station):
    listen(station, 1000.0)
    verdict = inspected(station)
    assert verdict.decision is Decision.REJECT
    assert [d.label for d in verdict.defects] == ['process_band_rms']


@pytest.mark.parametrize('bad', ['short', 'unit', 'missing'])
def test_a_recording_that_cannot_be_judged_leaves_the_part_unknown(station, bad):
    if bad == 'short':
        press(station, PRESS[:7999])
    elif bad == 'unit':
        press(station, PRESS, 'kN')
    else:
        (station / 'parts/p7/top/force.csv').unlink()
    assert inspected(station).decision is Decision.UNKNOWN
