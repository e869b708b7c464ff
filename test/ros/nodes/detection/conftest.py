"""detection_node with real networks, and everything around it played by the test."""

import shutil

import numpy as np
import pytest
import torch
from inspection_cell_msgs.msg import Capture, Captured, ViewFindings
from sensor_msgs.msg import CameraInfo, CompressedImage
from sensor_msgs.msg import Image as ImageMsg
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel

from inspection_cell.geometry import Intrinsics
from inspection_cell.models import ModelFile, Training, file_sha256, write_model_file
from inspection_cell.nodes.conversions.capturing import CaptureOrder, capture_order_to_msg
from inspection_cell.nodes.conversions.poses import camera_info_to_msg
from inspection_cell.nodes.conversions.sensor_data import image_to_msg
from inspection_cell.nodes.detection_node import DetectionNode
from inspection_cell.nodes.qos import SENSOR_RELIABLE
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
"""
DETECTION = """\
detection:
  model: model
  image_size: 64
  classes: {scratch: {min_score: 0.05}}
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
  ignore: [screw]
"""
TOPICS = {name: f'{name}/image_raw' for name in ('left', 'right')}
CAMERA = Intrinsics(96, 64, 100.0, 100.0, 47.5, 31.5)


@pytest.fixture(scope='session')
def models(tmp_path_factory):
    """Folders of untrained networks; they fire at random, so that boxes depend on the image."""
    folder = tmp_path_factory.mktemp('models')
    for seed, name in enumerate(('model', 'other')):
        untrained(folder / name, CLASSES, seed)
    untrained(folder / 'strange', ('hole', 'burr'), seed=2)
    shutil.copytree(folder / 'model', folder / 'damaged')
    (folder / 'damaged' / 'best.pt').write_bytes(b'half a file')
    return folder


def untrained(folder, classes, seed):
    torch.manual_seed(seed)
    model = YOLO('yolo26n.yaml', task='detect')
    model.model = DetectionModel('yolo26n.yaml', nc=len(classes), verbose=False)
    model.model.names = dict(enumerate(classes))
    head = model.model.model[-1]
    for layers in (head.cv3, head.one2one_cv3):
        for layer in layers:
            layer[-1].bias.data[-1] += 9.0  # the last class: scratch
    folder.mkdir()
    model.save(folder / 'best.pt')
    made = {'base': 'yolo26n.yaml', 'data': 'none', 'data_sha256': '0' * 64, 'images': 1}
    file = {'name': folder.name, 'classes': classes, 'image_size': 64, 'weights': 'best.pt'}
    file['weights_sha256'] = file_sha256(folder / 'best.pt')
    training = Training(**made, epochs=1, batch=1, seed=0, seconds=0)
    write_model_file(folder, ModelFile(format=1, **file, licence='AGPL-3.0', training=training))


@pytest.fixture
def pictures(files, models):
    """The files of a cell with two cameras; one recipe with a mesh, one without."""
    files.cell.write_text(CELL)
    folder = files.cell.parent
    shutil.copytree(models / 'model', folder / 'model')
    files.recipe.write_text(PLAIN)
    (folder / 'mesh.yaml').write_text(WITH_MESH)
    return files


class Bench:
    """detection_node with everything around it played by the test."""

    def __init__(self, world, topics):
        self.world = world
        self.node = world.start(DetectionNode())
        self.captured = world.hear(Captured, 'captured')
        self.findings = world.hear(ViewFindings, 'findings')
        self.images = {
            name: world.publisher(ImageMsg, topic, SENSOR_RELIABLE)
            for name, topic in topics.items()
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
        edges = [self.node._edges[name] for name in sensors]
        self.world.until(lambda: all(edge.waits for edge in edges))

    def show(self, name='left', encoding=None, seed=3):
        image = Image(np.random.default_rng(seed).integers(0, 255, (64, 96, 3), dtype=np.uint8))
        msg = image_to_msg(image, self.world.now_ns(), f'pictures/{name}_optical_frame')
        msg.encoding = encoding or msg.encoding
        self.images[name].publish(msg)
        return image

    def calibrate(self, camera=CAMERA):
        self.info.publish(camera_info_to_msg(camera))

    def result(self, count=1):
        self.world.until(lambda: len(self.findings) >= count)
        return self.findings[-1]

    def findings_of(self, inspection_id, count=1):
        """By camera, once `count` views have answered."""

        def own():
            return {f.sensor: f for f in self.findings if f.inspection_id == inspection_id}

        self.world.until(lambda: len(own()) == count)
        return own()


@pytest.fixture
def bench(make_world, pictures):
    folder = pictures.recipe.parent
    world = make_world(f'recipes:=["{pictures.recipe}", "{folder / "mesh.yaml"}"]')
    return Bench(world, TOPICS)


@pytest.fixture
def raw_and_compressed(make_world, pictures):
    """The bench with a right camera that sends compressed images, and what publishes them."""
    pictures.edit('topic: right/image_raw', 'topic: right/compressed, transport: compressed')
    world = make_world(f'recipes:=["{pictures.recipe}"]')
    bench = Bench(world, {'left': TOPICS['left']})
    return bench, world.publisher(CompressedImage, 'right/compressed', SENSOR_RELIABLE)
