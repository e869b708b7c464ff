"""A cell of two cameras and two lights: real nodes, and a driver that the test plays."""

from functools import partial

import numpy as np
import pytest
from inspection_cell_msgs.action import InspectPart
from inspection_cell_msgs.msg import Capture, Captured, CellState, ViewFindings
from rclpy.action import ActionClient
from rclpy.node import Node
from sensor_msgs.msg import Image as ImageMsg
from std_msgs.msg import Bool, Empty, Float64

from inspection_cell.cell import load_cell
from inspection_cell.models import ModelFile, Training, file_sha256, write_model_file
from inspection_cell.nodes.cell_node import CellNode
from inspection_cell.nodes.conversions.sensor_data import image_to_msg
from inspection_cell.nodes.detection_node import DetectionNode
from inspection_cell.nodes.qos import LATCHED, RELIABLE, SENSOR_RELIABLE
from inspection_cell.nodes.reject_node import RejectNode
from inspection_cell.observations import Image
from inspection_cell.views.detections import Detections

CELL = """\
format: 1
name: lit
lights:
  ring: {topic: plc/ring, settle_ms: 20}
  bar: {topic: plc/bar, settle_ms: 30}
sensors:
  left: &camera
    kind: camera
    topic: left/image_raw
    camera_info_topic: left/camera_info
    pose: {position_mm: [0, 0, 400], look_at_mm: [0, 0, 200]}
    trigger: {kind: software, topic: left/trigger}
    deadline_s: 1.5
    inspect_s: 20
    LEFT
  right:
    <<: *camera
    topic: right/image_raw
    trigger: {kind: software, topic: right/trigger}
    exposure: null
    RIGHT
robot: {timeout_s: 10}
disposition: {kind: robot_place, decide_within_s: 1.5, confirm_within_s: 0.5, release_valid_s: 0.5}
limits: {min_free_disk_mb: 0}
"""
RECIPE = """\
format: 1
part_type: sheet
reference: none
presentations:
  top:
    pose: {position_mm: [0, 0, 200], rpy_deg: [0, 0, 0]}
    sensors: [left, right]
detection:
  model: model
  classes: {scratch: {min_score: 0.3}}
  features: [{label: screw, count: 1}]
"""
SHOTS = 'shots: {bright: {lights: [ring]}, dark: {lights: [bar]}}'
SIZE = (64, 96)
GREY = {'ring': 200, 'bar': 40, 'nothing': 120, 'bar+ring': 220}
SCREW = [10.0, 10.0, 20.0, 20.0]
SCRATCH = [50.0, 30.0, 70.0, 34.0]


class ToldDetector:
    """Screws in every light, a scratch only under the bar light, when the part has one."""

    backend, classes, model_hash = 'told', ('screw', 'scratch'), 'a' * 64

    def detect(self, images, beside=0):
        return [self._one(int(image.pixels[0, 0, 0]), image) for image in images]

    def _one(self, grey, image):
        scratched = grey == 40 and int(image.pixels[-1, -1, 0]) == 255
        boxes, labels = [SCREW, SCRATCH][: 1 + scratched], ('screw', 'scratch')[: 1 + scratched]
        return Detections(np.array(boxes), np.full(len(boxes), 0.9), labels)


class Driver(Node):
    """Two cameras that expose when triggered, and the two lights over them."""

    def __init__(self):
        super().__init__('driver')
        self.on, self.events, self.images = {'bar'}, [], {}  # as a killed process left it
        self.scratched, self.silent_in, self.answers_old_in = False, (), ()
        self._before = None
        cell = load_cell(self.cell_path)
        self.publishers_ours = {
            name: self.create_publisher(ImageMsg, camera.topic, SENSOR_RELIABLE)
            for name, camera in cell.cameras.items()
        }
        for name, camera in cell.cameras.items():
            if camera.trigger.kind == 'free_running':
                self.create_timer(0.03, partial(self.expose, name))
            else:
                expose = lambda _, n=name: self.expose(n)  # noqa: E731
                self._listen(Empty, camera.trigger.topic, expose, RELIABLE)
            if camera.exposure:
                self._listen(Float64, camera.exposure.topic, self.expose_for, LATCHED)
        for name, light in cell.file.lights.items():
            self._listen(Bool, light.topic, lambda msg, n=name: self.switch(n, msg.data), LATCHED)

    def start(self):
        """Nothing to activate."""

    def close(self):
        """Nothing is held."""

    def _listen(self, kind, topic, heard, profile):
        self.create_subscription(kind, topic, heard, profile)

    def expose_for(self, msg):
        self.events.append(f'exposure {msg.data:g}')

    def switch(self, light, is_on):
        if is_on != (light in self.on):
            self.events.append(f'{light} {"on" if is_on else "off"}')
        (self.on.add if is_on else self.on.discard)(light)

    def expose(self, camera):
        lit = '+'.join(sorted(self.on)) or 'nothing'
        self.events.append(f'{camera} in {lit}')
        if lit in self.silent_in:
            return
        now_ns = self.get_clock().now().nanoseconds
        pixels = np.full((*SIZE, 3), GREY[lit], dtype=np.uint8)
        pixels[-1, -1] = 255 * self.scratched
        image = Image(pixels)
        if lit in self.answers_old_in:
            image, now_ns = self._before[0], self._before[1] + 1_000_000  # one more of them
        self._before = image, now_ns
        self.images[camera, lit] = image
        self.publishers_ours[camera].publish(image_to_msg(image, now_ns + 1))


class Lit:
    """The whole cell of two cameras, with a test that is the client."""

    detector = ToldDetector()

    def __init__(self, world, robot, driver):
        self.world, self.robot, self.driver = world, world.start(robot), world.start(driver)
        self.findings = world.hear(ViewFindings, 'findings')
        self.captures = world.hear(Capture, 'capture')
        self.captured = world.hear(Captured, 'captured')
        self.shots = world.hear(Captured, 'shot_captured')
        states = world.hear(CellState, 'cell_state', LATCHED)
        self.detection, _, self.cell = (
            world.start(kind()) for kind in (DetectionNode, RejectNode, CellNode)
        )
        world.until(lambda: not driver.on)
        driver.events.clear()
        self.client = ActionClient(world.probe, InspectPart, 'inspect_part')
        world.until(lambda: states and states[-1].state == CellState.READY)

    def send(self):
        sent = self.client.send_goal_async(InspectPart.Goal(part_id='p', part_type='sheet'))
        self.world.until(sent.done)
        return sent.result()

    def verdict(self):
        answer = self.send().get_result_async()
        self.world.until(answer.done)
        return answer.result().result.verdict

    def view(self, verdict, sensor='left'):
        return next(view for view in verdict.views if view.sensor == sensor)


@pytest.fixture
def lit(make_world, robot_side, files, monkeypatch):
    """Starts the cell; `left` and `right` are written for the two cameras."""

    def start(left=SHOTS, right='shots: {}', free_running=''):
        text = CELL.replace('LEFT', left).replace('RIGHT', right)
        if free_running:
            trigger = f'{{kind: software, topic: {free_running}/trigger}}'
            text = text.replace(trigger, '{kind: free_running}')
        files.cell.write_text(text)
        files.recipe.write_text(RECIPE)
        folder = files.recipe.parent / 'model'
        folder.mkdir()
        (folder / 'best.pt').write_bytes(b'weights')
        made = {'base': 'none', 'data': 'none', 'data_sha256': '0' * 64, 'images': 1}
        training = Training(**made, epochs=1, batch=1, seed=0, seconds=0)
        model = {'name': 'model', 'classes': ToldDetector.classes, 'image_size': 64}
        weights = {'weights': 'best.pt', 'weights_sha256': file_sha256(folder / 'best.pt')}
        write_model_file(
            folder, ModelFile(format=1, **model, **weights, licence='none', training=training)
        )
        monkeypatch.setattr(
            'inspection_cell.views.running_models.load_detector', lambda *_, **__: ToldDetector()
        )
        world = make_world()
        monkeypatch.setattr(Driver, 'cell_path', files.cell, raising=False)
        return Lit(world, robot_side(None), Driver())

    return start
