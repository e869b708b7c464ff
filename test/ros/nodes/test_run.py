"""Node processes end cleanly, and say why when they cannot start."""

import signal
import subprocess
import sys

import pytest
from inspection_cell_msgs.msg import CellState
from kept_log import KeptLog

from inspection_cell.errors import DataError
from inspection_cell.nodes.qos import LATCHED
from inspection_cell.nodes.run import guarded


def start(module, files, environment, *parameters):
    return subprocess.Popen(
        [sys.executable, '-m', f'inspection_cell.nodes.{module}', *files.arguments(*parameters)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize(
    ('module', 'number'),
    [
        ('cell_node', signal.SIGINT),
        ('surface_node', signal.SIGINT),
        ('reject_node', signal.SIGTERM),
    ],
)
def test_a_node_ends_with_status_0_and_no_traceback(
    module, number, make_world, files, child_environment
):
    world = make_world()
    process = start(module, files, child_environment)
    try:
        topic = {'cell_node': 'verdict', 'surface_node': 'findings'}.get(module, 'disposition')
        world.until(lambda: world.probe.count_publishers(topic))
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, output
    assert 'Traceback' not in output


@pytest.mark.parametrize('module', ['reject_node', 'cell_node'])
def test_a_node_with_a_bad_file_ends_with_status_1_and_names_the_problem(
    module, files, child_environment
):
    files.edit('kind: scanner', 'kind: sonar')
    process = start(module, files, child_environment)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert 'sensors.scanner' in output
    assert 'Traceback' not in output


def test_a_parameter_of_the_wrong_type_ends_the_node_with_its_name(files, child_environment):
    process = start('cell_node', files, child_environment, 'id_seed:=often')
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert 'id_seed' in output
    assert 'Traceback' not in output


def test_parameters_are_described_with_range_and_read_only_flag(make_world):
    from inspection_cell.nodes.cell_node import CellNode

    node = make_world().start(CellNode())
    for name in ('cell', 'recipes', 'data_dir', 'autostart', 'id_seed'):
        described = node.describe_parameter(name)
        assert described.description.endswith('.') or described.description
        assert described.read_only
    assert node.describe_parameter('id_seed').integer_range[0].from_value == -1


def test_the_state_of_the_cell_reaches_those_who_start_later(make_world):
    from inspection_cell.nodes.cell_node import CellNode

    world = make_world()
    world.start(CellNode())
    states = world.hear(CellState, 'cell_state', LATCHED)
    world.until(lambda: states)
    assert states[0].part_types == ['plate']


def fail(error):
    raise error


def test_whatever_a_library_throws_is_logged_with_its_traceback_and_becomes_a_reason():
    log = KeptLog()
    assert guarded(log, 'work', lambda: None) == ''
    assert guarded(log, 'work', lambda: fail(DataError('no points'))) == 'no points'
    assert 'Traceback' not in log.lines[-1]
    assert guarded(log, 'work', lambda: fail(RuntimeError('boom'))) == 'RuntimeError: boom'
    assert 'Traceback' in log.lines[-1]
