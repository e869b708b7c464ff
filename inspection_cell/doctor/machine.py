"""The machine: ROS 2, middleware, shared memory, libraries, clock, disk, detectors."""

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from inspection_cell.cell import Cell
from inspection_cell.doctor.finding import Found, Level, ok
from inspection_cell.environment import (
    SHARED_MEMORY,
    settings_to_add,
    shared_memory_warning,
)
from inspection_cell.errors import InspectionCellError
from inspection_cell.models import check_model_fits, find_model, load_model_folder
from inspection_cell.recipe import Recipe
from inspection_cell.records.store import free_disk_mb
from inspection_cell.views.detectors import choose

LIBRARIES = ('cv2', 'open3d', 'rclpy')  # those that need libraries of the system
MB = 2**20


def machine(
    cell: Cell | None,
    recipes: Sequence[Recipe],
    data_dir: Path,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[Found]:
    """Look at the machine; disk and detectors as far as a cell and its recipes are given."""
    yield _ros()
    yield _middleware(environ)
    yield _shared_memory()
    yield from map(_library, LIBRARIES)
    yield _cv_bridge()
    yield _clock()
    if cell is not None:
        yield _disk(cell, data_dir)
        moved = any(sensor.from_tf for sensor in cell.posed_sensors.values())
        if moved or cell.file.robot.part_from_tf:
            yield _tf2()
    for recipe in recipes:
        if recipe.file.detection is not None:
            yield _detector(recipe, data_dir)


def _ros() -> Found:
    name = 'ROS 2'
    if importlib.util.find_spec('rclpy') is None:
        return Found(name, Level.ERROR, 'rclpy cannot be found', 'make setup, or source ROS 2')
    if importlib.util.find_spec('inspection_cell_msgs') is None:
        advice = 'make setup, or build inspection_cell_msgs with colcon and source its install'
        return Found(name, Level.ERROR, 'inspection_cell_msgs cannot be found', advice)
    return ok(name, f'rclpy {_version("rclpy")}, inspection_cell_msgs are there')


def _middleware(environ: Mapping[str, str]) -> Found:
    name, used = 'middleware', environ.get('RMW_IMPLEMENTATION', 'rmw_fastrtps_cpp')
    lacking = ', '.join(settings_to_add(environ))
    if lacking:
        advice = 'our own nodes get them; before other drivers: eval "$(inspection_cell env)"'
        return Found(name, Level.WARNING, f'{used}; not set in this shell: {lacking}', advice)
    return ok(name, f'{used} with the settings for large messages')


def _shared_memory() -> Found:
    problem = shared_memory_warning()
    if problem is None:
        free_mb = shutil.disk_usage(SHARED_MEMORY).free // MB
        return ok('shared memory', f'{free_mb} MB free in {SHARED_MEMORY}')
    seen, _, advice = problem.partition('; ')
    return Found('shared memory', Level.WARNING, seen, advice or 'mount it')


def _library(package: str) -> Found:
    if importlib.util.find_spec(package) is None:
        return Found(package, Level.ERROR, 'it is not installed', 'make setup')
    problem = _import_problem(package)
    if not problem:
        return ok(package, 'it can be imported')
    advice = 'make setup installs the libraries of the system that it needs'
    return Found(package, Level.ERROR, problem, advice)


def _cv_bridge() -> Found:
    name, numpy = 'cv_bridge', _version('numpy')
    if importlib.util.find_spec('cv_bridge') is None:
        return ok(name, 'not installed: our own decoder serves the usual encodings')
    if not _import_problem(name):
        return ok(name, f'it can be imported, NumPy {numpy}')
    advice = "apt's cv_bridge wants NumPy 1: make setup makes an environment with it"
    return Found(name, Level.WARNING, f'it cannot be imported with NumPy {numpy}', advice)


def _tf2() -> Found:
    name = 'tf2_ros'
    if importlib.util.find_spec(name) is not None:
        return ok(name, 'it is installed: poses come from TF')
    seen = 'not installed, and the cell takes poses from TF'
    return Found(name, Level.ERROR, seen, 'apt install ros-$ROS_DISTRO-tf2-ros-py')


def _clock() -> Found:
    name, tool = 'clock', shutil.which('timedatectl')
    if tool is None:
        return ok(name, 'timedatectl is not there: look yourself where cameras have own clocks')
    told = subprocess.run(
        [tool, 'show', '--property=NTPSynchronized', '--value'],
        capture_output=True, text=True, check=False,
    ).stdout.strip()  # fmt: skip
    if told == 'no':
        advice = 'chrony or PTP, or declare `stamp: {meaning: arrival}` for the sensors'
        return Found(name, Level.WARNING, 'it is not synchronised', advice)
    return ok(name, 'it is synchronised' if told == 'yes' else 'the system does not tell')


def _disk(cell: Cell, data_dir: Path) -> Found:
    folder = next(one for one in (data_dir, *data_dir.parents) if one.is_dir())
    free_mb, least_mb = free_disk_mb(folder), cell.file.limits.min_free_disk_mb
    seen = f'{free_mb:.0f} MB free for {data_dir}'
    if free_mb < least_mb:
        advice = (
            f'below {least_mb:.0f} MB (limits.min_free_disk_mb) no part is accepted: free some'
        )
        return Found('disk', Level.ERROR, seen, advice)
    return ok('disk', seen)


def _detector(recipe: Recipe, data_dir: Path) -> Found:
    name = f'detector of {recipe.part_type}'
    try:
        folder = load_model_folder(find_model(recipe, data_dir))
        check_model_fits(recipe, folder)
        chosen = choose(folder)
    except InspectionCellError as error:
        return Found(name, Level.ERROR, str(error), 'inspection_cell export, or another model')
    if chosen.export is None:
        advice = 'inspection_cell export --model makes one that is several times faster'
        return Found(name, Level.WARNING, chosen.why, advice)
    return ok(name, chosen.why)


def _import_problem(package: str) -> str:
    """Why a package cannot be imported; tried in a process of its own, which it may end."""
    tried = subprocess.run(
        [sys.executable, '-c', f'import {package}'], capture_output=True, text=True, check=False
    )
    if tried.returncode == 0:
        return ''
    return (tried.stderr.strip().splitlines() or [f'exit status {tried.returncode}'])[-1]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return '?'
