"""OpenVINO exports without PyTorch give what Ultralytics gives on the same file."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from exported_models import export_of

from inspection_cell.errors import ModelError
from inspection_cell.observations import Image
from inspection_cell.ultralytics_adapter.inference import PlainPredictor
from inspection_cell.views.detectors import load_export, load_trained
from inspection_cell.views.openvino_runner import OpenVinoRunner, computes
from inspection_cell.views.overlap import match_boxes


@pytest.fixture(scope='module', params=['fp32', 'bf16'])
def detector(request, exported):
    if not computes(request.param):
        pytest.skip(f'this CPU has no {request.param}')
    return load_export(exported, export_of(exported, 'openvino', request.param))


def assert_same_bytes(first, second):
    assert first.labels == second.labels
    assert first.boxes_px.tobytes() == second.boxes_px.tobytes()
    assert first.scores.tobytes() == second.scores.tobytes()


def test_it_gives_the_boxes_of_ultralytics_on_the_same_export(exported, screws):
    """Ultralytics leaves OpenVINO its default, bfloat16 where the CPU has it."""
    export = export_of(exported, 'openvino', 'bf16' if computes('bf16') else 'fp32')
    ours = load_export(exported, export).detect([screws])[0]
    peer = PlainPredictor(exported, exported.export_path(export)).detect(screws)
    assert len(ours) == len(peer) >= 1
    pairs = match_boxes(ours, peer, 0.95)
    assert len(pairs) == len(ours)
    assert all(abs(ours.scores[i] - peer.scores[j]) <= 0.02 for i, j in pairs)


def test_fp32_gives_the_boxes_of_the_trained_weights(exported, screws):
    ours = load_export(exported, export_of(exported, 'openvino')).detect([screws])[0]
    trained = load_trained(exported).detect([screws])[0]
    assert len(ours) >= 1
    assert ours.labels == trained.labels
    assert ours.boxes_px == pytest.approx(trained.boxes_px, abs=0.01)
    assert ours.scores == pytest.approx(trained.scores, abs=1e-4)


def test_an_image_gives_the_same_bytes_alone_and_in_any_company(detector, screws):
    noise = np.random.default_rng(3).integers(0, 255, (256, 320, 3), dtype=np.uint8)
    mirrored = Image(np.ascontiguousarray(screws.pixels[:, ::-1]))
    small = Image(np.full((97, 143), 90, dtype=np.uint8))
    alone = detector.detect([screws])[0]
    assert len(alone) >= 1
    calls = (
        [screws, screws],
        [Image(noise), mirrored, screws],
        [small, screws, mirrored, Image(noise), screws, small, mirrored],
    )
    for images in calls:
        found = detector.detect(images)
        for image, one in zip(images, found, strict=True):
            if image is screws:
                assert_same_bytes(one, alone)
    assert_same_bytes(detector.detect([screws])[0], alone)


def test_many_threads_may_call_and_each_gets_what_its_images_give_alone(exported, screws):
    detector = load_export(exported, export_of(exported, 'openvino'), threads=2)
    crops = [Image(np.ascontiguousarray(screws.pixels[:, : 160 + 32 * n])) for n in range(3)]
    calls = [(crops, 0), (crops[::-1], 3), (crops[:1], 1), (crops[1:2] * 5, 1), (crops[2:], 0)] * 3
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda call: detector.detect(*call), calls, timeout=60))
    alone = {id(crop): detector.detect([crop])[0] for crop in crops}
    for (images, _), ones in zip(calls, found, strict=True):
        for image, one in zip(images, ones, strict=True):
            assert_same_bytes(one, alone[id(image)])


def test_many_shapes_in_turn_give_what_each_gave_first(exported, screws):
    detector = load_export(exported, export_of(exported, 'openvino'))
    crops = [Image(screws.pixels[:, : 160 + 32 * n]) for n in range(4)]
    first = [detector.detect([crop])[0] for crop in crops]
    for again, before in zip(detector.detect(crops), first, strict=True):
        assert_same_bytes(again, before)


def test_one_thread_gives_the_boxes_of_all(exported, screws):
    export = export_of(exported, 'openvino')
    one = load_export(exported, export, threads=1).detect([screws, screws])[1]
    several = load_export(exported, export, threads=2).detect([screws])[0]
    assert one.boxes_px == pytest.approx(several.boxes_px, abs=0.01)


@pytest.mark.parametrize('shape', [(1, 1), (1, 1, 3), (31, 47), (333, 65, 3)])
def test_images_of_any_size_give_boxes_within_them(detector, shape):
    pixels = np.random.default_rng(1).integers(0, 255, shape, dtype=np.uint8)
    boxes = detector.detect([Image(pixels)])[0].boxes_px
    assert (boxes >= 0).all()
    assert (boxes <= [shape[1], shape[0], shape[1], shape[0]]).all()


def test_no_images_give_nothing(detector):
    assert detector.detect([]) == []


def test_read_only_and_grey_pixels_are_taken(detector, screws):
    grey = cv2.cvtColor(screws.pixels, cv2.COLOR_BGR2GRAY)
    grey.flags.writeable = False
    single = detector.detect([Image(grey)])[0]
    assert_same_bytes(single, detector.detect([Image(cv2.merge([grey] * 3))])[0])


def test_swapped_colours_give_something_else(exported, screws):
    """So that the test of equality above would notice a swap in our preprocessing."""
    detector = load_export(exported, export_of(exported, 'openvino'))
    tinted = screws.pixels.astype(np.float64) * (1.0, 0.8, 0.5)
    tinted = tinted.astype(np.uint8)
    right, swapped = detector.detect(
        [Image(tinted), Image(np.ascontiguousarray(tinted[..., ::-1]))]
    )
    assert not np.array_equal(right.scores, swapped.scores)


def test_oriented_boxes_and_outlines_are_those_of_the_trained_weights(random_model):
    noise = np.random.default_rng(2).integers(0, 255, (160, 192, 3), dtype=np.uint8)
    image = Image(cv2.GaussianBlur(noise, (0, 0), 3))
    trained = load_trained(random_model, floor_score=0.5).detect([image])[0]
    export = export_of(random_model, 'openvino')
    ours = load_export(random_model, export, floor_score=0.5).detect([image])[0]
    pairs = match_boxes(trained, ours, 0.99)
    assert len(trained) >= 3
    assert len(pairs) >= 0.97 * max(len(trained), len(ours))
    assert len(ours.polygons_px) == len(ours)
    for first, second in pairs:
        expected, found = trained.polygons_px[first], ours.polygons_px[second]
        areas = [cv2.contourArea(polygon.astype(np.float32)) for polygon in (expected, found)]
        assert areas[1] == pytest.approx(areas[0], rel=0.05, abs=8.0)


def test_a_head_of_another_task_is_refused(exported):
    path = exported.export_path(export_of(exported, 'openvino'))
    with pytest.raises(ModelError, match=r'NMS-free head for task obb.*\(1, N, 7\)'):
        OpenVinoRunner(path, 'fp32', 'obb', 2)


def test_a_damaged_network_is_refused_with_its_name(exported, tmp_path):
    path = tmp_path / 'damaged_openvino_model'
    shutil.copytree(exported.export_path(export_of(exported, 'openvino')), path)
    next(path.glob('*.xml')).write_text('<net')
    with pytest.raises(ModelError, match='damaged_openvino_model'):
        OpenVinoRunner(path, 'fp32', 'detect', 2)


def test_a_folder_without_a_network_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r'expected one \.xml file of OpenVINO, found 0'):
        OpenVinoRunner(tmp_path, 'fp32', 'detect', 2)
