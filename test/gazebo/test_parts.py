"""Which parts are written, and what the command says of them."""

import json

import pytest
from typer.testing import CliRunner

from inspection_cell.bringup import Simulated, load_recipes
from inspection_cell.cell import load_cell
from inspection_cell.cli.app import app
from inspection_cell.errors import DataError
from inspection_cell.gazebo.parts import chosen_kinds, ready_parts
from inspection_cell.gazebo.prerequisites import PACKAGES, require_gazebo
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.outcome import read_orders
from inspection_cell.part_orders import planned_parts
from inspection_cell.sim.defects import DefectKind


@pytest.fixture(scope='module')
def demo():
    cell = load_cell(demo_cell())
    return cell, load_recipes(cell, demo_recipes())


def truth(parts):
    return [(p.part_id, p.part_type, [(d.kind, *d.position_m) for d in p.defects]) for p in parts]


def test_without_a_choice_the_parts_are_those_of_the_demo(demo):
    cell, recipes = demo
    source = Simulated(5, 6)
    parts = ready_parts(cell, recipes, source, chosen_kinds(''))
    assert truth(parts) == truth(planned_parts(cell, recipes, source))


def test_chosen_defects_are_on_every_part_and_the_seed_places_them(demo):
    cell, recipes = demo
    kinds = chosen_kinds('dent, scratch')
    parts = ready_parts(cell, recipes, Simulated(1, 3), kinds)
    assert [part.part_type for part in parts] == ['bracket', 'ring', 'bracket']
    assert all([d.kind for d in part.defects] == ['dent', 'scratch'] for part in parts)
    assert truth(parts) == truth(ready_parts(cell, recipes, Simulated(1, 3), kinds))
    assert truth(parts) != truth(ready_parts(cell, recipes, Simulated(2, 3), kinds))


def test_all_parts_can_be_good(demo):
    cell, recipes = demo
    parts = ready_parts(cell, recipes, Simulated(1, 3), chosen_kinds('none'))
    assert all(part.good for part in parts)


def test_an_unknown_defect_is_refused_with_what_there_is():
    with pytest.raises(DataError, match=r'rust: expected none, or some of .*scratch'):
        chosen_kinds('dent,rust')


def test_a_defect_that_a_part_type_cannot_have_is_refused(demo):
    cell, recipes = demo
    with pytest.raises(DataError, match=r'ring.*missing_screw cannot be seen on a ring'):
        ready_parts(cell, recipes, Simulated(1, 2), [DefectKind.MISSING_SCREW])


def test_the_command_writes_the_folder_and_names_its_files(tmp_path):
    options = ['--recipe', str(demo_recipes()[1]), '--parts', '1', '--defects', 'dent', '--json']
    words = ['gazebo', '--cell', str(demo_cell()), '--out', str(tmp_path / 'new' / 'out')]
    done = CliRunner().invoke(app, [*words, *options, '--namespace', '/line_2/cell'])
    assert done.exit_code == 0, done.output
    files = json.loads(done.stdout.splitlines()[-1])
    assert {*files} == {'world', 'bridge', 'cell', 'parts'}
    (order,) = read_orders(tmp_path / 'new' / 'out' / 'parts.jsonl')
    assert (order.part_type, order.truth.good, order.truth.defects) == ('ring', False, ('dent',))
    bridge = (tmp_path / 'new' / 'out' / 'bridge.yaml').read_text()
    assert '/line_2/cell/left/image_raw' in bridge
    assert '/line_2/cell/left' in (tmp_path / 'new' / 'out' / 'world.sdf').read_text()


def test_a_folder_that_cannot_be_written_is_an_error_that_names_it(tmp_path):
    (tmp_path / 'file').write_text('')
    words = ['gazebo', '--cell', str(demo_cell()), '--out', str(tmp_path / 'file' / 'out')]
    done = CliRunner().invoke(app, [*words, '--parts', '1', '--defects', 'none'])
    assert isinstance(done.exception, DataError)
    assert 'cannot write' in str(done.exception)


def test_missing_packages_of_gazebo_are_named_with_what_to_type(tmp_path):
    index = tmp_path / 'share' / 'ament_index' / 'resource_index' / 'packages'
    index.mkdir(parents=True)
    environment = {'AMENT_PREFIX_PATH': f'/nowhere:{tmp_path}'}
    for package in PACKAGES[:2]:
        (index / package).write_text('')
    with pytest.raises(DataError, match='apt install ros-jazzy-ros-gz') as caught:
        require_gazebo(environment)
    assert 'here: ros_gz_interfaces missing' in str(caught.value)
    (index / PACKAGES[2]).write_text('')
    require_gazebo(environment)
    with pytest.raises(DataError, match=', '.join(PACKAGES)):
        require_gazebo({})
