"""Whatever a manager asks, a node is alive in the state that the standard says.

https://design.ros2.org/articles/node_lifecycle.html: a transition that a state does not have
changes nothing.
"""

from importlib import import_module

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState

UNCONFIGURED, INACTIVE, ACTIVE, FINALIZED = 'unconfigured', 'inactive', 'active', 'finalized'
LEADS_TO = {
    (UNCONFIGURED, 'configure'): INACTIVE,
    (UNCONFIGURED, 'shutdown'): FINALIZED,
    (INACTIVE, 'activate'): ACTIVE,
    (INACTIVE, 'cleanup'): UNCONFIGURED,
    (INACTIVE, 'shutdown'): FINALIZED,
    (ACTIVE, 'deactivate'): INACTIVE,
    (ACTIVE, 'shutdown'): FINALIZED,
}
# Every transition from every state, and configured again after the cleanup; then the end.
WALK = (
    *('activate', 'deactivate', 'cleanup', 'configure'),
    *('configure', 'deactivate', 'activate'),
    *('activate', 'configure', 'cleanup', 'deactivate'),
    *('cleanup', 'configure', 'activate', 'shutdown'),
    *('configure', 'activate', 'deactivate', 'cleanup', 'shutdown'),
)
ENDS = {
    UNCONFIGURED: (),
    INACTIVE: ('configure',),
    ACTIVE: ('configure', 'activate'),
}
# What the simulated scanner needs to know beside what the others do.
LENS = 'intrinsics: {width: 64, height: 48, fx: 100, fy: 100, cx: 31.5, cy: 23.5}'
CLASSES = {
    'cell_node': 'CellNode',
    'detection_node': 'DetectionNode',
    'process_node': 'ProcessNode',
    'program_node': 'ProgramNode',
    'reject_node': 'RejectNode',
    'sim_node': 'SimNode',
    'surface_node': 'SurfaceNode',
    'view_node': 'ViewNode',
}


class Managed:
    """A node, asked by its services."""

    def __init__(self, world, name):
        module = import_module(f'inspection_cell.nodes.{name}')
        given = ()
        if name == 'sim_node':
            if LENS not in world.files.cell.read_text():
                world.files.edit('kind: scanner', f'kind: scanner\n    {LENS}')
            given = (name, module.SimParams)
        self.node = getattr(module, CLASSES[name])(*given)
        self._world = world
        world.executor.add_node(self.node)
        world.nodes.append(self.node)
        self._change = world.probe.create_client(ChangeState, f'{name}/change_state')
        self._get = world.probe.create_client(GetState, f'{name}/get_state')
        world.until(self._change.service_is_ready)
        world.until(self._get.service_is_ready)

    def ask(self, transition):
        """Whether it was done, and the state afterwards."""
        request = ChangeState.Request(transition=Transition(label=transition))
        done = self._answer(self._change, request).success
        return done, self._answer(self._get, GetState.Request()).current_state.label

    def end(self):
        """Give up node and clients."""
        self._world.stop(self.node)
        for client in (self._change, self._get):
            self._world.probe.destroy_client(client)

    def _answer(self, client, request):
        future = client.call_async(request)
        self._world.until(future.done)
        return future.result()


@pytest.mark.parametrize('name', sorted(CLASSES))
def test_every_transition_from_every_state_leads_where_the_standard_says(make_world, name):
    managed, state = Managed(make_world('autostart:=false'), name), UNCONFIGURED
    for transition in WALK:
        expected = LEADS_TO.get((state, transition))
        done, now = managed.ask(transition)
        assert (transition, done, now) == (transition, expected is not None, expected or state)
        state = now


@pytest.mark.parametrize('state', [UNCONFIGURED, INACTIVE, ACTIVE])
def test_a_node_can_be_shut_down_from_every_state(make_world, state):
    managed = Managed(make_world('autostart:=false'), 'reject_node')
    for transition in ENDS[state]:
        managed.ask(transition)
    assert managed.ask('shutdown') == (True, FINALIZED)


def test_a_node_that_cannot_be_configured_stays_alive_and_can_be_once_its_file_is_mended(
    make_world, files
):
    good = files.cell.read_text()
    files.edit('kind: scanner', 'kind: sonar')
    managed = Managed(make_world('autostart:=false'), 'reject_node')
    assert managed.ask('configure') == (False, UNCONFIGURED)
    files.cell.write_text(good)
    assert managed.ask('configure') == (True, INACTIVE)
    assert managed.ask('activate') == (True, ACTIVE)
