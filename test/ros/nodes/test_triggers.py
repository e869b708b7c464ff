"""Each way to make a sensor expose, with a driver that behaves so."""

import pytest
from inspection_cell_msgs.action import InspectPart
from inspection_cell_msgs.msg import CellState, Decision
from rclpy.action import ActionClient
from std_msgs.msg import Bool

from inspection_cell.cell import load_cell
from inspection_cell.nodes.cell_node import CellNode
from inspection_cell.nodes.qos import LATCHED
from inspection_cell.nodes.reject_node import RejectNode
from inspection_cell.nodes.surface_node import SurfaceNode
from inspection_cell.nodes.trigger_inputs import TriggerInput

SOFTWARE = 'trigger: {kind: software, topic: scanner/trigger}'
KINDS = {
    'bool': 'trigger: {kind: software, topic: scanner/expose, message: bool}',
    'service': 'trigger: {kind: service, service: scanner/expose}',
    'pulse': 'trigger: {kind: pulse, topic: plc/out_3, pulse_ms: 20}',
}


class Driven:
    """The cell, its robot, and a scanner that is triggered in another way, or runs freely."""

    def __init__(self, world, robot, files, *, works=True):
        self.world, self.robot = world, world.start(robot)
        self.exposed = 0

        def expose():
            self.exposed += 1
            if works:
                robot.expose()
            return works

        trigger = load_cell(files.cell).sensors['scanner'].trigger
        if trigger.kind == 'free_running':
            robot.create_timer(0.05, expose)
        else:
            self.input = TriggerInput(robot, trigger, expose)
        for kind in (SurfaceNode, RejectNode, CellNode):
            world.start(kind())
        states = world.hear(CellState, 'cell_state', LATCHED)
        self.client = ActionClient(world.probe, InspectPart, 'inspect_part')
        world.until(lambda: states and states[-1].state == CellState.READY)

    def verdict(self):
        sent = self.client.send_goal_async(InspectPart.Goal(part_id='p', part_type='plate'))
        self.world.until(sent.done)
        answer = sent.result().get_result_async()
        self.world.until(answer.done)
        return answer.result().result.verdict


@pytest.mark.parametrize('kind', sorted(KINDS))
def test_a_triggered_sensor_exposes_once_for_each_presentation(
    make_world, robot_side, files, kind
):
    files.edit(SOFTWARE, KINDS[kind])
    driven = Driven(make_world(), robot_side(files.scan()), files)
    for count in (1, 2):
        assert driven.verdict().decision.value == Decision.ACCEPT
        assert driven.exposed == count


def test_a_pulse_ends_again(make_world, robot_side, files):
    files.edit(SOFTWARE, KINDS['pulse'])
    world = make_world()
    levels = world.hear(Bool, 'plc/out_3')
    driven = Driven(world, robot_side(files.scan()), files)
    driven.verdict()
    world.until(lambda: [level.data for level in levels] == [True, False])


def test_a_sensor_that_runs_freely_is_not_triggered(make_world, robot_side, files):
    files.edit(SOFTWARE, 'trigger: {kind: free_running}')
    driven = Driven(make_world(), robot_side(files.scan()), files)
    assert driven.verdict().decision.value == Decision.ACCEPT


def test_a_trigger_that_is_refused_leaves_the_view_missing(make_world, robot_side, files, capfd):
    files.edit(SOFTWARE, KINDS['service'])
    driven = Driven(make_world(), robot_side(files.scan()), files, works=False)
    assert driven.verdict().decision.value == Decision.UNKNOWN
    assert 'scanner/expose refused' in capfd.readouterr().err
