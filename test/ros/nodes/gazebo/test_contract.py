"""The bridge's configuration against the real nodes, and gz's messages through the whole cell."""

import sys
import time
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from geometry_msgs.msg import Pose
from inspection_cell_msgs.action import PresentPart
from inspection_cell_msgs.msg import Decision, Disposition
from rclpy.action import ActionClient

from inspection_cell.gazebo.bridge import SET_POSE_TYPE
from inspection_cell.geometry import from_rpy
from inspection_cell.nodes.conversions.poses import stamp_from_msg

pytestmark = pytest.mark.timeout(300)  # a detector is loaded

# What ros_gz_bridge can convert into each other, of the types that a cell has.
PAIRS = {
    'rosgraph_msgs/msg/Clock': 'gz.msgs.Clock',
    'sensor_msgs/msg/Image': 'gz.msgs.Image',
    'sensor_msgs/msg/PointCloud2': 'gz.msgs.PointCloudPacked',
    'std_msgs/msg/Bool': 'gz.msgs.Boolean',
}
OUTSIDE = ('sensor_msgs/', 'std_msgs/', 'rosgraph_msgs/')  # what never stays within the cell


def ends(line, ask):
    """Topic and type of all publishers, or subscriptions, of the cell's nodes."""
    found = set()
    for node in line.nodes:
        for topic, kinds in ask(node.get_name(), node.get_namespace()):
            found |= {(topic, kind) for kind in kinds}
    return found


def bridged(line, direction):
    return {
        (entry['ros_topic_name'], entry['ros_type_name'])
        for entry in line.played.topics
        if entry['direction'] == direction
    }


def test_every_topic_of_the_bridge_is_one_of_the_nodes_and_none_is_missing(pictures):
    probe = pictures.world.probe
    heard = ends(pictures, probe.get_subscriber_names_and_types_by_node)
    said = ends(pictures, probe.get_publisher_names_and_types_by_node)
    from_gazebo, to_gazebo = bridged(pictures, 'GZ_TO_ROS'), bridged(pictures, 'ROS_TO_GZ')
    assert from_gazebo <= heard
    assert to_gazebo <= said
    assert not from_gazebo & said
    assert not to_gazebo & heard
    needed = {end for end in heard - said if end[1].startswith(OUTSIDE)}
    assert needed == from_gazebo
    shown = ('/annotated', '/deviation')  # for people
    given = {end for end in said - heard if end[1].startswith(OUTSIDE)}
    assert {end for end in given if not end[0].endswith(shown)} == to_gazebo
    assert len(from_gazebo) == 3
    assert len(to_gazebo) == 2
    for entry in pictures.played.topics:
        assert PAIRS[entry['ros_type_name']] == entry['gz_type_name']
    assert pictures.played.service['service_name'] == pictures.robot.service
    assert pictures.robot.service == pictures.gazebo.service


def test_the_client_of_set_pose_asks_for_the_model_by_name(monkeypatch):
    """Against a stand-in for ros_gz_interfaces, which no package index has."""
    asked = []

    class Request(SimpleNamespace):
        pass

    kind = type('SetEntityPose', (), {'Request': Request})
    entity = type('Entity', (SimpleNamespace,), {'MODEL': 2})
    for name, module in {
        'ros_gz_interfaces': ModuleType('ros_gz_interfaces'),
        'ros_gz_interfaces.srv': SimpleNamespace(SetEntityPose=kind),
        'ros_gz_interfaces.msg': SimpleNamespace(Entity=entity),
    }.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, 'inspection_cell.nodes.set_pose', raising=False)
    from inspection_cell.nodes.set_pose import SetPose

    answer = SimpleNamespace(done=lambda: False, result=lambda: SimpleNamespace(success=True))
    client = SimpleNamespace(
        service_is_ready=lambda: True, call_async=lambda request: asked.append(request) or answer
    )
    node = SimpleNamespace(create_client=lambda *what: asked.append(what) or client)
    mover = SetPose(node, '/world/demo/set_pose')
    told = mover.move('part_0001', from_rpy((0.1, 0.2, 0.3), (0.0, 0.0, np.pi)))
    assert asked[0] == (kind, '/world/demo/set_pose')
    assert f'ros_gz_interfaces/srv/{kind.__name__}' == SET_POSE_TYPE
    assert (asked[1].entity.name, asked[1].entity.type) == ('part_0001', 2)
    assert asked[1].pose.position.y == 0.2
    assert asked[1].pose.orientation.z == pytest.approx(1.0)
    assert told() is None
    answer.done = lambda: True
    assert told() is True
    monkeypatch.delitem(sys.modules, 'inspection_cell.nodes.set_pose')


def test_images_and_clouds_as_gz_sends_them_yield_a_verdict_though_time_pauses(pictures):
    (part,) = pictures.played.parts
    goal = pictures.send(part)
    pictures.world.until(lambda: pictures.gazebo.asked)
    pictures.gazebo.paused = True
    begin_s = time.monotonic()
    pictures.world.until(lambda: time.monotonic() - begin_s > 1.0)
    pictures.gazebo.paused = False
    answer, disposition = pictures.answer(goal)
    verdict = answer.result.verdict
    assert verdict.decision.value == Decision.ACCEPT, [r.text for r in verdict.reasons]
    assert disposition.action == Disposition.RELEASED
    assert disposition.confirmed
    assert stamp_from_msg(verdict.stamp) < 1_000_000_000_000  # simulated time


def test_one_part_after_the_other_is_in_sight_and_found_good(plates):
    for part in plates.played.parts:
        goal = plates.send(part)
        plates.world.until(lambda part=part: plates.gazebo.in_sight() == [part.part_id])
        answer, disposition = plates.answer(goal)
        verdict = answer.result.verdict
        assert verdict.decision.value == Decision.ACCEPT, [r.text for r in verdict.reasons]
        assert (verdict.part_id, disposition.part_id) == (part.part_id, part.part_id)
        assert disposition.action == Disposition.RELEASED
        plates.dispositions.clear()


def test_a_clock_that_stops_before_the_scan_diverts_the_part(plates):
    plates.gazebo.pause_on_trigger = True
    answer, disposition = plates.answer(plates.send(plates.played.parts[0]))
    assert plates.gazebo.paused
    assert answer.result.verdict.decision.value == Decision.UNKNOWN
    assert disposition.action == Disposition.DIVERTED
    assert (disposition.bin, disposition.confirmed) == ('review', True)


def test_a_clock_that_stops_while_the_part_is_moved_diverts_it_and_the_reason_is_told(plates):
    plates.gazebo.paused = True
    answer, disposition = plates.answer(plates.send(plates.played.parts[0]))
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert 'is Gazebo paused?' in answer.result.message
    assert disposition.action == Disposition.DIVERTED
    plates.gazebo.paused = False
    plates.dispositions.clear()
    answer, _ = plates.answer(plates.send(plates.played.parts[0]))
    assert answer.result.verdict.decision.value == Decision.ACCEPT


class Presenting:
    """Goals for the adapter itself."""

    def __init__(self, line):
        self.world = line.world
        self.client = ActionClient(line.world.probe, PresentPart, 'present_part')
        self.world.until(self.client.server_is_ready)

    def send(self, part_id):
        goal = PresentPart.Goal(part_id=part_id, part_to_cell=Pose())
        goal.part_to_cell.position.z = 0.2
        future = self.client.send_goal_async(goal)
        self.world.until(future.done)
        return future.result()

    def result(self, goal):
        future = goal.get_result_async()
        self.world.until(future.done)
        return future.result()


def test_the_part_has_settled_after_it_was_moved_and_before_it_is_told(plates):
    robot = Presenting(plates)
    began_ns = plates.gazebo.sim_ns
    answer = robot.result(robot.send(plates.played.parts[0].part_id))
    assert answer.status == GoalStatus.STATUS_SUCCEEDED
    settled_ns = stamp_from_msg(answer.result.settled)
    assert began_ns + 100_000_000 < settled_ns
    assert plates.gazebo.sim_ns - settled_ns > 100_000_000  # a frame of now is newer for sure


def test_what_is_no_part_of_the_world_is_refused_with_those_that_are(plates):
    robot = Presenting(plates)
    answer = robot.result(robot.send('part_9'))
    assert answer.status == GoalStatus.STATUS_ABORTED
    assert "no part 'part_9' in the world; there are part_0001, part_0002" in answer.result.message


def test_a_newer_presentation_ends_the_one_before(plates):
    robot = Presenting(plates)
    plates.gazebo.paused = True
    first = robot.send(plates.played.parts[0].part_id)
    second = robot.send(plates.played.parts[1].part_id)
    assert robot.result(first).status == GoalStatus.STATUS_ABORTED
    plates.gazebo.paused = False
    assert robot.result(second).status == GoalStatus.STATUS_SUCCEEDED
    assert plates.gazebo.in_sight() == [plates.played.parts[1].part_id]


def test_a_presentation_can_be_cancelled_while_time_stands_still(plates):
    robot = Presenting(plates)
    plates.gazebo.paused = True
    goal = robot.send(plates.played.parts[0].part_id)
    cancel = goal.cancel_goal_async()
    plates.world.until(cancel.done)
    assert robot.result(goal).status == GoalStatus.STATUS_CANCELED
