"""A robot whose own program leads: four services, and whatever it does wrong, no part passes."""

import pytest
from geometry_msgs.msg import Point, Pose, Quaternion
from inspection_cell_msgs.msg import CellState, Decision, Disposition
from inspection_cell_msgs.srv import BeginPart, CapturePresentation, FinishPart, PartPlaced
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Empty

from inspection_cell.nodes.cell_node import CellNode
from inspection_cell.nodes.conversions.sensor_data import scan_to_msg
from inspection_cell.nodes.program_node import ProgramNode
from inspection_cell.nodes.qos import LATCHED, SENSOR_RELIABLE
from inspection_cell.nodes.reject_node import RejectNode
from inspection_cell.nodes.surface_node import SurfaceNode

NOMINAL = CapturePresentation.Request.NOMINAL
REPORTED = CapturePresentation.Request.REPORTED
SERVICES = {
    'begin_part': BeginPart,
    'capture_presentation': CapturePresentation,
    'finish_part': FinishPart,
    'part_placed': PartPlaced,
}
POSE_TOP = 'pose: {position_mm: [0, 0, 200], rpy_deg: [0, 0, 0]}\n    sensors: [scanner]'


class Program:
    """A robot program, and a scanner that shows the plate when it is triggered."""

    def __init__(self, world, scan):
        self.world, self.scan = world, scan
        self.program_node = ProgramNode()
        for node in (SurfaceNode(), RejectNode(), self.program_node, CellNode()):
            world.start(node)
        self.states = world.hear(CellState, 'cell_state', LATCHED)
        self.dispositions = world.hear(Disposition, 'disposition')
        clouds = world.probe.create_publisher(PointCloud2, 'scanner/points', SENSOR_RELIABLE)

        def show(_):
            clouds.publish(scan_to_msg(self.scan, world.now_ns()))

        world.probe.create_subscription(Empty, 'scanner/trigger', show, 5)
        self.clients = {
            name: world.probe.create_client(kind, name) for name, kind in SERVICES.items()
        }
        for client in self.clients.values():
            world.until(client.service_is_ready)
        world.until(lambda: self.states and self.states[-1].state == CellState.READY)

    def ask(self, name, **request):
        return self.world_answer(self.send(name, **request))

    def send(self, name, **request):
        return self.clients[name].call_async(SERVICES[name].Request(**request))

    def world_answer(self, future):
        self.world.until(future.done)
        return future.result()

    def begin(self, part_id='p-1', part_type='plate'):
        return self.ask('begin_part', part_id=part_id, part_type=part_type)

    def capture(self, begun, **changed):
        request = {'presentation': begun.presentation, 'pose': NOMINAL} | changed
        return self.ask('capture_presentation', inspection_id=begun.inspection_id, **request)

    def finish(self, begun):
        return self.ask('finish_part', inspection_id=begun.inspection_id)

    def disposed(self, count=1):
        self.world.until(lambda: len(self.dispositions) >= count)
        return self.dispositions[-1]


@pytest.fixture
def program(make_world, files):
    """Makes the program, after the test has edited the files."""

    def make(dent_mm=0.0, poses=1, timeout_s=10):
        files.edit('robot: {timeout_s: 10}', f'robot: {{led_by: program, timeout_s: {timeout_s}}}')
        if poses == 2:
            text = files.recipe.read_text()
            assert POSE_TOP in text
            files.recipe.write_text(
                text.replace(POSE_TOP, f'{POSE_TOP}\n  again:\n    {POSE_TOP}')
            )
        return Program(make_world(), files.scan(dent_mm))

    return make


def test_a_good_part_is_released_and_placed(program):
    robot = program(poses=2)
    begun = robot.begin()
    assert (begun.ok, begun.presentation, begun.part_to_cell.position.z) == (True, 'top', 0.2)
    second = robot.capture(begun)
    assert (second.ok, second.presentation, second.part_to_cell.position.z) == (True, 'again', 0.2)
    last = robot.capture(begun, presentation='again')
    assert (last.ok, last.presentation) == (True, '')
    end = robot.finish(begun)
    assert (end.ok, end.release, end.bin) == (True, True, 'good')
    assert end.decision.value == Decision.ACCEPT
    assert robot.ask('part_placed', inspection_id=begun.inspection_id, bin='good').ok
    assert robot.disposed().confirmed


def test_a_bad_part_goes_where_the_reject_side_says(program):
    robot = program(dent_mm=1.0)
    begun = robot.begin()
    robot.capture(begun)
    end = robot.finish(begun)
    assert (end.ok, end.release, end.bin) == (True, False, 'scrap')
    assert 'dent' in end.message


def test_a_part_that_is_put_into_another_bin_is_told_and_not_confirmed(program):
    robot = program(dent_mm=1.0)
    begun = robot.begin()
    robot.capture(begun)
    robot.finish(begun)
    placed = robot.ask('part_placed', inspection_id=begun.inspection_id, bin='good')
    assert (placed.ok, placed.message) == (False, "expected in 'scrap', put into 'good'")
    assert not robot.disposed().confirmed


def test_the_same_call_again_gets_the_same_answer_and_begins_nothing_new(program):
    robot = program(poses=2)
    twice = [robot.send('begin_part', part_id='p-1', part_type='plate') for _ in range(2)]
    first, second = (robot.world_answer(future) for future in twice)
    assert first.inspection_id == second.inspection_id != ''
    request = {'inspection_id': first.inspection_id, 'presentation': 'top', 'pose': NOMINAL}
    twice = [robot.send('capture_presentation', **request) for _ in range(2)]
    answers = [robot.world_answer(future) for future in twice]
    answers.append(robot.ask('capture_presentation', **request))
    assert [(one.ok, one.presentation) for one in answers] == [(True, 'again')] * 3


def test_a_pose_that_the_robot_reports_is_used(program):
    robot = program()
    begun = robot.begin()
    far = Pose(position=Point(x=0.0, y=0.0, z=0.4), orientation=Quaternion(w=1.0))
    assert robot.capture(begun, pose=REPORTED, part_to_cell=far).ok
    end = robot.finish(begun)
    assert end.decision.value != Decision.ACCEPT
    assert not end.release


@pytest.mark.parametrize(
    ('changed', 'words'),
    [
        ({'pose': 0}, 'expected NOMINAL (1) or REPORTED (2), got 0'),
        ({'presentation': 'side'}, "expected the pose 'top', got 'side'"),
        (
            {'pose': REPORTED, 'part_to_cell': Pose(orientation=Quaternion(w=0.0))},
            'expected a unit quaternion',
        ),
    ],
    ids=['no kind of pose', 'another pose', 'no orientation'],
)
def test_a_wrong_call_is_refused_with_a_reason_and_the_right_one_still_works(
    program, changed, words
):
    robot = program()
    begun = robot.begin()
    refused = robot.capture(begun, **changed)
    assert not refused.ok
    assert words in refused.message
    robot.capture(begun)
    assert robot.finish(begun).release


def test_an_unknown_type_and_an_unknown_inspection_are_refused(program):
    robot = program()
    begun = robot.begin(part_type='gear')
    assert (begun.ok, 'no such recipe' in begun.message) == (False, True)
    assert 'begin_part' in robot.ask('capture_presentation', inspection_id='x').message
    end = robot.ask('finish_part', inspection_id='x')
    assert (end.ok, end.release, end.bin) == (False, False, 'review')


def test_a_silent_program_loses_its_part_to_the_review_bin_in_bounded_time(program):
    robot = program(timeout_s=1)
    begun = robot.begin()
    assert robot.disposed().bin == 'review'
    late = robot.capture(begun)
    assert not late.ok
    assert 'more than 1 s' in late.message
    end = robot.finish(begun)
    assert (end.release, end.bin, end.decision.value) == (False, 'review', Decision.UNKNOWN)


def test_a_program_that_begins_anew_has_its_part_diverted(program):
    robot = program()
    first = robot.begin('p-1')
    second = robot.begin('p-2')
    assert second.ok
    end = robot.finish(first)
    assert (end.release, end.bin) == (False, 'review')
    robot.capture(second)
    assert robot.finish(second).release


def test_a_part_that_is_finished_before_all_poses_were_captured_is_diverted(program):
    robot = program(poses=2)
    begun = robot.begin()
    robot.capture(begun)
    end = robot.finish(begun)
    assert (end.release, end.bin) == (False, 'review')


def test_a_call_that_waits_is_answered_when_the_node_is_deactivated(program):
    program = program()
    begun = program.begin()
    waiting = program.send('finish_part', inspection_id=begun.inspection_id)
    node = program.program_node
    program.world.until(lambda: node._calls)
    node.trigger_deactivate()
    assert not program.world_answer(waiting).ok
    program.world.until(lambda: not node._leaving)
    node.trigger_activate()
    program.world.until(program.clients['begin_part'].service_is_ready)
    assert program.begin('p-2').ok
