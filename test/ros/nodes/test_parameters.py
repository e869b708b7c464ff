"""What can be set while a node runs is checked all together; the rest only at the start."""

from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import ParameterType
from rclpy.logging import LoggingSeverity
from rclpy.parameter import Parameter

from inspection_cell.errors import DataError
from inspection_cell.nodes import params
from inspection_cell.nodes.params import Described
from inspection_cell.nodes.reject_node import RejectNode

LIVE = {'log_level', 'diagnostics_period_s'}


def declared():
    """Every parameter dataclass of the nodes."""
    for path in sorted(Path(params.__file__).parent.glob('*.py')):
        if 'Params' not in path.read_text():
            continue
        module = import_module(f'inspection_cell.nodes.{path.stem}')
        for name in vars(module):
            kind = getattr(module, name)
            if name.endswith('Params') and getattr(kind, '__module__', '') == module.__name__:
                yield pytest.param(kind, id=name)


@pytest.mark.parametrize('kind', list(declared()))
def test_every_parameter_is_a_sentence_with_a_unit_and_every_number_has_a_range(kind):
    for entry in fields(kind):
        described = entry.metadata['parameter']
        assert isinstance(described, Described)
        assert described.description.endswith('.'), entry.name
        if entry.name.endswith('_s'):
            assert described.description.endswith(', s.'), entry.name
        if entry.type in ('int', 'float', int, float):
            assert described.low is not None, entry.name
            assert described.high is not None, entry.name


@pytest.fixture
def node(make_world):
    world = make_world()
    return world, world.start(RejectNode())


def given(**values):
    return [Parameter(name, value=value) for name, value in values.items()]


def test_only_what_no_verdict_depends_on_is_live(node):
    _, node = node
    own = {entry.name for entry in fields(node.params)}
    assert {name for name in own if not node.describe_parameter(name).read_only} == LIVE
    described = node.describe_parameter('diagnostics_period_s')
    assert described.type == ParameterType.PARAMETER_DOUBLE
    assert described.floating_point_range[0].to_value == 60.0


def test_live_ones_take_effect_at_once(node):
    world, node = node
    heard = world.hear(DiagnosticArray, '/diagnostics', 10)
    changed = given(log_level='debug', diagnostics_period_s=0.1)
    assert node.set_parameters_atomically(changed).successful
    assert node.get_logger().get_effective_level() == LoggingSeverity.DEBUG
    assert (node.params.log_level, node.params.diagnostics_period_s) == ('debug', 0.1)
    world.until(lambda: len(heard) > 3, 1.5)
    node.trigger_deactivate()
    assert node.set_parameters_atomically(given(diagnostics_period_s=2.0)).successful
    node.trigger_activate()
    assert node.params.diagnostics_period_s == 2.0


@pytest.mark.parametrize(
    ('refused', 'why'),
    [
        ({'log_level': 'loud'}, 'expected one of'),
        ({'diagnostics_period_s': 0.0}, 'range'),
        ({'diagnostics_period_s': float('nan')}, 'range'),
        ({'diagnostics_period_s': '1'}, 'type'),
        ({'cell': 'other.yaml'}, 'read-only'),
        ({'autostart': False}, 'read-only'),
    ],
    ids=['unknown level', 'out of range', 'no number', 'a text', 'a path', 'a switch'],
)
def test_a_set_with_one_bad_value_changes_nothing(node, refused, why):
    _, node = node
    before = node.params
    good = {'log_level': 'error', 'diagnostics_period_s': 7.0}
    result = node.set_parameters_atomically(given(**{**good, **refused}))
    assert not result.successful
    assert why in result.reason.lower()
    assert node.params is before
    assert node.get_parameter('diagnostics_period_s').value == 1.0
    assert node.get_parameter('log_level').value == ''


def test_a_level_that_does_not_exist_is_refused_at_the_start(make_world):
    make_world('log_level:=loud')
    with pytest.raises(DataError, match=r"log_level: expected one of .* got 'loud'"):
        RejectNode()
