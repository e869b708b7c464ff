"""ONNX exports without PyTorch give what the trained weights give."""

import numpy as np
import pytest
from exported_models import export_of

from inspection_cell.errors import ModelError
from inspection_cell.observations import Image
from inspection_cell.ultralytics_adapter.inference import UltralyticsDetector
from inspection_cell.views.detectors import load_export
from inspection_cell.views.onnx_runner import OnnxRunner


@pytest.fixture(scope='module')
def export(exported):
    return export_of(exported, 'onnxruntime')


@pytest.fixture(scope='module')
def detector(exported, export):
    return load_export(exported, export)


def test_it_gives_the_boxes_of_ultralytics_on_the_same_export(exported, export, detector, screws):
    peer = UltralyticsDetector(exported, network=exported.export_path(export)).detect([screws])[0]
    ours = detector.detect([screws])[0]
    assert len(ours) >= 1
    assert ours.labels == peer.labels
    assert ours.boxes_px == pytest.approx(peer.boxes_px, abs=0.01)
    assert ours.scores == pytest.approx(peer.scores, abs=1e-4)


def test_an_image_gives_the_same_bytes_alone_and_in_any_company(detector, screws):
    other = Image(np.full((97, 143), 90, dtype=np.uint8))
    alone = detector.detect([screws])[0]
    amid = detector.detect([other, screws, other])[1]
    assert alone.boxes_px.tobytes() == amid.boxes_px.tobytes()
    assert alone.scores.tobytes() == amid.scores.tobytes()


def test_the_smallest_image_gives_a_result(detector):
    assert len(detector.detect([Image(np.zeros((1, 1), dtype=np.uint8))])) == 1


def test_the_backend_names_runtime_and_precision(detector):
    assert detector.backend == 'onnxruntime fp32'


def test_a_file_that_is_no_network_is_refused(tmp_path):
    path = tmp_path / 'network.onnx'
    path.write_bytes(b'this is no network')
    with pytest.raises(ModelError, match=r'network\.onnx'):
        OnnxRunner(path, 'fp32', 'detect', 2)


def test_a_head_of_another_task_is_refused_when_it_runs(exported, export):
    other = exported.file.model_copy(update={'task': 'obb'})
    folder = type(exported)(exported.path, other)
    with pytest.raises(ModelError, match='NMS-free head for task obb'):
        load_export(folder, export)
