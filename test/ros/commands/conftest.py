"""The demo cell reduced to its scanner: quick to start, because no detector is loaded."""

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from ros_processes import processes_of

from inspection_cell.locations import demo_cell, demo_recipes

CODE = 'from inspection_cell.cli import main; main()'


@dataclass(frozen=True)
class ScannerCell:
    """Files of a cell with one scanner, and where its nodes write."""

    cell: Path
    recipes: tuple[Path, ...]
    data_dir: Path

    @property
    def options(self) -> list[str]:
        recipes = [word for path in self.recipes for word in ('--recipe', str(path))]
        return ['--cell', str(self.cell), *recipes, '--data-dir', str(self.data_dir)]


@pytest.fixture
def deadline_s() -> float:
    """Longest wait for a frame; long, because a busy machine is no failure of the cell."""
    return 30.0


@pytest.fixture
def surface() -> dict[str, object]:
    """What the recipes' section `surface` says beside what it says in the demo."""
    return {}


@pytest.fixture
def scanner_cell(tmp_path, deadline_s, surface) -> ScannerCell:
    content = yaml.safe_load(demo_cell().read_text())
    content['name'] = 'scanner_cell'
    content['sensors'] = {'scanner': content['sensors']['scanner']}
    content['sensors']['scanner'] |= {'deadline_s': deadline_s, 'inspect_s': 2 * deadline_s}
    content['limits'] = {'min_free_disk_mb': 0.0}
    cell = tmp_path / 'cell.yaml'
    cell.write_text(yaml.safe_dump(content))
    recipes = tuple(reduced(path, tmp_path, surface) for path in demo_recipes())
    return ScannerCell(cell, recipes, tmp_path / 'data')


def reduced(path: Path, folder: Path, surface: dict[str, object]) -> Path:
    content = yaml.safe_load(path.read_text())
    content['surface'] |= surface
    for section in ('detection', 'silhouette'):
        content.pop(section, None)
    content['coverage']['minimum'] = 0.3  # what the scanner alone sees
    content['reference']['mesh'] = str(path.parent / content['reference']['mesh'])
    for presentation in content['presentations'].values():
        presentation['sensors'] = ['scanner']
    recipe = folder / f'{content["part_type"]}.yaml'
    recipe.write_text(yaml.safe_dump(content, sort_keys=False))  # presentations in their order
    return recipe


def start(*arguments: object) -> subprocess.Popen[str]:
    """The real command, as a shell would start it in the foreground."""
    return subprocess.Popen(
        [sys.executable, '-c', CODE, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


@pytest.fixture
def command():
    """Starts commands; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: object) -> subprocess.Popen[str]:
        started.append(start(*arguments))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def nodes_of_domain(domain: int) -> dict[str, int]:
    """Node names and process ids of everything that runs in a ROS domain on this machine."""
    found = processes_of(domain).items()
    return {words[2].rpartition('.')[2]: pid for pid, words in found}


@pytest.fixture
def nodes(ros_domain):
    """The nodes that run in this test's domain, by name."""
    return lambda: nodes_of_domain(ros_domain)


@pytest.fixture
def shared_memory(ros_domain):
    """Names that the test has left in the shared memory of its domain so far."""
    first = 7400 + 250 * ros_domain
    ports = {f'fastrtps_port{port}' for port in range(first, first + 250)}

    def names() -> set[str]:
        present = {path.name for path in Path('/dev/shm').iterdir()}
        return {name for name in present if name.removesuffix('_el') in ports}

    before = names()
    return lambda: names() - before
