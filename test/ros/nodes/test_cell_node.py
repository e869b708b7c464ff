"""cell_node with the real surface_node and reject_node: parts in, verdicts out."""

from threading import Event

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from inspection_cell_msgs.action import InspectPart
from inspection_cell_msgs.msg import (
    ActuatorCommand,
    ActuatorConfirmation,
    CellState,
    Decision,
    Disposition,
    Release,
    Verdict,
    ViewFindings,
)
from rclpy.action import ActionClient
from sensor_msgs.msg import PointCloud2

from inspection_cell.cell import load_cell
from inspection_cell.disposition import Action
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.explanation import explain
from inspection_cell.nodes.cell_node import CellNode
from inspection_cell.nodes.conversions.sensor_data import scan_to_msg
from inspection_cell.nodes.conversions.verdicts import verdict_from_msg
from inspection_cell.nodes.qos import LATCHED, SENSOR, SENSOR_RELIABLE
from inspection_cell.nodes.reject_node import RejectNode
from inspection_cell.nodes.surface_node import SurfaceNode
from inspection_cell.observations import Observation, ViewKey
from inspection_cell.pipeline import Pipeline
from inspection_cell.recipe import load_recipe
from inspection_cell.records.store import RecordStore
from inspection_cell.reference import load_reference
from inspection_cell.views.surface import SurfaceInspector


class Line:
    """The whole cell of plates, with a test that is client and actuator."""

    def __init__(self, world, robot, *, without=()):
        self.world = world
        self.robot = world.start(robot)
        self.nodes = {
            kind.__name__: world.start(kind())
            for kind in (SurfaceNode, RejectNode, CellNode)
            if kind not in without
        }
        self.states = world.hear(CellState, 'cell_state', LATCHED)
        self.verdicts = world.hear(Verdict, 'verdict')
        self.dispositions = world.hear(Disposition, 'disposition')
        self.commands = world.hear(ActuatorCommand, 'actuator_command')
        self.confirm = world.probe.create_publisher(
            ActuatorConfirmation, 'actuator_confirmation', 5
        )
        world.probe.create_subscription(ActuatorCommand, 'actuator_command', self.obey, 5)
        self.client = ActionClient(world.probe, InspectPart, 'inspect_part')
        world.until(self.client.server_is_ready)
        if not without:
            world.until(lambda: self.states and self.states[-1].state == CellState.READY)

    def obey(self, command):
        self.confirm.publish(
            ActuatorConfirmation(
                sequence=command.sequence,
                inspection_id=command.inspection_id,
                ok=True,
                bin=command.bin,
            )
        )

    def send(self, part_id='p-1', part_type='plate'):
        future = self.client.send_goal_async(
            InspectPart.Goal(part_id=part_id, part_type=part_type), lambda _: None
        )
        self.world.until(future.done)
        return future.result()

    def answer(self, goal):
        future = goal.get_result_async()
        self.world.until(future.done, 30)
        return future.result()

    def inspect(self, part_id='p-1'):
        answer = self.answer(self.send(part_id))
        wanted = answer.result.verdict.inspection_id
        self.world.until(lambda: any(d.inspection_id == wanted for d in self.dispositions))
        return answer

    @property
    def disposition(self):
        return self.dispositions[-1]


@pytest.fixture
def line(make_world, robot_side, files):
    world = make_world()
    return Line(world, robot_side(files.scan()))


def codes(verdict):
    return [reason.code for reason in verdict.reasons]


def recorded(line, verdict):
    line.world.until(lambda: store(line).get(verdict.inspection_id).disposition is not None)
    return store(line).get(verdict.inspection_id)


def store(line):
    return RecordStore(line.world.files.data)


def test_a_good_plate_is_accepted_recorded_and_released(line):
    answer = line.inspect()
    verdict = answer.result.verdict
    assert answer.status == GoalStatus.STATUS_SUCCEEDED
    assert verdict.decision.value == Decision.ACCEPT, verdict.reasons
    assert line.verdicts == [verdict]
    assert line.disposition.action == Disposition.RELEASED
    assert (line.disposition.bin, line.disposition.confirmed) == ('good', True)
    record = recorded(line, verdict)
    assert record.verdict.decision.name == 'ACCEPT'
    assert record.disposition.action is Action.RELEASE
    assert len(record.evidence) == 2


def test_a_plate_with_a_dent_is_rejected_and_the_action_still_succeeds(line, files):
    line.robot.scan = files.scan(dent_mm=0.8)
    answer = line.inspect()
    assert answer.status == GoalStatus.STATUS_SUCCEEDED
    assert answer.result.verdict.decision.value == Decision.REJECT
    assert line.disposition.action == Disposition.DIVERTED
    assert line.disposition.bin == 'scrap'


def test_a_silent_scanner_gives_unknown_with_a_reason_and_the_next_part_is_inspected(line, files):
    line.robot.scan = None
    verdict = line.inspect('p-1').result.verdict
    assert verdict.decision.value == Decision.UNKNOWN
    assert 'view_missing' in codes(verdict)
    assert line.disposition.bin == 'review'
    line.robot.scan = files.scan()
    assert line.inspect('p-2').result.verdict.decision.value == Decision.ACCEPT
    assert len({verdict.inspection_id for verdict in line.verdicts}) == 2


def test_a_robot_that_aborts_has_its_part_diverted_and_the_goal_aborted_with_its_words(line):
    line.robot.refuse_with = 'the gripper slipped'
    answer = line.inspect()
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert 'the gripper slipped' in answer.result.message
    assert answer.result.verdict.decision.value == Decision.UNKNOWN
    assert line.disposition.action == Disposition.DIVERTED
    assert recorded(line, answer.result.verdict).verdict.reasons[0].code == 'aborted'


@pytest.mark.parametrize('error_ns', [-(2**62), 10**10], ids=['none', 'future'])
def test_an_impossible_time_of_settling_is_no_ground_for_a_verdict(line, error_ns):
    line.robot.clock_error_ns = error_ns
    answer = line.inspect()
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert 'impossible time' in answer.result.message
    assert line.disposition.action == Disposition.DIVERTED


def test_a_robot_whose_clock_is_behind_cannot_make_old_frames_count(line, files):
    scan, line.robot.scan = line.robot.scan, None
    line.robot.clock_error_ns = -(10**10)
    line.robot._clouds.publish(scan_to_msg(scan, line.world.now_ns()))
    assert line.inspect().result.verdict.decision.value == Decision.UNKNOWN


def test_a_goal_that_is_taken_back_has_its_part_diverted(line):
    line.robot.hold = True
    goal = line.send()
    line.world.until(lambda: line.robot.presented)
    cancelled = goal.cancel_goal_async()
    answer = line.answer(goal)
    line.world.until(cancelled.done)
    assert answer.status == GoalStatus.STATUS_CANCELED
    line.world.until(lambda: line.dispositions)
    assert line.disposition.action == Disposition.DIVERTED
    assert line.disposition.inspection_id == answer.result.verdict.inspection_id


def test_an_unknown_part_type_is_refused(line):
    assert not line.send(part_type='gear').accepted


def test_a_second_part_waits_for_the_robot_until_the_first_is_placed_and_a_third_is_refused(line):
    line.robot.hold = True
    first = line.send('p-1')
    line.world.until(lambda: line.robot.presented == ['p-1'])
    second = line.send('p-2')
    assert second.accepted
    assert not line.send('p-3').accepted
    assert line.robot.presented == ['p-1']
    line.robot.hold = False
    first.cancel_goal_async()
    assert line.answer(second).result.verdict.decision.value == Decision.ACCEPT
    assert line.commands[0].part_id == 'p-1'
    assert line.robot.presented == ['p-1', 'p-2']


def test_too_little_free_disk_keeps_a_good_plate_from_being_accepted(
    make_world, robot_side, files
):
    files.edit('min_free_disk_mb: 0', 'min_free_disk_mb: 1.0e+12')
    line = Line(make_world(), robot_side(files.scan()))
    verdict = line.inspect().result.verdict
    assert verdict.decision.value == Decision.UNKNOWN
    assert verdict.reasons[0].code == 'disk_full'
    assert line.disposition.action == Disposition.DIVERTED


def test_a_store_that_cannot_be_written_keeps_a_good_plate_from_being_accepted(line):
    with store(line)._engine.connect() as connection:
        connection.exec_driver_sql('DROP TABLE evidence')
        connection.exec_driver_sql('DROP TABLE inspections')
        connection.commit()
    verdict = line.inspect().result.verdict
    assert verdict.decision.value == Decision.UNKNOWN
    assert verdict.reasons[0].code == 'not_recorded'


def test_without_an_inspector_the_cell_says_so_and_no_part_is_accepted(
    make_world, robot_side, files
):
    line = Line(make_world(), robot_side(files.scan()), without=(SurfaceNode,))
    line.world.until(lambda: line.states and 'no inspector listens' in line.states[-1].reason)
    assert line.states[-1].state == CellState.STARTING
    verdict = line.inspect().result.verdict
    assert verdict.decision.value == Decision.UNKNOWN
    assert 'is the node for scanner sensors running?' in verdict.reasons[0].text


def test_before_an_inspector_listens_as_reliably_as_the_scanner_sends_the_cell_is_not_complete(
    make_world, robot_side, files
):
    world = make_world()
    line = Line(world, robot_side(files.scan()), without=(SurfaceNode,))
    world.hear(PointCloud2, 'scanner/points', SENSOR)
    world.until(lambda: line.states and 'as its publisher offers' in line.states[-1].reason)
    world.hear(PointCloud2, 'scanner/points', SENSOR_RELIABLE)
    world.until(lambda: 'no inspector listens' not in line.states[-1].reason)


@pytest.mark.parametrize('dent_mm', [0.0, 0.8])
def test_the_nodes_and_the_pipeline_without_ros_reach_the_same_verdict(
    line, files, tmp_path, dent_mm
):
    line.robot.scan = files.scan(dent_mm)
    line.inspect()
    told = verdict_from_msg(line.verdicts[0])
    cell, recipe = load_cell(files.cell), load_recipe(files.recipe)
    reference = load_reference(recipe)
    inspector = SurfaceInspector(recipe, reference, EvidenceFolder(tmp_path))
    pipeline = Pipeline(cell, recipe, reference, {'scanner': inspector}, RecordStore(tmp_path))
    observation = Observation(
        told.inspection_id,
        ViewKey('top', 'scanner'),
        told.views[0].stamp_ns,
        line.robot.scan,
        recipe.file.presentations['top'].pose.transform(),
        cell.scanners['scanner'].pose.transform(),
    )
    direct = pipeline.inspect(told.inspection_id, 'p-1', [observation], told.stamp_ns)
    assert told.decision is direct.decision
    assert told.reasons == direct.reasons
    assert told.coverage == direct.coverage
    assert [d.label for d in told.defects] == [d.label for d in direct.defects]
    for ours, theirs in zip(told.defects, direct.defects, strict=True):
        assert np.allclose(ours.position_m, theirs.position_m, atol=1e-9)
    hashes = [[file.sha256 for file in v.views[0].evidence] for v in (told, direct)]
    assert hashes[0] == hashes[1]


def test_the_heartbeat_says_what_is_in_work_and_that_the_cell_stops(line):
    answer = line.inspect()
    inspecting = [state for state in line.states if state.state == CellState.INSPECTING]
    assert inspecting[0].inspection_id == answer.result.verdict.inspection_id
    line.world.stop(line.nodes['CellNode'])
    line.world.until(lambda: line.states[-1].state == CellState.STOPPED)


def test_a_cell_that_stops_diverts_the_part_in_work(line):
    line.robot.hold = True
    line.send()
    line.world.until(lambda: line.robot.presented)
    line.world.stop(line.nodes['CellNode'])
    line.world.until(lambda: line.commands)
    assert line.commands[0].action == ActuatorCommand.DIVERT
    assert line.commands[0].part_id == 'p-1'


def test_a_cell_that_only_watches_judges_and_records_and_releases_nothing(
    make_world, robot_side, files
):
    files.edit('kind: robot_place', 'kind: shadow')
    line = Line(make_world(), robot_side(files.scan()), without=(RejectNode,))
    line.world.until(lambda: line.states and line.states[-1].state == CellState.READY)
    permits = line.world.hear(Release, 'release')
    for part_id in ('p-1', 'p-2', 'p-3'):
        answer = line.answer(line.send(part_id))
        assert answer.result.verdict.decision.value == Decision.ACCEPT
    assert permits == line.commands == line.dispositions == []
    store = RecordStore(files.data)
    assert [record.verdict.decision.name for record in store.list()] == ['ACCEPT'] * 3
    store.close()


@pytest.fixture
def twice(make_world, robot_side, files):
    """A line that scans each plate in two presentations and judges both scans together."""
    files.edit('inspect_s: 10', 'inspect_s: 2')
    files.hold_twice()
    return Line(make_world(), robot_side(files.scan()))


def test_two_scans_of_a_plate_are_judged_as_one_surface(twice, files):
    verdict = twice.inspect('good').result.verdict
    assert verdict.decision.value == Decision.ACCEPT, verdict.reasons
    assert [view.presentation for view in verdict.views] == ['top', 'again', 'top+again']
    twice.robot.scan = files.scan(dent_mm=0.8)
    verdict = twice.inspect('dented').result.verdict
    assert verdict.decision.value == Decision.REJECT
    (dent,) = verdict.defects
    assert [source.presentation for source in dent.sources] == ['top+again']
    told = explain(recorded(twice, verdict), files.data)
    assert 'one surface of scanner at top and scanner at again' in told.views[2].evidence
    assert [one.view for one in told.defects[0].seen_by] == ['scanner at top+again']


def test_scans_that_are_not_judged_together_in_time_are_late_and_nothing_is_accepted(
    twice, monkeypatch
):
    goes_on = Event()
    monkeypatch.setattr(SurfaceInspector, 'inspect_together', lambda *_: goes_on.wait(30))
    verdict = twice.inspect().result.verdict
    goes_on.set()
    assert verdict.decision.value == Decision.UNKNOWN
    assert codes(verdict)[0] == 'view_late'
    assert 'not judged together within 2 s' in verdict.reasons[0].text


def test_a_joint_inspection_that_fails_is_an_error_of_its_view(twice, monkeypatch):
    def fail(*_):
        raise RuntimeError('out of memory')

    monkeypatch.setattr(SurfaceInspector, 'inspect_together', fail)
    verdict = twice.inspect().result.verdict
    assert verdict.decision.value == Decision.UNKNOWN
    assert 'out of memory' in verdict.reasons[0].text


def test_scans_of_a_part_that_is_given_up_are_let_go(make_world, robot_side, files):
    class Refusing(robot_side):
        def _present(self, goal):
            if goal.request.presentation == 'again':
                self.refuse_with = 'the gripper lost the part'
            return super()._present(goal)

    files.hold_twice()
    line = Line(make_world(), Refusing(files.scan()))
    together = line.nodes['SurfaceNode']._together
    findings = line.world.hear(ViewFindings, 'findings')
    assert line.inspect().status == GoalStatus.STATUS_ABORTED
    line.world.until(lambda: findings)
    line.world.until(lambda: together.waiting == 0)
    assert [msg.presentation for msg in findings] == ['top']


def test_without_an_inspector_scans_that_are_judged_together_are_missing(
    make_world, robot_side, files
):
    files.hold_twice()
    line = Line(make_world(), robot_side(files.scan()), without={SurfaceNode})
    verdict = line.inspect().result.verdict
    assert verdict.decision.value == Decision.UNKNOWN
    assert set(codes(verdict)) == {'view_missing', 'no_part', 'coverage'}
