"""A drafted recipe fits its cell, and puts the part where the sensors look."""

import json
import shutil
import signal
import sys
from dataclasses import replace

import numpy as np
import open3d as o3d
import pytest
import yaml

from inspection_cell.cell import CellFile, load_cell
from inspection_cell.cli import main
from inspection_cell.errors import DataError
from inspection_cell.file_check import check_files
from inspection_cell.geometry import Intrinsics
from inspection_cell.locations import demo_cell, demo_recipes, share_folder
from inspection_cell.recipe import load_recipe
from inspection_cell.recipe_draft import draft_recipe, guessed_units, held_middle, part_type_of

MODEL = share_folder() / 'config' / 'models' / 'simulated_parts'
MESH = demo_recipes()[1].with_name('ring.ply')
VIEW = {'width': 1000, 'height': 800, 'fx': 2000, 'fy': 2000, 'cx': 499.5, 'cy': 399.5}


def cell_of(tmp_path, sensors):
    path = tmp_path / 'cell.yaml'
    path.write_text(yaml.safe_dump({'format': 1, 'name': 'bench', 'sensors': sensors}))
    return load_cell(path)


def posed(kind, name, position_mm, look_at_mm, **fields):
    pose = {'position_mm': list(position_mm), 'look_at_mm': list(look_at_mm)}
    return {name: {'kind': kind, 'topic': name, 'pose': pose} | fields}


FORCE = {'force': {'kind': 'process', 'topic': 'force', 'unit': "N'm"}}
CAMERA = posed('camera', 'eye', (0, 0, 500), (0, 0, 0), intrinsics=VIEW)
SCANNER = posed('scanner', 'scan', (0, 100, 600), (0, 0, 0))


@pytest.mark.parametrize(
    'sensors', [CAMERA, SCANNER, CAMERA | SCANNER, CAMERA | FORCE, SCANNER | FORCE]
)
def test_the_draft_passes_the_check_with_its_cell(tmp_path, sensors):
    cell = cell_of(tmp_path, sensors)
    drafted = draft_recipe(MESH, cell, tmp_path / 'new', model=MODEL)
    for checked in check_files([drafted.recipe, cell.path]):
        assert checked.problems == ()
    recipe = load_recipe(drafted.recipe)
    assert set(recipe.file.presentations['first'].sensors) == set(sensors)
    assert (recipe.file.detection is not None) == ('eye' in sensors)
    assert (recipe.file.surface is not None) == ('scan' in sensors)
    assert recipe.file.coverage.minimum == 1.0
    assert 'TODO' in drafted.recipe.read_text()


def test_the_mesh_is_copied_and_the_part_named_after_it(tmp_path):
    source = tmp_path / '2nd Ring-A.PLY'
    shutil.copyfile(MESH, source)
    drafted = draft_recipe(source, cell_of(tmp_path, SCANNER), tmp_path / 'new')
    assert drafted.part_type == 'part_2nd_ring_a'
    assert drafted.mesh.read_bytes() == MESH.read_bytes()
    assert drafted.mesh.name == 'part_2nd_ring_a.ply'
    assert len(part_type_of(tmp_path / f'{"x" * 80}.ply')) == 40


def test_the_middle_of_the_part_stands_where_the_axes_cross(tmp_path):
    point = np.array((20.0, -30.0, 250.0))
    sensors = {}
    for number, eye in enumerate([(400, 0, 500), (-300, 200, 600), (0, -500, 300)]):
        sensors |= posed('scanner', f's{number}', eye, point.tolist())
    cell = cell_of(tmp_path, sensors)
    assert 1e3 * held_middle(cell, 0.1) == pytest.approx(point, abs=1.5)
    drafted = draft_recipe(MESH, cell, tmp_path / 'new')
    recipe = load_recipe(drafted.recipe)
    pose = recipe.file.presentations['first'].pose.transform()
    low, high = np.array((-45, -45, 0)), np.array((38, 45, 30))
    assert 1e3 * pose[:3, 3] + (low + high) / 2 == pytest.approx(point, abs=1.6)


@pytest.mark.parametrize('focus', [None, (300, 400)])
def test_before_one_camera_the_part_fills_the_image_or_stands_in_its_focus(tmp_path, focus):
    fields = {'intrinsics': VIEW} | ({'focus_mm': list(focus)} if focus else {})
    cell = cell_of(tmp_path, posed('camera', 'eye', (0, 0, 900), (0, 0, 0), **fields))
    x, y, z = held_middle(cell, 0.1)
    away_m = 0.9 - z
    assert (x, y) == pytest.approx((0, 0), abs=1e-9)
    if focus:
        assert away_m == pytest.approx(0.35)
    else:
        camera = Intrinsics(**VIEW)
        ends = camera.project(np.array([[0, -0.05, away_m], [0, 0.05, away_m]]))
        assert np.ptp(ends[:, 1]) == pytest.approx(0.7 * 800)


@pytest.mark.parametrize(('scale', 'units'), [(1.0, 'mm'), (0.001, 'm')])
def test_units_are_guessed_from_the_size_and_said(tmp_path, scale, units):
    mesh = o3d.geometry.TriangleMesh.create_box(80 * scale, 50 * scale, 30 * scale)
    path = tmp_path / 'box.ply'
    o3d.io.write_triangle_mesh(str(path), mesh)
    guess, words = guessed_units(path)
    assert guess == units
    assert f'taken as {units}' in words
    drafted = draft_recipe(path, cell_of(tmp_path, SCANNER), tmp_path / 'new')
    assert drafted.extent_mm == pytest.approx((80, 50, 30))
    given = draft_recipe(path, cell_of(tmp_path, SCANNER), tmp_path / 'given', units='mm')
    assert given.guess == ''
    assert given.extent_mm[0] == pytest.approx(80 * scale, abs=0.1)


def test_a_folder_with_content_a_broken_mesh_and_a_blind_cell_are_refused(tmp_path):
    cell = cell_of(tmp_path, SCANNER)
    with pytest.raises(DataError, match='new or empty folder'):
        draft_recipe(MESH, cell, tmp_path)
    with pytest.raises(DataError, match='mesh'):
        draft_recipe(tmp_path / 'absent.stl', cell, tmp_path / 'new')
    blind = replace(
        cell, file=CellFile.model_validate({'format': 1, 'name': 'b', 'sensors': FORCE})
    )
    with pytest.raises(DataError, match='camera or a scanner'):
        draft_recipe(MESH, blind, tmp_path / 'new')
    assert not (tmp_path / 'new').exists()


def test_the_command_writes_a_recipe_and_says_what_it_guessed(tmp_path, capsys, monkeypatch):
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    given = ['recipe', 'new', '--mesh', MESH, '--cell', demo_cell(), '--out', tmp_path / 'r']
    told = []
    for extra in ([], ['--json']):
        arguments = [*given[:-1], tmp_path / f'r{len(told)}', *extra]
        monkeypatch.setattr(sys, 'argv', ['inspection_cell', *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        told.append(capsys.readouterr())
    for number, handler in handlers.items():
        signal.signal(number, handler)
    assert 'taken as mm' in told[0].err
    assert 'simulated parts' in told[0].err
    values = json.loads(told[1].out.splitlines()[-1])
    assert values['units'] == 'mm'
    assert values['part_type'] == 'ring'
    assert load_recipe(tmp_path / 'r1' / 'recipe.yaml').part_type == 'ring'
