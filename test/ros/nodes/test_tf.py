"""Poses out of the real tf2: a scanner on the robot's flange, a part in its gripper."""

import time

import numpy as np
import pytest
import yaml

from inspection_cell.errors import PoseError
from inspection_cell.geometry import from_rpy, invert, look_at, pose_difference, rigid
from inspection_cell.nodes.conversions.capturing import CaptureOrder, capture_order_to_msg
from inspection_cell.nodes.conversions.poses import pose_from_msg
from inspection_cell.nodes.conversions.sensor_data import scan_to_msg
from inspection_cell.nodes.conversions.transforms import transform_to_msg
from inspection_cell.nodes.qos import LATCHED, RELIABLE, SENSOR_RELIABLE
from inspection_cell.nodes.surface_node import SurfaceNode
from inspection_cell.nodes.tf_lookup import Tf
from inspection_cell.recipe import load_recipe

pytest.importorskip('tf2_ros', reason='tf2_ros is missing: it comes with an installed ROS 2')

from inspection_cell_msgs.msg import Capture, Captured, ViewFindings
from sensor_msgs.msg import PointCloud2
from tf2_msgs.msg import TFMessage

MS = 1_000_000
LOOKING = look_at((-0.05, 0.07, 0.42), (0.0, 0.0, 0.2))  # far from where cell.yaml has it
NOMINAL = {'position_mm': [60, -80, 400], 'look_at_mm': [0, 0, 200]}
FLANGE = from_rpy((0.3, -0.4, 0.9), (0.2, -0.3, 2.0))  # in the robot's base
CELL_IN_BASE = from_rpy((0.7, 0.1, 0.05), (0.0, 0.0, 0.5))


class Robot:
    """Publishes TF, as a robot's driver does."""

    def __init__(self, world):
        self.world = world
        self.moving = world.publisher(TFMessage, '/tf', RELIABLE)
        self.static = world.publisher(TFMessage, '/tf_static', LATCHED)

    def tell(self, transform_child_to_parent, parent, child, *stamps_ns):
        transforms = [
            transform_to_msg(transform_child_to_parent, parent, child, stamp_ns)
            for stamp_ns in stamps_ns
        ]
        self.moving.publish(TFMessage(transforms=transforms))

    def fix(self, transform_child_to_parent, parent, child):
        msg = transform_to_msg(transform_child_to_parent, parent, child, 1)
        self.static.publish(TFMessage(transforms=[msg]))


@pytest.fixture
def listening(make_world):
    """A listener in a world, and a robot that it hears."""
    world = make_world()
    tf = Tf(world.probe)
    yield world, tf, Robot(world)
    tf.close()


def known(world, tf, child, parent, stamp_ns):
    """The pose, once it has been heard."""
    found = []

    def ask():
        try:
            found.append(tf.pose(child, parent, stamp_ns, 0))
        except PoseError:
            return False
        return True

    world.until(ask)
    return found[0]


def test_a_pose_maps_points_of_the_child_to_the_parent_through_the_whole_chain(listening):
    world, tf, robot = listening
    now_ns = world.now_ns()
    camera_to_flange = from_rpy((0.01, 0.02, 0.1), (0.3, 0.1, -0.7))
    robot.fix(CELL_IN_BASE, 'base', 'cell')
    robot.fix(camera_to_flange, 'flange', 'camera')
    robot.tell(FLANGE, 'base', 'flange', now_ns - 50 * MS, now_ns + 50 * MS)
    pose = known(world, tf, 'camera', 'cell', now_ns)
    assert pose == pytest.approx(invert(CELL_IN_BASE) @ FLANGE @ camera_to_flange, abs=1e-9)


def test_between_two_poses_the_one_at_the_exposure_counts(listening):
    world, tf, robot = listening
    begin_ns = world.now_ns()
    robot.tell(from_rpy((0, 0, 0), (0, 0, 0)), 'cell', 'wrist', begin_ns)
    robot.tell(from_rpy((0.4, 0, 0), (0, 0, 1.0)), 'cell', 'wrist', begin_ns + 100 * MS)
    pose = known(world, tf, 'wrist', 'cell', begin_ns + 25 * MS)
    assert pose == pytest.approx(from_rpy((0.1, 0, 0), (0, 0, 0.25)), abs=1e-9)


@pytest.mark.parametrize('ahead_ms', [-5000, 5000])
def test_a_pose_from_before_or_after_all_that_is_known_is_not_guessed(listening, ahead_ms):
    world, tf, robot = listening
    now_ns = world.now_ns()
    robot.tell(np.eye(4), 'cell', 'wrist', now_ns, now_ns + MS)
    known(world, tf, 'wrist', 'cell', now_ns)
    asked_ns = now_ns + ahead_ms * MS
    with pytest.raises(PoseError) as caught:
        tf.pose('wrist', 'cell', asked_ns, 0)
    told = str(caught.value)
    assert f'wrist in cell at {asked_ns // 10**9}.' in told
    assert 'extrapolation' in told


def test_a_frame_that_nobody_publishes_is_named_with_the_other_and_the_time(listening):
    world, tf, robot = listening
    robot.fix(np.eye(4), 'base', 'cell')
    known(world, tf, 'cell', 'base', world.now_ns())
    begin_s = time.monotonic()
    with pytest.raises(PoseError, match=r'TF: camera in cell at \d+\.\d{3} s: .*camera'):
        tf.pose('camera', 'cell', world.now_ns(), time.monotonic_ns() + 100 * MS)
    assert time.monotonic() - begin_s >= 0.1


def test_the_time_0_is_not_taken_for_the_newest_pose(listening):
    world, tf, robot = listening
    now_ns = world.now_ns()
    robot.tell(np.eye(4), 'cell', 'wrist', now_ns)
    known(world, tf, 'wrist', 'cell', now_ns)
    with pytest.raises(PoseError, match='after 0'):
        tf.pose('wrist', 'cell', 0, 0)


class Station:
    """surface_node in a cell that looks its scanner up, or the part."""

    def __init__(self, make_world, files, *, part=False, within_s=0.3):
        content = yaml.safe_load(files.cell.read_text())
        if part:
            content['robot']['part_from_tf'] = {'within_s': within_s}
        else:
            scanner = content['sensors']['scanner']
            del scanner['pose']
            scanner['from_tf'] = {'within_s': within_s, 'nominal': NOMINAL}
        files.cell.write_text(yaml.safe_dump(content))
        self.recipe = load_recipe(files.recipe)
        self.world = make_world()
        self.node = self.world.start(SurfaceNode())
        self.robot = Robot(self.world)
        self.findings = self.world.hear(ViewFindings, 'findings')
        self.answers = self.world.hear(Captured, 'captured')
        self.clouds = self.world.publisher(PointCloud2, 'scanner/points', SENSOR_RELIABLE)
        self.orders = self.world.publisher(Capture, 'capture')
        self.world.until(lambda: self.node.count_subscribers('findings'))

    def expose(self, scan):
        """Order a view and send its cloud; when it was exposed."""
        pose, sensors = self.recipe.file.presentations['top'].pose.transform(), ('scanner',)
        exposed_ns = self.world.now_ns()
        order = CaptureOrder(
            'i', 'p', 'plate', self.recipe.sha256, 'top', exposed_ns - 20 * MS, pose, sensors, 5.0
        )
        self.orders.publish(capture_order_to_msg(order))
        self.clouds.publish(scan_to_msg(scan, exposed_ns, 'scanner_optical_frame'))
        return exposed_ns

    def found(self):
        self.world.until(lambda: self.findings)
        return self.findings[0]


def same_pose(pose, expected, within_m, within_rad):
    away_m, turned_rad = pose_difference(pose, expected)
    return away_m < within_m and turned_rad < within_rad


def test_a_scan_counts_from_where_the_scanner_really_was_not_from_where_it_was_meant_to_be(
    make_world, files
):
    scan = files.scan(sensor_to_cell=LOOKING)
    station = Station(make_world, files)
    exposed_ns = station.expose(scan)
    station.robot.tell(LOOKING, 'cell', 'scanner_optical_frame', exposed_ns - MS, exposed_ns + MS)
    found = station.found()
    assert (found.status, found.reason) == (ViewFindings.OK, '')
    part_to_cell = station.recipe.file.presentations['top'].pose.transform()
    assert same_pose(pose_from_msg(found.sensor_to_cell), LOOKING, 1e-9, 1e-6)
    assert same_pose(
        pose_from_msg(found.part_to_sensor), invert(LOOKING) @ part_to_cell, 1e-9, 1e-6
    )
    assert same_pose(pose_from_msg(found.part_to_cell_refined), part_to_cell, 2e-4, 2e-3)


def test_the_part_in_the_gripper_is_where_tf_has_it_not_where_the_robot_was_sent(
    make_world, files
):
    scan = files.scan()
    station = Station(make_world, files, part=True)
    sent = station.recipe.file.presentations['top'].pose.transform()
    held = sent @ rigid(np.eye(3), (0.004, -0.003, 0.002))
    exposed_ns = station.expose(scan)
    station.robot.tell(held, 'cell', 'part', exposed_ns - MS, exposed_ns + MS)
    found = station.found()
    assert found.status == ViewFindings.OK
    reported = pose_from_msg(found.sensor_to_cell) @ pose_from_msg(found.part_to_sensor)
    assert same_pose(reported, held, 1e-9, 1e-6)
    assert same_pose(pose_from_msg(found.part_to_cell_refined), sent, 2e-4, 2e-3)


def test_tf_that_comes_after_the_cloud_is_waited_for_without_blocking_the_node(make_world, files):
    scan = files.scan(sensor_to_cell=LOOKING)
    station = Station(make_world, files, within_s=10.0)
    exposed_ns = station.expose(scan)
    # The node takes the frame, and hears TF, while its worker waits.
    station.world.until(lambda: station.answers)
    assert not station.findings
    station.robot.tell(LOOKING, 'cell', 'scanner_optical_frame', exposed_ns - MS, exposed_ns + MS)
    assert station.found().status == ViewFindings.OK


def test_tf_that_stands_still_before_the_exposure_is_no_pose_and_names_frames_and_time(
    make_world, files
):
    scan = files.scan(sensor_to_cell=LOOKING)
    station = Station(make_world, files)
    stale_ns = station.world.now_ns() - 400 * MS
    station.robot.tell(LOOKING, 'cell', 'scanner_optical_frame', stale_ns)
    exposed_ns = station.expose(scan)
    found = station.found()
    assert found.status == ViewFindings.NO_POSE
    seconds = f'{exposed_ns / 1e9:.3f}'[:-2]
    assert f'scanner_optical_frame in cell at {seconds}' in found.reason
    assert not found.has_part_to_sensor
    station.world.until(lambda: station.answers)
    assert station.answers[0].ok


def test_a_robot_without_tf_is_no_pose(make_world, files):
    scan = files.scan(sensor_to_cell=LOOKING)
    station = Station(make_world, files)
    station.expose(scan)
    assert station.found().status == ViewFindings.NO_POSE
