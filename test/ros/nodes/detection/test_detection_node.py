"""detection_node: images in, findings of their views out."""

import threading

import numpy as np
import pytest
from inspection_cell_msgs.msg import ViewFindings
from sensor_msgs.msg import CameraInfo
from sensor_msgs.msg import Image as ImageMsg

from inspection_cell.nodes.conversions.poses import stamp_to_msg
from inspection_cell.nodes.conversions.sensor_data import (
    compressed_to_msg,
    image_from_msg,
    image_to_msg,
)
from inspection_cell.nodes.qos import SHOWN
from inspection_cell.observations import Image


def test_an_image_is_inspected_recorded_and_shown(bench, pictures):
    shown = bench.world.hear(ImageMsg, 'left/annotated', SHOWN)
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


def test_a_compressed_image_gives_the_findings_of_the_raw_one(raw_and_compressed, pictures):
    bench, compressed = raw_and_compressed
    bench.order(pictures.recipe, sensors=('left', 'right'))
    image = bench.show('left')
    compressed.publish(compressed_to_msg(image, bench.world.now_ns()))
    found = bench.findings_of('i-1', 2)
    boxes = {
        name: [(f.label, f.score, *f.box_px) for f in view.findings]
        for name, view in found.items()
    }
    assert boxes['left']
    assert boxes['left'] == boxes['right']


def test_a_compressed_image_that_is_cut_short_is_malformed(raw_and_compressed, pictures):
    bench, compressed = raw_and_compressed
    bench.order(pictures.recipe, sensors=('right',))
    msg = compressed_to_msg(Image(np.zeros((64, 96, 3), dtype=np.uint8)), bench.world.now_ns())
    msg.data = msg.data[:-20]
    compressed.publish(msg)
    found = bench.result()
    assert found.status == ViewFindings.MALFORMED
    assert 'cut short' in found.reason


class Held:
    """Lets the node's workers begin only when told; remembers who has begun."""

    def __init__(self, node):
        self.begun, self.release = [], threading.Event()
        self.threads = node.threads
        self._inspect, node.inspect = node.inspect, self

    def __call__(self, inspector, observation):
        self.begun.append(observation.inspection_id)
        assert self.release.wait(30)
        return self._inspect(inspector, observation)


@pytest.fixture
def narrow(pictures):
    pictures.cell.write_text(pictures.cell.read_text() + 'limits: {queue: 1}\n')


def test_a_full_queue_is_an_overloaded_view_at_once(narrow, bench, pictures):
    held = Held(bench.node)
    last = held.threads + 2  # each thread has one in work, one is in the queue, one too many
    for number in range(1, last + 1):
        bench.order(pictures.recipe, f'i-{number}')
        bench.show()
        bench.world.until(lambda number=number: len(bench.captured) == number)
        bench.world.until(lambda number=number: len(held.begun) == min(number, held.threads))
    held.release.set()
    bench.result(last)
    status = {found.inspection_id: found.status for found in bench.findings}
    assert status.pop(f'i-{last}') == ViewFindings.OVERLOADED
    assert status == dict.fromkeys((f'i-{n}' for n in range(1, last)), ViewFindings.OK)


def test_stamps_pass_through_unchanged(bench, pictures):
    bench.order(pictures.recipe)
    stamp_ns = bench.world.now_ns()
    pixels = np.zeros((64, 96, 3), dtype=np.uint8)
    bench.images['left'].publish(image_to_msg(Image(pixels), stamp_ns))
    assert bench.result().stamp == stamp_to_msg(stamp_ns)


def boxes(found):
    return [(finding.label, finding.score, *finding.box_px) for finding in found.findings]


def test_views_that_are_looked_at_side_by_side_are_each_as_if_it_were_alone(bench, pictures):
    held = Held(bench.node)
    seeds = {f'{camera} {seed}': seed for seed, camera in enumerate(('left', 'right') * 2)}
    for number, (name, seed) in enumerate(seeds.items(), start=1):
        camera = name.split()[0]
        bench.order(pictures.recipe, name, sensors=(camera,))
        bench.show(camera, seed=seed)
        bench.world.until(lambda number=number: len(bench.captured) == number)
    bench.world.until(lambda: len(held.begun) == min(held.threads, len(seeds)))
    held.release.set()
    together = {name: bench.findings_of(name)[name.split()[0]] for name in seeds}
    assert sorted(held.begun) == sorted(seeds)
    assert len({str(boxes(found)) for found in together.values()}) == 4  # not the same picture
    for name, seed in seeds.items():
        camera = name.split()[0]
        bench.order(pictures.recipe, f'{name} alone', sensors=(camera,))
        bench.show(camera, seed=seed)
        alone = bench.findings_of(f'{name} alone')[camera]
        assert boxes(alone) == boxes(together[name]) != []


def test_only_the_view_that_breaks_the_detector_is_an_error(bench, pictures):
    inspect = bench.node.inspect

    def breaks(inspector, observation):
        if observation.inspection_id == 'bad':
            raise RuntimeError('out of memory')
        return inspect(inspector, observation)

    bench.node.inspect = breaks
    for number, name in enumerate(('good', 'bad', 'fine'), start=1):
        bench.order(pictures.recipe, name)
        bench.show()
        bench.world.until(lambda number=number: len(bench.captured) == number)
    bench.result(3)
    status = {found.inspection_id: found.status for found in bench.findings}
    assert status.pop('bad') == ViewFindings.ERROR
    assert status == dict.fromkeys(('good', 'fine'), ViewFindings.OK)
    assert len(bench.findings) == 3  # nobody answered twice
