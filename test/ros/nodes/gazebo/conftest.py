"""Gazebo and its bridge as their own files describe them, and the real nodes of the cell."""

from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml
from inspection_cell_msgs.action import InspectPart
from inspection_cell_msgs.msg import CellState, Disposition
from rclpy.action import ActionClient
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rosgraph_msgs.msg import Clock as ClockMsg
from sensor_msgs.msg import Image as ImageMsg
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Bool

from inspection_cell.bringup import Simulated, load_recipes
from inspection_cell.cell import load_cell
from inspection_cell.gazebo.files import write_gazebo
from inspection_cell.gazebo.parts import ready_parts
from inspection_cell.gazebo.world import WAITING_M
from inspection_cell.geometry import TRANSFORM_X_FORWARD_TO_OPTICAL
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.nodes.cell_node import CellNode
from inspection_cell.nodes.conversions.poses import stamp_to_msg
from inspection_cell.nodes.detection_node import DetectionNode
from inspection_cell.nodes.gazebo_node import GazeboNode
from inspection_cell.nodes.qos import LATCHED
from inspection_cell.nodes.reject_node import RejectNode
from inspection_cell.nodes.surface_node import SurfaceNode
from inspection_cell.recipe import load_recipe
from inspection_cell.sim.station import Presented, Station

KINDS = {
    'sensor_msgs/msg/Image': ImageMsg,
    'sensor_msgs/msg/PointCloud2': PointCloud2,
    'std_msgs/msg/Bool': Bool,
    'rosgraph_msgs/msg/Clock': ClockMsg,
}
STEP_S = 0.01


@dataclass(frozen=True)
class Played:
    """A cell that was written for Gazebo, and the truth about its parts."""

    files: object
    parts: tuple
    namespace: str

    @property
    def bridge(self):
        return yaml.safe_load(self.files.bridge.read_text())

    @property
    def topics(self):
        return [entry for entry in self.bridge if 'ros_topic_name' in entry]

    @property
    def service(self):
        (entry,) = (entry for entry in self.bridge if 'service_name' in entry)
        return entry


class FakeGazebo(Node):
    """Does what world and bridge configuration say, with the messages that gz sends.

    Poses take effect and triggers are answered in the next step of simulated time, never while
    it is paused.
    """

    def __init__(self, played, recipes):
        super().__init__('fake_gazebo')
        self.paused = False
        self.pause_on_trigger = False
        self.sim_ns = 5_000_000_000
        self.is_ready = True
        self.asked = []  # models, in the order in which they were moved
        self._cell = load_cell(played.files.cell)
        self._views = all_views(played, recipes)
        world = ElementTree.parse(played.files.world).getroot().find('world')
        self.service = f'/world/{world.get("name")}/set_pose'
        self._poses = {model.get('name'): None for model in world.findall('model')}
        self._sensors = {
            element.findtext('camera/trigger_topic'): element for element in world.iter('sensor')
        }
        self._moving, self._triggered = {}, []
        self._from_gz = {}
        for entry in played.topics:
            kind, topic = KINDS[entry['ros_type_name']], entry['ros_topic_name']
            if entry['direction'] == 'GZ_TO_ROS':
                self._from_gz[entry['gz_topic_name']] = self.create_publisher(kind, topic, 10)
            else:
                name = entry['gz_topic_name']
                self.create_subscription(kind, topic, lambda _, n=name: self._trigger(n), 10)
        self._clock = self._from_gz[f'/world/{world.get("name")}/clock']
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(STEP_S, self._step, clock=steady)

    def start(self):
        """Nothing to activate."""

    def close(self):
        """Nothing to end."""

    def move(self, model, transform_to_world):
        """The service set_pose: it answers at once."""
        if model not in self._poses:
            return lambda: False
        self.asked.append(model)
        self._moving[model] = transform_to_world
        return lambda: True

    def in_sight(self):
        """The parts that were put in front of the sensors."""
        return [
            name
            for name, pose in self._poses.items()
            if pose is not None and pose[2, 3] != WAITING_M
        ]

    def _trigger(self, gz_topic):
        self.paused |= self.pause_on_trigger
        self._triggered.append(gz_topic)

    def _step(self):
        if self.paused:
            return
        self.sim_ns += round(1e9 * STEP_S)
        stamp = stamp_to_msg(self.sim_ns)
        self._clock.publish(ClockMsg(clock=stamp))
        self._poses |= self._moving
        self._moving = {}
        triggered, self._triggered = self._triggered, []
        for gz_topic in triggered:
            self._expose(self._sensors[gz_topic], stamp)

    def _expose(self, element, stamp):
        name, topic = element.get('name'), element.findtext('topic')
        seen = self._see(name)
        if element.get('type') == 'depth_camera':
            lens = self._cell.scanners[name].intrinsics
            message = gz_cloud(seen.points, lens.width, lens.height)
            topic += '/points'
        else:
            message = gz_image(seen.pixels)
        message.header.stamp = stamp
        message.header.frame_id = f'sensor_{name}::link::{name}'
        self._from_gz[topic].publish(message)

    def _see(self, sensor):
        (part_id,) = self.in_sight()
        pose = self._poses[part_id]
        return next(
            seen
            for presented, seen in self._views[part_id, sensor]
            if np.allclose(presented.transform_part_to_cell_true, pose, atol=1e-9)
        )


def all_views(played, recipes):
    """What every sensor sees of every part in every presentation: rendered before time begins."""
    cell = load_cell(played.files.cell)
    station = Station(cell, recipes, seed=1)
    views = {}
    for part in played.parts:
        recipe = next(one for one in recipes if one.part_type == part.part_type)
        for name, held in recipe.file.presentations.items():
            pose = held.pose.transform()
            presented = Presented(part, name, pose, pose)
            for sensor in held.sensors:
                seen = presented, station.observe(presented, sensor)
                views.setdefault((part.part_id, sensor), []).append(seen)
    return views


def gz_image(pixels):
    """As ros_gz_bridge makes it of gz.msgs.Image in RGB_INT8."""
    height, width = pixels.shape[:2]
    message = ImageMsg(height=height, width=width, encoding='rgb8', step=3 * width)
    message.data.frombytes(np.ascontiguousarray(pixels[..., ::-1]).tobytes())
    return message


def gz_cloud(points_optical, width, height):
    """As of gz.msgs.PointCloudPacked: organised, x forward, infinite where nothing comes back."""
    layout = np.dtype(
        {
            'names': ['x', 'y', 'z', 'rgb'],
            'formats': ['<f4'] * 4,
            'offsets': [0, 4, 8, 16],
            'itemsize': 24,
        }
    )
    rows = np.zeros(width * height, layout)
    for name in 'xyz':
        rows[name] = np.inf
    points = points_optical @ TRANSFORM_X_FORWARD_TO_OPTICAL[:3, :3].astype(np.float32)
    for column, name in enumerate('xyz'):
        rows[name][: len(points)] = points[:, column]
    fields = [
        PointField(name=name, offset=layout.fields[name][1], datatype=7, count=1)
        for name in layout.names
    ]
    message = PointCloud2(height=height, width=width, fields=fields, is_dense=False)
    message.point_step, message.row_step = 24, 24 * width
    message.data.frombytes(rows.tobytes())
    return message


class Line:
    """The real nodes of a cell in simulated time, before a Gazebo that the test plays."""

    def __init__(self, make_world, files, played, kinds):
        recipes = [load_recipe(files.recipe)]
        self.played = played
        self.world = make_world(
            f'cell:={played.files.cell}', f'parts:={played.files.parts}', 'use_sim_time:=true'
        )
        self.gazebo = gazebo = self.world.start(FakeGazebo(played, recipes))

        class Robot(GazeboNode):
            """The adapter, before a service that the test plays."""

            def make_mover(self, service):
                self.service = service
                return gazebo_service(gazebo)

        self.world.until(lambda: self.world.now_ns() > 0)
        self.nodes = [self.world.start(kind()) for kind in (Robot, *kinds, RejectNode, CellNode)]
        self.robot = self.nodes[0]
        self.states = self.world.hear(CellState, 'cell_state', LATCHED)
        self.dispositions = self.world.hear(Disposition, 'disposition')
        self.client = ActionClient(self.world.probe, InspectPart, 'inspect_part')
        self.world.until(lambda: self.states and self.states[-1].state == CellState.READY)

    def send(self, part):
        goal = InspectPart.Goal(part_id=part.part_id, part_type=part.part_type)
        future = self.client.send_goal_async(goal)
        self.world.until(future.done)
        return future.result()

    def answer(self, goal):
        """What came of a goal, and where its part went."""
        future = goal.get_result_async()
        self.world.until(future.done)
        count = len(self.dispositions)
        self.world.until(lambda: len(self.dispositions) > count or self.dispositions)
        return future.result(), self.dispositions[-1]


class gazebo_service:  # noqa: N801  # stands for a client
    """The adapter's side of set_pose."""

    def __init__(self, gazebo):
        self.is_ready = True
        self.move = gazebo.move

    def close(self):
        """Nothing is held."""


class NamespacedFiles:
    """The files of a cell whose nodes run in its namespace, as they do for people."""

    def __init__(self, files):
        self._files = files
        self.cell, self.recipe, self.data = files.cell, files.recipe, files.data

    def arguments(self, *more):
        name = yaml.safe_load(self.cell.read_text())['name']
        return [*self._files.arguments(*more), '-r', f'__ns:=/{name}']


@pytest.fixture
def files(files):
    """Plates under a scanner that Gazebo can play."""
    content = yaml.safe_load(files.cell.read_text())
    lens = {'width': 160, 'height': 120, 'fx': 400, 'fy': 400, 'cx': 79.5, 'cy': 59.5}
    content['sensors']['scanner']['intrinsics'] = lens
    content['sensors']['scanner']['deadline_s'] = 3.0
    content['robot'] = {'timeout_s': 3.0}
    content['simulation'] = {'edge_outlier_share': 0.0, 'dropout_share': 0.0}
    files.cell.write_text(yaml.safe_dump(content))
    recipe = yaml.safe_load(files.recipe.read_text())
    recipe['presentations']['top']['pose']['rpy_deg'] = [-30, -30, 0]  # two walls are seen too
    files.recipe.write_text(yaml.safe_dump(recipe))
    return NamespacedFiles(files)


def play(files, count=2):
    """Write a cell for Gazebo, with parts that are all good."""
    cell = load_cell(files.cell)
    recipes = load_recipes(cell, [files.recipe])
    parts = ready_parts(cell, recipes, Simulated(1, count), ())
    written = write_gazebo(cell, recipes, parts, files.cell.parent / 'gazebo')
    return Played(written, parts, cell.file.name)


@pytest.fixture
def plates(make_world, files):
    """A cell with a scanner alone."""
    return Line(make_world, files, play(files), [SurfaceNode])


@pytest.fixture
def pictures(make_world, files):
    """A cell with a camera and a scanner, the demo's detector and its bracket."""
    content = yaml.safe_load(demo_cell().read_text())
    content['name'] = 'pictures'
    content['sensors'] = {name: content['sensors'][name] for name in ('left', 'scanner')}
    for sensor in content['sensors'].values():
        sensor |= {'deadline_s': 30, 'inspect_s': 60}
    content['limits'] = {'min_free_disk_mb': 0}
    files.cell.write_text(yaml.safe_dump(content))
    path = demo_recipes()[0]
    recipe = yaml.safe_load(path.read_text())
    recipe['reference']['mesh'] = str(path.parent / recipe['reference']['mesh'])
    recipe['detection']['model'] = str((path.parent / recipe['detection']['model']).resolve())
    recipe['presentations'] = {
        'top': recipe['presentations']['top'] | {'sensors': ['left', 'scanner']}
    }
    recipe['coverage']['minimum'] = 0.2
    files.recipe.write_text(yaml.safe_dump(recipe))
    return Line(make_world, files, play(files, count=1), [SurfaceNode, DetectionNode])
