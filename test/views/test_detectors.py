"""Which network of a model folder runs, and that an unproven or exchanged one never does."""

import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from exported_models import export_of, parity_of
from hypothesis import given
from hypothesis import strategies as st

from inspection_cell.errors import ModelError
from inspection_cell.models import Calibration, Calibrations, ModelFolder
from inspection_cell.views.calibrated import calibrated, probabilities
from inspection_cell.views.detections import Detections
from inspection_cell.views.detectors import choose, load_detector, load_export
from inspection_cell.views.openvino_runner import computes

CALIBRATIONS = Calibrations(
    data='test',
    data_sha256='1' * 64,
    per_class={
        'screw': Calibration(slope=2.0, offset=-0.5),
        'scratch': Calibration(slope=0.5, offset=1.0),
    },
)


def with_file(folder: ModelFolder, **changed) -> ModelFolder:
    return ModelFolder(folder.path, folder.file.model_copy(update=changed))


def with_exports(folder: ModelFolder, *exports) -> ModelFolder:
    return with_file(folder, exports=exports)


def test_the_fastest_proven_export_of_this_cpu_is_chosen_and_the_choice_explained(exported):
    choice = choose(exported)
    expected = 'bf16' if computes('bf16') else 'fp32'
    assert (choice.export.backend, choice.export.precision) == ('openvino', expected)
    assert choice.why.startswith(f'openvino {expected} is the fastest proven export')
    assert load_detector(exported).backend == f'openvino {expected}'


def test_an_export_that_was_never_compared_is_not_chosen(exported):
    unproven = export_of(exported, 'openvino').model_copy(update={'parity': None})
    choice = choose(with_exports(exported, unproven, export_of(exported, 'onnxruntime')))
    assert choice.export.backend == 'onnxruntime'
    assert 'openvino fp32: it was never compared with the trained weights' in choice.why


def test_an_export_that_differs_or_belongs_to_other_weights_is_not_chosen(exported):
    export = export_of(exported, 'openvino')
    differs = parity_of(exported.file.weights_sha256, ('3 of 20 boxes have no partner',))
    others = parity_of('f' * 64)
    choice = choose(
        with_exports(
            exported,
            export.model_copy(update={'parity': differs}),
            export_of(exported, 'onnxruntime').model_copy(update={'parity': others}),
        )
    )
    assert choice.export is None
    assert '3 of 20 boxes have no partner' in choice.why
    assert 'onnxruntime fp32: it was compared with other weights' in choice.why


def test_without_a_proven_export_the_trained_weights_run(exported):
    assert load_detector(with_exports(exported)).backend == 'pytorch'


def test_an_exchanged_export_is_refused(exported, tmp_path):
    path = tmp_path / 'model'
    shutil.copytree(exported.path, path)
    export = export_of(exported, 'openvino')
    with next((path / export.path).glob('*.bin')).open('r+b') as file:
        file.seek(1000)
        file.write(b'\x3f')
    damaged = replace(exported, path=path)
    with pytest.raises(ModelError, match=rf'{export.path}.*sha256'):
        load_detector(damaged)


def test_a_missing_export_is_refused(exported):
    lost = export_of(exported, 'onnxruntime').model_copy(update={'path': 'lost.onnx'})
    with pytest.raises(ModelError, match=r'expected the export lost\.onnx, there is none'):
        load_export(exported, lost)


def test_a_network_that_names_more_classes_than_its_file_is_refused(exported):
    one = with_file(exported, classes=exported.classes[1:2])
    with pytest.raises(ModelError, match=r'expected classes 0 to 0, got [123]'):
        load_export(one, export_of(exported, 'onnxruntime'), floor_score=0.0)


def test_a_lower_floor_gives_more_boxes_of_which_the_best_are_the_same(exported, screws):
    export = export_of(exported, 'onnxruntime')
    usual = load_export(exported, export).detect([screws])[0]
    many = load_export(exported, export, floor_score=1e-5).detect([screws])[0]
    assert len(many) > len(usual)
    assert np.array_equal(many.boxes_px[: len(usual)], usual.boxes_px)


def test_scores_are_calibrated_where_the_folder_says_so(exported, screws):
    folder = with_file(exported, calibration=CALIBRATIONS)
    raw = load_detector(folder, calibrated=False).detect([screws])[0].of('screw')
    found = load_detector(folder).detect([screws])[0].of('screw')
    assert len(raw) >= 1
    logit = np.log(raw.scores / (1 - raw.scores))
    assert found.scores == pytest.approx(1 / (1 + np.exp(-(2.0 * logit - 0.5))))
    assert np.array_equal(found.boxes_px, raw.boxes_px)


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from(['screw', 'scratch', 'stain']))))
def test_calibrated_scores_are_sorted_probabilities_and_keep_each_class_in_order(rows):
    rows.sort(reverse=True)
    scores, labels = np.array([s for s, _ in rows]), tuple(name for _, name in rows)
    boxes = np.tile(np.arange(len(rows), dtype=float)[:, None], 4)
    found = calibrated(Detections(boxes, scores, labels), CALIBRATIONS)
    assert (np.diff(found.scores) <= 0).all()
    assert sorted(found.labels) == sorted(labels)
    for label in set(labels):
        places = found.of(label).boxes_px[:, 0]
        assert (np.diff(found.of(label).scores) <= 0).all()
        before = scores[places.astype(int)]
        assert (np.diff(before) <= 1e-6).all()


def test_a_class_without_a_calibration_keeps_its_scores():
    scores = np.array([0.0, 0.3, 1.0])
    assert np.array_equal(probabilities(scores, ['stain'] * 3, CALIBRATIONS), scores)


def test_a_proven_export_needs_neither_pytorch_nor_ultralytics(exported):
    code = (
        'import sys; sys.modules.update(torch=None, ultralytics=None)\n'
        'from pathlib import Path\n'
        'from inspection_cell.models import load_model_folder\n'
        'from inspection_cell.views.detectors import load_detector\n'
        'print(load_detector(load_model_folder(Path(sys.argv[1]))).backend)'
    )
    words = [sys.executable, '-c', code, exported.path]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.stdout.startswith('openvino'), done.stderr


def test_without_pytorch_and_export_the_error_says_what_to_install(exported, tmp_path):
    code = (
        'import sys\n'
        'from importlib import util\n'
        'found = util.find_spec\n'
        "util.find_spec = lambda name: None if name == 'torch' else found(name)\n"
        'from pathlib import Path\n'
        'from inspection_cell.models import ModelFolder, load_model_folder\n'
        'from inspection_cell.views.detectors import load_detector\n'
        'folder = load_model_folder(Path(sys.argv[1]))\n'
        "bare = ModelFolder(folder.path, folder.file.model_copy(update={'exports': ()}))\n"
        'load_detector(bare)\n'
    )
    words = [sys.executable, '-c', code, exported.path]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "pip install 'inspection_cell[train]'" in done.stderr
    assert 'the folder has no export' in done.stderr
