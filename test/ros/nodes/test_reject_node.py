"""reject_node: no part passes without a valid permit of its own, whatever happens to the cell."""

import signal
import subprocess
import sys
import time

import pytest
from inspection_cell_msgs.action import InspectPart
from inspection_cell_msgs.msg import (
    ActuatorCommand,
    ActuatorConfirmation,
    CellState,
    Decision,
    Disposition,
    PartArrived,
    Release,
    Verdict,
)
from rclpy.action import ActionClient
from std_msgs.msg import Bool

from inspection_cell.nodes.qos import LATCHED
from inspection_cell.nodes.reject_node import RejectNode


class Gate:
    """reject_node with cell, part sensor and actuator played by the test."""

    def __init__(self, world):
        self.world = world
        self.node = world.start(RejectNode())
        self.commands = world.hear(ActuatorCommand, 'actuator_command')
        self.dispositions = world.hear(Disposition, 'disposition')
        self.permits = world.publisher(Release, 'release')
        self.verdicts = world.publisher(Verdict, 'verdict')
        self.arrivals = world.publisher(PartArrived, 'part_arrived')
        self.states = world.publisher(CellState, 'cell_state', LATCHED)
        self.confirmations = world.publisher(ActuatorConfirmation, 'actuator_confirmation')
        world.until(lambda: self.node.count_subscribers('actuator_command'))

    def permit(self, valid_for_s=0.4, withdrawn=False, inspection_id='i-1'):
        self.permits.publish(
            Release(
                inspection_id=inspection_id,
                part_id='p-1',
                valid_for_s=valid_for_s,
                withdrawn=withdrawn,
            )
        )

    def arrive(self, inspection_id='i-1'):
        self.arrivals.publish(PartArrived(inspection_id=inspection_id, part_id='p-1'))

    def judge(self, decision, inspection_id='i-1'):
        self.verdicts.publish(
            Verdict(inspection_id=inspection_id, decision=Decision(value=decision))
        )

    def beat(self, in_work='', state=CellState.READY):
        self.states.publish(CellState(state=state, inspection_id=in_work))

    def command(self):
        self.world.until(lambda: self.commands)
        return self.commands[-1]

    def disposition(self):
        self.world.until(lambda: self.dispositions)
        return self.dispositions[-1]


@pytest.fixture
def gate(make_world):
    return Gate(make_world())


def test_a_part_without_a_permit_is_diverted_in_time(gate):
    begin_s = time.monotonic()
    gate.arrive()
    command = gate.command()
    assert time.monotonic() - begin_s > 1.4  # decide_within_s is 1.5
    assert (command.action, command.bin) == (ActuatorCommand.DIVERT, 'review')
    assert 'no valid permit within 1.5 s' in gate.disposition().reason


def test_a_part_with_a_permit_is_released_and_its_confirmation_told(gate):
    gate.arrive()
    gate.permit()
    command = gate.command()
    assert (command.action, command.bin) == (ActuatorCommand.RELEASE, 'good')
    gate.confirmations.publish(
        ActuatorConfirmation(sequence=command.sequence, inspection_id='i-1', ok=True, bin='good')
    )
    disposition = gate.disposition()
    assert (disposition.action, disposition.confirmed) == (Disposition.RELEASED, True)
    assert disposition.decision.value == Decision.ACCEPT


def test_a_permit_of_another_inspection_of_the_same_part_releases_nothing(gate):
    gate.permit(inspection_id='i-0')
    gate.arrive('i-1')
    assert gate.command().action == ActuatorCommand.DIVERT


@pytest.mark.parametrize(
    ('decision', 'place'), [(Decision.REJECT, 'scrap'), (Decision.REVIEW, 'review')]
)
def test_a_part_that_is_not_accepted_goes_to_its_bin_at_once(gate, decision, place):
    gate.judge(decision)
    gate.arrive()
    begin_s = time.monotonic()
    assert gate.command().bin == place
    assert time.monotonic() - begin_s < 1.0


def test_a_permit_that_has_run_out_or_was_withdrawn_releases_nothing(gate):
    gate.permit(valid_for_s=0.05)
    gate.permit(withdrawn=True, inspection_id='i-2')
    run_out_s = time.monotonic() + 0.3
    gate.world.until(lambda: time.monotonic() > run_out_s)
    gate.arrive('i-1')
    gate.arrive('i-2')
    gate.world.until(lambda: len(gate.commands) == 2)
    assert {command.action for command in gate.commands} == {ActuatorCommand.DIVERT}


def test_a_waiting_part_is_diverted_when_the_heartbeat_is_lost(make_world, files):
    files.edit('decide_within_s: 1.5', 'decide_within_s: 60')
    gate = Gate(make_world())
    gate.beat('i-1')
    gate.arrive('i-1')
    assert gate.command().action == ActuatorCommand.DIVERT
    assert "the cell's heartbeat stopped 2." in gate.disposition().reason
    gate.commands.clear()
    gate.permit(valid_for_s=60.0, inspection_id='i-3')
    gate.world.until(lambda: 'i-3' in gate.node._side._known)
    gate.arrive('i-3')
    assert gate.command().action == ActuatorCommand.DIVERT


def test_a_part_held_by_the_robot_is_diverted_when_the_heartbeat_is_lost(make_world, files):
    files.edit('decide_within_s: 1.5', 'decide_within_s: 60')
    gate = Gate(make_world())
    gate.beat('i-1', CellState.INSPECTING)
    command = gate.command()
    assert (command.action, command.inspection_id) == (ActuatorCommand.DIVERT, 'i-1')


def test_a_part_that_waits_is_diverted_when_the_reject_side_stops(gate):
    gate.arrive()
    gate.world.until(lambda: gate.node._side._waiting)
    assert not gate.commands
    gate.node.trigger_deactivate()
    assert gate.command().action == ActuatorCommand.DIVERT


def test_each_diverted_part_gets_a_pulse_for_a_simple_ejector(make_world, files):
    files.edit('kind: robot_place', 'kind: robot_place, pulse_topic: ejector, pulse_ms: 60')
    world = make_world()
    pulses = world.hear(Bool, 'ejector')
    gate = Gate(world)
    world.until(lambda: world.probe.count_publishers('ejector'))
    gate.judge(Decision.REJECT)
    gate.arrive()
    world.until(lambda: len(pulses) >= 2 and pulses[-1].data is False)
    assert [pulse.data for pulse in pulses][-2:] == [True, False]


def test_a_pulse_lasts_its_time_though_the_reject_side_stops(make_world, files):
    files.edit('kind: robot_place', 'kind: robot_place, pulse_topic: ejector, pulse_ms: 300')
    world = make_world()
    pulses = world.hear(Bool, 'ejector')
    gate = Gate(world)
    world.until(lambda: world.probe.count_publishers('ejector') and pulses)
    gate.arrive()
    world.until(lambda: gate.node._side._waiting)
    before = len(pulses)
    began_s = time.monotonic()
    gate.node.trigger_deactivate()
    assert time.monotonic() - began_s >= 0.3
    world.until(lambda: len(pulses) == before + 2)
    assert [pulse.data for pulse in pulses[before:]] == [True, False]


def test_killing_the_cell_in_the_middle_of_an_inspection_diverts_the_part(
    make_world, robot_side, files, child_environment
):
    files.edit('decide_within_s: 1.5', 'decide_within_s: 60')
    world = make_world()
    robot = world.start(robot_side(files.scan()))
    robot.hold = True
    gate = Gate(world)
    states = world.hear(CellState, 'cell_state', LATCHED)
    cell = subprocess.Popen(
        [sys.executable, '-m', 'inspection_cell.nodes.cell_node', *files.arguments()],
        env=child_environment,
    )
    try:
        client = ActionClient(world.probe, InspectPart, 'inspect_part')
        world.until(client.server_is_ready)
        client.send_goal_async(InspectPart.Goal(part_id='p-1', part_type='plate'))
        world.until(lambda: robot.presented and states and states[-1].inspection_id)
        in_work = states[-1].inspection_id
    finally:
        cell.send_signal(signal.SIGKILL)
        cell.wait()
    command = gate.command()
    assert (command.action, command.inspection_id) == (ActuatorCommand.DIVERT, in_work)
    assert 'heartbeat' in gate.disposition().reason
