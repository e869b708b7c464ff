"""A node that cannot start tries again; cell_node is the last to be active."""

import pytest

from inspection_cell.errors import InspectionCellError
from inspection_cell.nodes.cell_node import CellNode
from inspection_cell.nodes.reject_node import RejectNode
from inspection_cell.nodes.starting import Starting
from inspection_cell.nodes.surface_node import SurfaceNode


@pytest.fixture
def soon(monkeypatch):
    monkeypatch.setattr('inspection_cell.pauses.FIRST_S', 0.05)


@pytest.fixture
def brought_up(make_world):
    """Makes the nodes of a process, and what brings them up."""

    def make(kinds, *parameters):
        world = make_world(*parameters)
        nodes = [kind() for kind in kinds]
        for node in nodes:
            world.executor.add_node(node)
            world.nodes.append(node)
        return world, nodes, Starting(nodes, lambda _: None)

    return make


def not_yet(recipe):
    raise RuntimeError('the licence server does not answer')


def states(nodes):
    return [node.state for node in nodes]


def test_a_node_that_cannot_load_yet_tries_again_and_the_cell_waits_for_it(
    brought_up, soon, capfd
):
    world, nodes, starting = brought_up((RejectNode, SurfaceNode, CellNode), 'retry:=true')
    make_ready = nodes[1].make_ready
    nodes[1].make_ready = not_yet
    for _ in range(3):
        starting.step()
    assert states(nodes) == ['active', 'unconfigured', 'inactive']
    assert not starting.is_done
    nodes[1].make_ready = make_ready

    def step():
        starting.step()
        return starting.is_done

    world.until(step)
    assert states(nodes) == ['active'] * 3
    assert 'surface_node]: not yet inactive; tried again in 0.05 s' in capfd.readouterr().err


def test_without_retry_the_first_failure_ends_the_start(brought_up, files):
    files.edit('kind: scanner', 'kind: sonar')
    _, nodes, starting = brought_up((RejectNode, CellNode))
    with pytest.raises(InspectionCellError, match='reject_node could not start'):
        starting.step()
    assert states(nodes) == ['unconfigured'] * 2


def test_a_node_that_a_manager_leads_is_left_alone(brought_up):
    _, nodes, starting = brought_up((RejectNode,), 'autostart:=false')
    assert starting.is_done
    starting.step()
    assert states(nodes) == ['unconfigured']


def test_what_was_active_once_is_not_activated_against_a_managers_will(brought_up):
    _, nodes, starting = brought_up((RejectNode,), 'retry:=true')
    starting.step()
    assert (states(nodes), starting.is_done) == (['active'], True)
    nodes[0].trigger_deactivate()
    starting.step()
    assert states(nodes) == ['inactive']
