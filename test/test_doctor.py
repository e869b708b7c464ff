"""What a machine lacks is told with what to do about it."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

from inspection_cell.cell import load_cell
from inspection_cell.doctor.finding import Level
from inspection_cell.doctor.machine import machine
from inspection_cell.environment import settings_to_add
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.recipe import load_recipe
from inspection_cell.sections.tf import FromTf


@pytest.fixture(scope='module')
def cell():
    return load_cell(demo_cell())


@pytest.fixture(scope='module')
def recipe():
    return load_recipe(demo_recipes()[0])


def found(cell, recipes, data_dir, environ):
    return {one.name: one for one in machine(cell, recipes, data_dir, environ)}


def test_settings_that_a_shell_lacks_are_named_and_one_that_has_them_is_well(cell, tmp_path):
    bare = found(cell, (), tmp_path, {})['middleware']
    assert (bare.level, 'MALLOC_MMAP_THRESHOLD_' in bare.seen) == (Level.WARNING, True)
    assert 'inspection_cell env' in bare.advice
    assert found(cell, (), tmp_path, settings_to_add({}))['middleware'].level is Level.OK


def test_a_disk_that_is_too_full_for_any_accept_is_an_error(cell, tmp_path):
    assert found(cell, (), tmp_path / 'not_yet', {})['disk'].level is Level.OK
    limits = cell.file.limits.model_copy(update={'min_free_disk_mb': 1e12})
    full = replace(cell, file=cell.file.model_copy(update={'limits': limits}))
    disk = found(full, (), tmp_path, {})['disk']
    assert (disk.level, 'min_free_disk_mb' in disk.advice) == (Level.ERROR, True)


@pytest.mark.parametrize('installed', [True, False])
def test_a_cell_that_takes_poses_from_tf_needs_tf2(cell, tmp_path, monkeypatch, installed):
    assert 'tf2_ros' not in found(cell, (), tmp_path, {})
    robot = cell.file.robot.model_copy(update={'part_from_tf': FromTf()})
    moved = replace(cell, file=cell.file.model_copy(update={'robot': robot}))
    name = 'inspection_cell.doctor.machine.importlib.util.find_spec'
    monkeypatch.setattr(name, lambda package: object() if installed else None)
    tf2 = found(moved, (), tmp_path, {})['tf2_ros']
    assert tf2.level is (Level.OK if installed else Level.ERROR)
    assert installed or 'ros-$ROS_DISTRO-tf2-ros-py' in tf2.advice


def test_a_detector_is_told_with_its_backend_and_a_damaged_one_is_an_error(cell, recipe, tmp_path):
    good = found(cell, [recipe], tmp_path, {})['detector of bracket']
    assert (good.level, 'fastest proven export' in good.seen) == (Level.OK, True)
    shutil.copytree(recipe.path.parents[2] / 'models' / 'simulated_parts', tmp_path / 'model')
    (tmp_path / 'model' / 'weights.pt').write_bytes(b'half a file')
    detection = recipe.file.detection.model_copy(update={'model': str(tmp_path / 'model')})
    damaged = replace(recipe, file=recipe.file.model_copy(update={'detection': detection}))
    bad = found(cell, [damaged], tmp_path, {})['detector of bracket']
    assert (bad.level, 'weights.pt' in bad.seen) == (Level.ERROR, True)


def test_the_command_tells_people_and_programs_the_same():
    words = [sys.executable, '-c', 'from inspection_cell.cli import main; main()', 'doctor']
    told = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    listed = subprocess.run(
        [*words, '--json'], capture_output=True, text=True, timeout=100, check=False
    )
    findings = json.loads(listed.stdout)['findings']
    assert all(f'{one["name"]}: ' in told.stdout for one in findings)
    bad = any(one['level'] == 'error' for one in findings)
    assert told.returncode == listed.returncode == int(bad)
