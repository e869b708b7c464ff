"""Several parts between robot and bin: in the order of their goals, never mixed."""

import threading
import time

import pytest
from inspection_cell_msgs.action import InspectPart
from inspection_cell_msgs.msg import ActuatorCommand, CellState, PartArrived, Verdict
from rclpy.action import ActionClient

from inspection_cell.nodes.board import StoppedError
from inspection_cell.nodes.cell_node import CellNode
from inspection_cell.nodes.qos import LATCHED
from inspection_cell.nodes.reject_node import RejectNode
from inspection_cell.nodes.surface_node import SurfaceNode
from inspection_cell.nodes.traffic import Traffic


def go_on():
    """The check of an inspection that nobody stops."""


def stop():
    raise StoppedError('enough')


def run(action, *arguments):
    thread = threading.Thread(target=action, args=arguments)
    thread.start()
    return thread


def test_a_part_waits_until_one_before_it_has_left():
    traffic = Traffic(1, 60.0)
    assert traffic.has_room
    traffic.accept()
    traffic.enter('a', go_on)
    assert traffic.has_room
    traffic.accept()
    second = run(traffic.enter, 'b', go_on)
    second.join(0.3)
    assert second.is_alive()
    assert not traffic.has_room
    traffic.disposed('a')
    second.join(5)
    assert not second.is_alive()


def test_a_part_that_nobody_disposes_of_is_given_up_after_its_time():
    traffic = Traffic(1, 0.2)
    traffic.accept()
    traffic.enter('a', go_on)
    traffic.decided('a')
    traffic.accept()
    begin_s = time.monotonic()
    traffic.enter('b', go_on)
    assert time.monotonic() - begin_s >= 0.15


def test_a_goal_that_is_taken_back_while_it_waits_leaves_the_queue():
    traffic = Traffic(1, 60.0)
    traffic.accept()
    traffic.enter('a', go_on)
    traffic.accept()
    with pytest.raises(StoppedError):
        traffic.enter('b', stop)
    assert traffic.has_room


def test_a_goal_whose_client_was_never_told_takes_no_room():
    traffic = Traffic(1, 60.0)
    for _ in range(5):  # looked at, and then the client went away
        assert traffic.has_room


def test_the_robot_serves_parts_in_the_order_in_which_they_entered():
    traffic, served = Traffic(3, 60.0), []
    for name in 'abc':
        traffic.accept()
        traffic.enter(name, go_on)

    def serve(name):
        with traffic.robot(name, go_on):
            served.append(name)

    threads = [run(serve, 'c'), run(serve, 'b')]
    assert served == []
    threads.append(run(serve, 'a'))
    for thread in threads:
        thread.join(5)
    assert served == ['a', 'b', 'c']


def test_on_a_belt_each_part_gets_its_own_verdict_and_place(make_world, robot_side, files):
    files.edit(
        'kind: robot_place, decide_within_s: 1.5',
        'kind: belt, buffer: 3, part_present_topic: barrier, decide_within_s: 20',
    )
    world = make_world()
    robot = world.start(robot_side(files.scan()))
    for kind in (SurfaceNode, RejectNode, CellNode):
        world.start(kind())
    states = world.hear(CellState, 'cell_state', LATCHED)
    verdicts = world.hear(Verdict, 'verdict')
    commands = world.hear(ActuatorCommand, 'actuator_command')
    barrier = world.publisher(PartArrived, 'barrier')
    client = ActionClient(world.probe, InspectPart, 'inspect_part')
    world.until(lambda: states and states[-1].state == CellState.READY)
    parts = ['p-1', 'p-2', 'p-3']
    for part in parts:
        client.send_goal_async(InspectPart.Goal(part_id=part, part_type='plate'))
    world.until(lambda: len(robot.presented) == 2)
    robot.scan = files.scan(dent_mm=0.8)  # for the third, perhaps the second
    world.until(lambda: len(verdicts) == 3)
    assert robot.presented == parts
    by_part = {verdict.part_id: verdict for verdict in verdicts}
    assert all(verdict.views[0].inspection_id == verdict.inspection_id for verdict in verdicts)
    for part in parts:
        barrier.publish(PartArrived(inspection_id=by_part[part].inspection_id, part_id=part))
    world.until(lambda: len(commands) == 3)
    assert [command.part_id for command in commands] == parts
    bins = {1: 'good', 2: 'scrap'}
    assert [c.bin for c in commands] == [bins[by_part[part].decision.value] for part in parts]
    assert by_part['p-1'].decision.value == 1
    assert by_part['p-3'].decision.value == 2
