"""detection_node: images in, findings of their views out, with a real (untrained) detector."""

import hashlib
import threading

import numpy as np
import pytest
import torch
from inspection_cell_msgs.msg import Capture, Captured, ViewFindings
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image as ImageMsg
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel

from inspection_cell.geometry import Intrinsics
from inspection_cell.models import ModelFile, Training, write_model_file
from inspection_cell.nodes.conversions.capturing import CaptureOrder, capture_order_to_msg
from inspection_cell.nodes.conversions.poses import camera_info_to_msg, stamp_to_msg
from inspection_cell.nodes.conversions.sensor_data import image_from_msg, image_to_msg
from inspection_cell.nodes.detection_node import DetectionNode
from inspection_cell.nodes.qos import SENSOR_RELIABLE, SHOWN
from inspection_cell.observations import Image
from inspection_cell.recipe import load_recipe

CLASSES = ('screw', 'scratch')
CELL = """\
format: 1
name: pictures
sensors:
  left: &camera
    kind: camera
    topic: left/image_raw
    camera_info_topic: left/camera_info
    pose: {position_mm: [0, 0, 400], look_at_mm: [0, 0, 200]}
    deadline_s: 1
    inspect_s: 20
  right: {<<: *camera, topic: right/image_raw}
limits: {queue: 1}
"""
DETECTION = """\
detection:
  model: model
  image_size: 64
  classes: {scratch: {min_score: 0.9}}
"""
PRESENTATIONS = """\
presentations:
  top:
    pose: {position_mm: [0, 0, 200], rpy_deg: [0, 0, 0]}
    sensors: [left, right]
"""
PLAIN = f"""\
format: 1
part_type: sheet
reference: none
{PRESENTATIONS}
{DETECTION}
  features: [{{label: screw, count: 1}}]
"""
WITH_MESH = f"""\
format: 1
part_type: plate
reference: {{mesh: plate.ply, units: mm}}
{PRESENTATIONS}
{DETECTION}
"""
CAMERA = Intrinsics(96, 64, 100.0, 100.0, 47.5, 31.5)


@pytest.fixture(scope='module')
def weights():
    """The bytes of an untrained network: it sees nothing, but it runs."""
    torch.manual_seed(0)
    model = YOLO('yolo26n.yaml', task='detect')
    model.model = DetectionModel('yolo26n.yaml', nc=len(CLASSES), verbose=False)
    model.model.names = dict(enumerate(CLASSES))
    return model


@pytest.fixture
def pictures(files, weights):
    """The files of a cell with two cameras; one recipe with a mesh, one without."""
    files.cell.write_text(CELL)
    folder = files.cell.parent
    (folder / 'model').mkdir()
    weights.save(folder / 'model' / 'best.pt')
    sha256 = hashlib.sha256((folder / 'model' / 'best.pt').read_bytes()).hexdigest()
    made = {'base': 'yolo26n.yaml', 'data': 'none', 'data_sha256': '0' * 64, 'images': 1}
    training = Training(**made, epochs=1, batch=1, seed=0, seconds=0)
    model = {'name': 'untrained', 'classes': CLASSES, 'image_size': 64, 'weights': 'best.pt'}
    write_model_file(
        folder / 'model',
        ModelFile(format=1, **model, weights_sha256=sha256, licence='AGPL-3.0', training=training),
    )
    files.recipe.write_text(PLAIN)
    (folder / 'mesh.yaml').write_text(WITH_MESH)
    return files


class Bench:
    """detection_node with everything around it played by the test."""

    def __init__(self, world):
        self.world = world
        self.node = world.start(DetectionNode())
        self.captured = world.hear(Captured, 'captured')
        self.findings = world.hear(ViewFindings, 'findings')
        self.images = {
            name: world.publisher(ImageMsg, f'{name}/image_raw', SENSOR_RELIABLE)
            for name in ('left', 'right')
        }
        self.info = world.publisher(CameraInfo, 'left/camera_info', SENSOR_RELIABLE)
        self.orders = world.publisher(Capture, 'capture')
        world.until(lambda: self.node.count_subscribers('findings'))

    def order(self, recipe_path, inspection_id='i-1', sensors=('left',)):
        recipe = load_recipe(recipe_path)
        order = CaptureOrder(
            inspection_id,
            'p-1',
            recipe.part_type,
            recipe.sha256,
            'top',
            self.world.now_ns() - 10_000_000,
            recipe.file.presentations['top'].pose.transform(),
            sensors,
            5.0,
        )
        self.orders.publish(capture_order_to_msg(order))

    def show(self, name='left', shape=(64, 96, 3), encoding=None):
        pixels = np.random.default_rng(3).integers(0, 255, shape, dtype=np.uint8)
        msg = image_to_msg(Image(pixels), self.world.now_ns(), f'pictures/{name}_optical_frame')
        msg.encoding = encoding or msg.encoding
        self.images[name].publish(msg)

    def calibrate(self, camera=CAMERA):
        self.info.publish(camera_info_to_msg(camera))

    def result(self, count=1):
        self.world.until(lambda: len(self.findings) >= count)
        return self.findings[-1]


@pytest.fixture
def bench(make_world, pictures):
    folder = pictures.recipe.parent
    return Bench(make_world(f'recipes:=["{pictures.recipe}", "{folder / "mesh.yaml"}"]'))


def test_an_image_is_inspected_recorded_and_shown(bench, pictures):
    shown = bench.world.hear(ImageMsg, 'annotated/left', SHOWN)
    bench.world.until(lambda: bench.node._shown['left'].get_subscription_count())
    bench.order(pictures.recipe)
    bench.show()
    found = bench.result()
    assert (found.status, found.reason) == (ViewFindings.OK, '')
    assert found.presence.status != found.presence.PRESENT  # an untrained network sees no screw
    assert len(found.model_hash) == 64
    assert all((pictures.data / file.name).is_file() for file in found.evidence)
    bench.world.until(lambda: shown)
    assert shown[0].header.stamp == found.stamp
    assert shown[0].header.frame_id == 'pictures/left_optical_frame'
    assert image_from_msg(shown[0]).pixels.shape == (64, 96, 3)


def test_two_part_types_share_a_model_and_each_has_its_own_demands(bench, pictures):
    bench.order(pictures.recipe.parent / 'mesh.yaml')
    bench.calibrate()
    bench.show()
    found = bench.result()
    assert found.status == ViewFindings.OK
    assert (found.camera_info.width, found.camera_info.k[0]) == (96, 100.0)


def test_an_uncalibrated_camera_is_told_when_the_recipe_has_a_mesh(bench, pictures):
    bench.order(pictures.recipe.parent / 'mesh.yaml')
    bench.info.publish(CameraInfo(width=96, height=64))
    bench.show()
    found = bench.result()
    assert found.status == ViewFindings.MALFORMED
    assert 'uncalibrated' in found.reason


def test_an_unknown_encoding_is_malformed_and_both_cameras_answer(bench, pictures):
    bench.order(pictures.recipe, sensors=('left', 'right'))
    bench.show('left', encoding='yuv9')
    bench.world.until(lambda: bench.findings)
    bench.show('right')
    bench.result(2)
    status = {found.sensor: found.status for found in bench.findings}
    assert status == {'left': ViewFindings.MALFORMED, 'right': ViewFindings.OK}
    assert [answer.ok for answer in bench.captured] == [True, True]


def test_a_full_queue_is_an_overloaded_view_at_once(bench, pictures):
    started, release = [], threading.Event()
    inspect = bench.node.inspect

    def slow(view):
        started.append(view)
        release.wait(10)
        return inspect(view)

    bench.node.inspect = slow
    for number in (1, 2, 3):  # one in work, one in the queue, one too many
        bench.order(pictures.recipe, f'i-{number}')
        bench.show()
        bench.world.until(lambda number=number: len(bench.captured) == number and started)
    release.set()
    bench.result(3)
    status = {found.inspection_id: found.status for found in bench.findings}
    assert status == {
        'i-1': ViewFindings.OK,
        'i-2': ViewFindings.OK,
        'i-3': ViewFindings.OVERLOADED,
    }


def test_stamps_pass_through_unchanged(bench, pictures):
    bench.order(pictures.recipe)
    stamp_ns = bench.world.now_ns()
    pixels = np.zeros((64, 96, 3), dtype=np.uint8)
    bench.images['left'].publish(image_to_msg(Image(pixels), stamp_ns))
    assert bench.result().stamp == stamp_to_msg(stamp_ns)
