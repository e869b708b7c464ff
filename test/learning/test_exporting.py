"""Exporting: what is written, listed, refused and removed."""

import importlib.util

import pytest

from inspection_cell.errors import DataError, ModelError
from inspection_cell.learning.challenge import find_challenge, load_challenge
from inspection_cell.learning.challenge_storing import Choice, store_challenge
from inspection_cell.learning.datasets import load_dataset
from inspection_cell.learning.exporting import ExportPlan, Format, export
from inspection_cell.models import Parity, load_model_folder, write_model_file
from inspection_cell.ultralytics_adapter.exporting import export_network
from inspection_cell.ultralytics_adapter.offline import torch
from inspection_cell.views.detectors import choose


def test_an_export_is_listed_with_its_hash_its_proof_and_a_report_to_read(exported):
    (listed,) = exported.file.exports
    assert (listed.backend, listed.precision, listed.end_to_end) == ('openvino', 'fp32', True)
    assert exported.export_path(listed).is_dir()
    assert listed.parity.weights_sha256 == exported.file.weights_sha256
    report = (exported.path / 'exports' / 'openvino_fp32_parity.md').read_text()
    assert 'Equal within the limits' in report
    assert f'| boxes above 0.25 | {listed.parity.boxes} on' in report


def test_an_export_names_no_folder_of_the_machine_that_made_it(exported):
    for file in exported.export_path(exported.exports[0]).iterdir():
        assert b'/tmp/' not in file.read_bytes()


def test_a_proven_export_is_what_the_machine_would_run(exported):
    assert choose(exported).export == exported.exports[0]


def test_bfloat16_shares_the_file_of_fp32_and_leaves_its_proof_alone(copied):
    before = copied.exports[0]
    export(copied.path, ExportPlan((Format('openvino', 'bf16'),), threads=1))
    folder = load_model_folder(copied.path)
    by_precision = {one.precision: one for one in folder.file.exports}
    assert by_precision['fp32'] == before
    assert by_precision['bf16'].path == before.path
    assert folder.export_path(before).is_dir()


def test_an_export_that_differs_is_listed_with_its_problems_and_its_files_go(copied):
    """No box has such a score: nothing is proven."""
    write_model_file(copied.path, copied.file.model_copy(update={'exports': ()}))
    plan = ExportPlan((Format('openvino', 'fp16'),), threshold=0.999, threads=1)
    (result,) = export(copied.path, plan)
    folder = load_model_folder(copied.path)
    assert result.comparison.parity.problems
    assert folder.exports == ()
    assert folder.file.exports[0].parity.problems
    assert not (copied.path / folder.file.exports[0].path).exists()
    assert 'Refused' in result.report.read_text()


@pytest.mark.parametrize(
    ('plan', 'word'),
    [
        (ExportPlan((Format('onnxruntime', 'fp16'),)), 'onnxruntime computes in fp32'),
        (ExportPlan((Format('openvino', 'int8'),)), 'int8 needs images'),
        (ExportPlan(()), 'at least one format'),
    ],
    ids=['no such precision', 'int8 without images', 'nothing'],
)
def test_what_cannot_work_is_refused_before_anything_is_written(copied, plan, word):
    before = (copied.path / 'model.yaml').read_bytes()
    with pytest.raises(ModelError, match=word):
        export(copied.path, plan)
    assert (copied.path / 'model.yaml').read_bytes() == before


def test_int8_is_not_calibrated_on_the_challenge_set(copied):
    images = tuple(sorted((copied.path / 'challenge' / 'images').iterdir()))
    with pytest.raises(ModelError, match='not in'):
        export(copied.path, ExportPlan((Format('openvino', 'int8'),), calibration=images))


@pytest.mark.skipif(torch.cuda.is_available(), reason='there is a GPU')
def test_tensorrt_without_a_gpu_says_what_is_missing(copied, tmp_path):
    with pytest.raises(ModelError, match='expected an NVIDIA GPU'):
        export_network(copied.weights, tmp_path, 'tensorrt', 'fp16')


def test_weights_that_are_no_network_are_refused(tmp_path):
    (tmp_path / 'weights.pt').write_bytes(b'no weights')
    with pytest.raises(ModelError, match='export openvino fp32 failed'):
        export_network(tmp_path / 'weights.pt', tmp_path, 'openvino', 'fp32')


def test_quantising_needs_its_package_or_says_so(copied, tmp_path, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, 'find_spec', lambda name: None if name == 'nncf' else real(name)
    )
    with pytest.raises(ModelError, match='pip install nncf'):
        export_network(copied.weights, tmp_path, 'openvino', 'int8')


def test_a_model_without_a_challenge_set_asks_for_one(copied):
    with pytest.raises(ModelError, match='--challenge'):
        find_challenge(load_model_folder(copied.path).__class__(copied.path / 'no', copied.file))


def test_a_challenge_set_of_other_classes_is_refused_by_name(challenge_folder):
    with pytest.raises(DataError, match='stain: not a class of the model'):
        load_challenge(challenge_folder, ('screw', 'missing_screw', 'scratch'))


def test_a_stored_challenge_set_is_small_and_shows_every_class(copied, challenge_folder):
    stored = store_challenge(challenge_folder, copied, Choice(images=6, crop_px=128))
    data = load_dataset(stored)
    files = data.split('val')
    assert len(files) == 6
    assert {label for file in files for label in file.truth.labels} == set(data.classes)
    found = load_challenge(stored, copied.classes)
    assert all(one.image.pixels.shape[:2] == (128, 128) for one in found.images)


def test_crops_keep_labels_where_they_are_in_the_image(copied, challenge_folder):
    """The same screw, cut out again, has the size that it had."""
    before = load_challenge(challenge_folder, copied.classes)
    stored = store_challenge(challenge_folder, copied, Choice(images=99, crop_px=160))
    after = load_challenge(stored, copied.classes)
    sizes = {size for one in before.images for size in box_sizes(one.truth)}
    whole = {size for one in after.images for size in box_sizes(one.truth, border=160)}
    assert whole
    assert all(min(abs(np_size - other) for other in sizes) < 0.5 for np_size in whole)


def box_sizes(truth, border=None):
    """Widths of screws; with a border only of those that do not touch it."""
    screws = truth.of('screw').boxes_px
    if border is not None:
        screws = screws[(screws.min(axis=1) > 1) & (screws.max(axis=1) < border - 1)]
    return [float(box[2] - box[0]) for box in screws]


def test_an_export_that_was_compared_with_other_weights_is_not_used(copied):
    (export_,) = copied.file.exports
    parity = Parity.model_validate({**export_.parity.model_dump(), 'weights_sha256': '1' * 64})
    listed = export_.model_copy(update={'parity': parity})
    write_model_file(copied.path, copied.file.model_copy(update={'exports': (listed,)}))
    assert load_model_folder(copied.path).exports == ()
