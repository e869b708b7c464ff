"""Where sensor and part were at an exposure: who is asked, and what becomes of no answer."""

from dataclasses import dataclass

import numpy as np
import pytest
import yaml
from inspection_cell_msgs.msg import Capture, Captured, ViewFindings
from rclpy.node import Node
from sensor_msgs.msg import PointCloud2

from inspection_cell.capture.gate import Captured as CapturedFrame
from inspection_cell.capture.gate import CaptureRequest, Frame
from inspection_cell.cell import load_cell
from inspection_cell.errors import DataError, PoseError
from inspection_cell.geometry import from_rpy
from inspection_cell.nodes import tf_lookup
from inspection_cell.nodes.capture_edge import CapturedView
from inspection_cell.nodes.conversions.capturing import CaptureOrder, capture_order_to_msg
from inspection_cell.nodes.conversions.sensor_data import scan_to_msg
from inspection_cell.nodes.held_poses import HeldPoses
from inspection_cell.nodes.moved_frames import MovedFrames
from inspection_cell.nodes.qos import SENSOR_RELIABLE
from inspection_cell.nodes.surface_node import SurfaceNode
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import load_recipe

LOOKED_UP = from_rpy((0.1, 0.2, 0.3), (0.0, 0.0, 1.0))
REPORTED = from_rpy((0.0, 0.0, 0.2), (0.0, 0.0, 0.0))
EXPOSED_NS, ARRIVED_STEADY_NS = 1_700_000_000_123_456_789, 5_000_000_000


@dataclass
class Asked:
    """Knows one pose; remembers what it was asked for."""

    node: Node
    asked: tuple = ()
    closed: bool = False

    def pose(self, child, parent, stamp_ns, until_steady_ns):
        self.asked += ((child, parent, stamp_ns, until_steady_ns),)
        return LOOKED_UP

    def close(self):
        self.closed = True


def edited(files, from_tf=None, part_from_tf=None, **more):
    content = yaml.safe_load(files.cell.read_text())
    content |= more
    if from_tf is not None:
        del content['sensors']['scanner']['pose']
        content['sensors']['scanner']['from_tf'] = from_tf
    if part_from_tf is not None:
        content['robot']['part_from_tf'] = part_from_tf
    files.cell.write_text(yaml.safe_dump(content))
    return load_cell(files.cell)


def view():
    order = CaptureOrder('i', 'p', 'plate', '', 'top', 1, REPORTED, ('scanner',), 1.0)
    request = CaptureRequest('i', 'top', 1, 10**12)
    sent_ns, arrived_ns = EXPOSED_NS + 40_000_000, EXPOSED_NS + 90_000_000
    frame = Frame(None, sent_ns, arrived_ns, ARRIVED_STEADY_NS)
    captured = CapturedFrame(request, frame, EXPOSED_NS)
    return CapturedView(order, ViewKey('top', 'scanner'), captured)


def asked(cell, namespace='press_line'):
    sources = []

    def source(node):
        sources.append(Asked(node))
        return sources[0]

    node = Node('asking', namespace=namespace)
    held = HeldPoses(node, cell, cell.sensors, source)
    poses = held.sensor(view()), held.part(view())
    held.close()
    node.destroy_node()
    return sources, *poses


def test_a_cell_that_places_its_sensors_itself_asks_nobody(ros, files):
    cell = load_cell(files.cell)
    sources, sensor, part = asked(cell)
    assert sources == []
    assert np.array_equal(sensor, cell.scanners['scanner'].pose.transform())
    assert np.array_equal(part, REPORTED)


def test_a_moved_sensor_is_looked_up_in_the_cells_frame_at_the_exposure(ros, files):
    (source,), sensor, part = asked(edited(files, {'within_s': 0.25}))
    frames = 'press_line/scanner_optical_frame', 'press_line/cell'
    assert source.asked == ((*frames, EXPOSED_NS, ARRIVED_STEADY_NS + 250_000_000),)
    assert source.closed
    assert np.array_equal(sensor, LOOKED_UP)
    assert np.array_equal(part, REPORTED)


def test_the_part_in_the_gripper_is_looked_up_too(ros, files):
    (source,), sensor, part = asked(edited(files, part_from_tf={}))
    assert [where[:3] for where in source.asked] == [
        ('press_line/part', 'press_line/cell', EXPOSED_NS)
    ]
    assert np.array_equal(part, LOOKED_UP)
    assert not np.array_equal(sensor, LOOKED_UP)


def test_frames_that_others_publish_keep_their_names(ros, files):
    cell = edited(files, {'frame': 'wrist/scan'}, {'frame': 'gripped'}, frame='base_link')
    (source,), _, _ = asked(cell)
    assert [where[:2] for where in source.asked] == [
        ('wrist/scan', 'base_link'),
        ('gripped', 'base_link'),
    ]


@pytest.mark.parametrize('keys', [{'from_tf': {}}, {'part_from_tf': {}}])
def test_without_tf2_such_a_cell_is_refused_at_configure_with_the_package(
    make_world, files, monkeypatch, keys
):
    edited(files, **keys)
    monkeypatch.setattr(tf_lookup, 'tf2_ros', None)
    world = make_world('autostart:=false')
    node = world.start(SurfaceNode())
    with pytest.raises(DataError, match=r'from_tf.*ros-\$ROS_DISTRO-tf2-ros-py'):
        node.configure()
    assert node.trigger_configure().name == 'FAILURE'


def test_without_tf2_a_cell_that_needs_none_is_not_refused(make_world, monkeypatch):
    monkeypatch.setattr(tf_lookup, 'tf2_ros', None)
    node = make_world('autostart:=false').start(SurfaceNode())
    assert node.trigger_configure().name == 'SUCCESS'


def test_the_simulator_says_which_package_publishes_tf(ros, files, monkeypatch):
    monkeypatch.setattr('inspection_cell.nodes.moved_frames.TFMessage', None)
    cell, node = edited(files, {}), Node('robot')
    with pytest.raises(DataError, match='tf2-msgs'):
        MovedFrames(node, cell)
    node.destroy_node()


class Unknown:
    """Nobody knows where the sensor is."""

    def part(self, view):
        return view.order.transform_part_to_cell

    def sensor(self, view):
        raise PoseError('TF: scanner in cell at 12.000 s: no such frame')

    def close(self):
        pass


def test_a_pose_that_is_not_known_is_a_view_status_and_the_node_works_on(make_world, files):
    world = make_world()
    node = world.start(SurfaceNode())
    findings, answers = world.hear(ViewFindings, 'findings'), world.hear(Captured, 'captured')
    clouds = world.publisher(PointCloud2, 'scanner/points', SENSOR_RELIABLE)
    orders = world.publisher(Capture, 'capture')
    world.until(lambda: node.count_subscribers('findings'))
    known, node.held = node.held, Unknown()
    recipe = load_recipe(files.recipe)

    def inspect(name):
        settled_ns = world.now_ns() - 10_000_000
        pose, sensors = REPORTED, ('scanner',)
        order = CaptureOrder(
            name, 'p', 'plate', recipe.sha256, 'top', settled_ns, pose, sensors, 5.0
        )
        orders.publish(capture_order_to_msg(order))
        clouds.publish(scan_to_msg(files.scan(), world.now_ns(), 'scanner_optical_frame'))
        world.until(lambda: [f for f in findings if f.inspection_id == name])
        return findings[-1]

    lost = inspect('i-1')
    assert (lost.status, lost.reason) == (
        ViewFindings.NO_POSE,
        'TF: scanner in cell at 12.000 s: no such frame',
    )
    assert lost.stamp.sec > 0
    world.until(lambda: answers)
    assert answers[0].ok  # the frame was captured: the robot may move on
    node.held = known
    assert inspect('i-2').status == ViewFindings.OK
