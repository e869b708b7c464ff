from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from inspection_cell.bringup import (
    NodeSpec,
    Parameter,
    Remapping,
    Simulated,
    Stored,
    cell_nodes,
    client_node,
    gazebo_node,
    in_one_process,
    load_recipes,
    of_this_machine,
    source_node,
    swap_client,
)
from inspection_cell.cell import Cell, ProcessSensor, load_cell
from inspection_cell.errors import ConfigError, DataError
from inspection_cell.locations import demo_cell, demo_recipes


@pytest.fixture(scope='module')
def cell() -> Cell:
    return load_cell(demo_cell())


def without(cell: Cell, kind: str) -> Cell:
    sensors = {name: s for name, s in cell.file.sensors.items() if s.kind != kind}
    return replace(cell, file=cell.file.model_copy(update={'sensors': sensors}))


def modules(specs) -> set[str]:
    return {spec.module.rpartition('.')[2] for spec in specs}


def test_a_cell_has_one_node_per_task_in_its_own_namespace(cell):
    specs = cell_nodes(cell, load_recipes(cell, demo_recipes()), Path('/data'))
    assert modules(specs) == {
        'cell_node', 'detection_node', 'surface_node', 'reject_node', 'view_node'
    }  # fmt: skip
    assert {spec.namespace for spec in specs} == {'demo'}
    assert all(Parameter('data_dir', '/data') in spec.parameters for spec in specs)
    assert all(Parameter('cell', str(cell.path)) in spec.parameters for spec in specs)


def test_only_the_node_that_shows_pictures_may_be_missing(cell):
    specs = cell_nodes(cell, (), Path('/data'))
    assert {spec.name for spec in specs if not spec.essential} == {'view_node'}
    assert specs[-1].name == 'view_node'  # its start does not delay the others


def test_the_robot_side_in_gazebo_knows_the_cell_and_the_parts_of_the_world(cell):
    spec = gazebo_node(cell, load_recipes(cell, demo_recipes()), Path('/world/parts.jsonl'))
    assert (spec.executable, spec.namespace) == ('gazebo_node', 'demo')
    assert Parameter('parts', '/world/parts.jsonl') in spec.parameters
    assert Parameter('cell', str(cell.path)) in spec.parameters


@pytest.mark.parametrize(
    ('kind', 'absent'), [('camera', 'detection_node'), ('scanner', 'surface_node')]
)
def test_sensors_that_are_not_there_need_no_inspector(cell, kind, absent):
    specs = cell_nodes(without(cell, kind), (), Path('/data'))
    assert modules(specs) == {
        'cell_node', 'detection_node', 'surface_node', 'reject_node', 'view_node'
    } - {absent}  # fmt: skip


def test_process_node_runs_where_there_is_a_process_sensor(cell):
    force = ProcessSensor(kind='process', topic='force', unit='N')
    sensors = {**cell.file.sensors, 'force': force}
    pressing = replace(cell, file=cell.file.model_copy(update={'sensors': sensors}))
    started = modules(cell_nodes(pressing, (), Path('/data')))
    assert started - modules(cell_nodes(cell, (), Path('/data'))) == {'process_node'}


def test_simulator_and_replay_stand_for_the_same_hardware_with_their_own_parameters(cell):
    simulated = source_node(cell, (), Simulated(seed=7, parts=3, faults=('empty_gripper',)))
    stored = source_node(cell, (), Stored(Path('/parts')))
    assert modules((simulated, stored)) == {'sim_node', 'replay_node'}
    assert Parameter('seed', 7) in simulated.parameters
    assert Parameter('faults', ('empty_gripper',)) in simulated.parameters
    assert Parameter('data', '/parts') in stored.parameters


def test_no_faults_are_no_parameter_because_ros_cannot_pass_an_empty_list(cell):
    simulated = source_node(cell, (), Simulated(seed=7, parts=3))
    assert 'faults' not in {parameter.name for parameter in simulated.parameters}


def test_arguments_keep_text_as_text_however_it_looks():
    spec = NodeSpec(
        'inspection_cell.nodes.cell_node',
        'cell_node',
        'left',
        (Parameter('data_dir', '7'), Parameter('recipes', ('/a b.yaml', '/ü: x.yaml'))),
        (Remapping('verdict', 'decision'),),
    )
    arguments = spec.arguments()
    values = {
        name: yaml.safe_load(text)
        for name, _, text in (
            arguments[i + 1].partition(':=') for i, flag in enumerate(arguments) if flag == '-p'
        )
    }
    assert values == {'data_dir': '7', 'recipes': ['/a b.yaml', '/ü: x.yaml']}
    assert 'verdict:=decision' in arguments
    assert '__ns:=/left' in arguments


def test_without_paths_the_recipes_beside_the_cell_that_fit_it_are_taken(cell):
    recipes = load_recipes(cell, ())
    assert {recipe.path for recipe in recipes} >= {path.resolve() for path in demo_recipes()}


def test_two_recipes_of_one_part_type_are_refused(cell):
    bracket = demo_recipes()[0]
    with pytest.raises(ConfigError, match='each part type has one recipe'):
        load_recipes(cell, (bracket, bracket))


def test_a_recipe_that_looks_with_an_absent_sensor_is_refused(cell):
    with pytest.raises(ConfigError, match=r'presentations\.top\.sensors: scanner'):
        load_recipes(without(cell, 'scanner'), demo_recipes())


def test_a_cell_without_any_fitting_recipe_says_where_it_looked(tmp_path):
    path = tmp_path / 'cells' / 'lonely.yaml'
    path.parent.mkdir()
    path.write_text(demo_cell().read_text())
    with pytest.raises(ConfigError, match='name them with --recipe'):
        load_recipes(load_cell(path), ())


def test_the_client_reads_the_parts_file(cell):
    spec = client_node(cell, Path('/run/parts.jsonl'))
    assert spec.parameters == (Parameter('parts', '/run/parts.jsonl'),)


def test_a_swap_is_asked_for_in_the_cells_namespace_or_in_none():
    arguments = swap_client('demo', 'ring', Path('/models/ring')).arguments()
    assert '__ns:=/demo' in arguments
    assert 'part_type:="ring"' in arguments
    assert 'model:="/models/ring"' in arguments
    anywhere = swap_client('', 'ring', None).arguments()
    assert '__ns:=/' in anywhere
    assert 'model:=""' in anywhere


def test_a_robot_program_that_leads_gets_its_services(cell):
    robot = cell.file.robot.model_copy(update={'led_by': 'program'})
    led = replace(cell, file=cell.file.model_copy(update={'robot': robot}))
    started = modules(cell_nodes(led, (), Path('/data')))
    assert started - modules(cell_nodes(cell, (), Path('/data'))) == {'program_node'}


def test_the_nodes_of_a_cell_can_share_a_process_with_their_parameters(cell):
    specs = cell_nodes(cell, load_recipes(cell, demo_recipes()), Path('/data'))
    together = in_one_process(specs)
    words = together.arguments()
    assert words[: len(specs)] == [spec.name for spec in specs]
    assert words[len(specs)] == '--ros-args'
    assert '__ns:=/demo' in words
    assert not any(word.startswith('__node:=') for word in words)
    assert together.parameters == specs[0].parameters
    assert together.essential


def test_a_cell_can_be_spread_over_machines_without_a_node_twice_or_missing(cell):
    specs = cell_nodes(cell, load_recipes(cell, demo_recipes()), Path('/data'))
    cameras = of_this_machine(specs, ['detection_node', 'surface_node'])
    others = of_this_machine(specs, [s.name for s in specs if s not in cameras])
    assert {spec.name for spec in cameras} == {'detection_node', 'surface_node'}
    assert sorted(spec.name for spec in (*cameras, *others)) == sorted(s.name for s in specs)
    assert of_this_machine(specs, []) == specs
    with pytest.raises(DataError, match=r'process_node: expected some of .*detection_node'):
        of_this_machine(specs, ['detection_node', 'process_node'])
