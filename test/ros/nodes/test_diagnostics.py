"""What /diagnostics says of a cell that works, and of one that does not."""

import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from inspection_cell_msgs.action import InspectPart
from inspection_cell_msgs.msg import CellState
from rclpy.action import ActionClient

from inspection_cell.locations import share_folder
from inspection_cell.nodes.cell_node import CellNode
from inspection_cell.nodes.qos import LATCHED
from inspection_cell.nodes.reject_node import RejectNode
from inspection_cell.nodes.surface_node import SurfaceNode


class Watched:
    """A cell whose diagnostics are heard."""

    def __init__(self, world, robot):
        self.world, self.robot = world, world.start(robot)
        for kind in (SurfaceNode, RejectNode, CellNode):
            world.start(kind())
        self.arrays = world.hear(DiagnosticArray, '/diagnostics')
        states = world.hear(CellState, 'cell_state', LATCHED)
        self.client = ActionClient(world.probe, InspectPart, 'inspect_part')
        world.until(lambda: states and states[-1].state == CellState.READY)

    def inspect(self):
        sent = self.client.send_goal_async(InspectPart.Goal(part_id='p', part_type='plate'))
        self.world.until(sent.done)
        answer = sent.result().get_result_async()
        self.world.until(answer.done)

    def of(self, name):
        """The status of a name as it is said from now on."""
        self.arrays.clear()
        found = []

        def said():
            found[:] = [s for array in self.arrays for s in array.status if s.name == name]
            return found

        self.world.until(said)
        return found[-1]


@pytest.fixture
def watched(make_world, robot_side, files):
    return Watched(make_world(), robot_side(files.scan()))


def values(status):
    return {pair.key: pair.value for pair in status.values}


def test_a_sensor_tells_its_frames_and_how_its_last_view_went(watched):
    watched.inspect()
    scanner = watched.of('/surface_node: scanner')
    assert (scanner.level, scanner.message) == (DiagnosticStatus.OK, 'ok')
    told = values(scanner)
    assert (told['frames'], told['refused'], told['last_view']) == ('1', '0', 'OK')
    assert float(values(watched.of('/cell_node: records'))['free_mb']) > 0


def test_a_sensor_that_was_silent_is_an_error_with_the_reason_until_it_works_again(watched):
    scan, watched.robot.scan = watched.robot.scan, None
    watched.inspect()
    silent = watched.of('/surface_node: scanner')
    assert silent.level == DiagnosticStatus.ERROR
    assert 'scanner at top' in silent.message
    assert values(silent)['last_view'] == 'MISSING'
    watched.robot.scan = scan
    watched.inspect()
    assert watched.of('/surface_node: scanner').level == DiagnosticStatus.OK


def test_an_actuator_that_does_not_confirm_is_an_error(watched):
    watched.inspect()
    watched.world.until(
        lambda: watched.of('/reject_node: actuator').level == DiagnosticStatus.ERROR
    )
    assert 'not confirmed' in watched.of('/reject_node: actuator').message


def test_the_shipped_aggregator_finds_every_node_that_speaks(watched):
    watched.of('/cell_node: cell')
    watched.of('/surface_node: scanner')
    said = {status.name for array in watched.arrays for status in array.status}
    content = yaml.safe_load((share_folder() / 'config' / 'diagnostics.yaml').read_text())
    analyzers = [a for a in content['/**']['ros__parameters'].values() if isinstance(a, dict)]
    words = [word for analyzer in analyzers for word in analyzer['contains']]
    assert said
    assert all(any(word in name for word in words) for name in said)
