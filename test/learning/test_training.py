"""Training: from a data set to a model folder that the detector loads."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from inspection_cell.errors import DataError, ModelError
from inspection_cell.learning import training as training_module
from inspection_cell.learning.datasets import files_sha256, load_dataset
from inspection_cell.learning.folds import Fold
from inspection_cell.learning.staging import stage
from inspection_cell.learning.training import TrainingPlan, train
from inspection_cell.learning.training_settings import AUGMENTATIONS, settings_of
from inspection_cell.models import Export, export_sha256, load_model_folder
from inspection_cell.observations import Image
from inspection_cell.ultralytics_adapter.exporting import export_network
from inspection_cell.ultralytics_adapter.inference import UltralyticsDetector
from inspection_cell.ultralytics_adapter.offline import YOLO, torch
from inspection_cell.ultralytics_adapter.training import architecture
from inspection_cell.views.detectors import load_export
from inspection_cell.views.direct_detector import DirectDetector
from inspection_cell.views.heads import LOWEST_SCORE
from inspection_cell.views.overlap import match_boxes
from inspection_cell.views.preprocessing import SHORTEST, fit

CORNERS = ((0, 0), (16, 0), (16, 16), (0, 16))


def write_dots(folder: Path, count: int = 4, splits=('train', 'val'), outlines: bool = False):
    """Images with one bright square each."""
    generator = np.random.default_rng(2)
    for split in splits:
        for index in range(count):
            x, y = generator.integers(8, 40, 2)
            pixels = generator.integers(0, 40, (64, 64, 3), dtype=np.uint8)
            pixels[y : y + 16, x : x + 16] = 230
            for kind in ('images', 'labels'):
                (folder / kind / split).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / 'images' / split / f'{index}.png'), pixels)
            numbers = [(x + 8) / 64, (y + 8) / 64, 0.25, 0.25]
            if outlines:
                numbers = [value for dx, dy in CORNERS for value in ((x + dx) / 64, (y + dy) / 64)]
            line = ' '.join(map(str, [1, *numbers]))
            (folder / 'labels' / split / f'{index}.txt').write_text(line + '\n')
    content = {**{split: f'images/{split}' for split in splits}, 'names': ['ring', 'dot']}
    (folder / 'data.yaml').write_text(yaml.safe_dump(content))
    return folder / 'data.yaml'


STAGED = []  # what the trainer was given


def staged(files, *others):
    STAGED.append(files)
    return stage(files, *others)


def short(data: Path, **changes) -> TrainingPlan:
    return TrainingPlan(data, 'dots', **{'epochs': 2, 'image_size': 64, 'batch': 2, **changes})


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A model folder, its data set, and the reports of the epochs."""
    data = write_dots(tmp_path_factory.mktemp('data') / 'dots')
    before = sorted(data.parent.rglob('*'))
    reports = []
    out = tmp_path_factory.mktemp('models') / 'dots'
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(training_module, 'stage', staged)
        plan = short(data, seed=7, augmentation='surfaces', pasted=3)
        folder = train(plan, out, reports.append)
    assert sorted(data.parent.rglob('*')) == before  # nothing is written beside the user's data
    return folder, data, reports


def test_a_trained_folder_says_how_it_came_about_and_loads(trained):
    folder, data, reports = trained
    assert [report.epoch for report in reports] == [1, 2]
    assert load_model_folder(folder.path) == folder
    dataset = load_dataset(data)
    training = folder.file.training
    assert folder.classes == ('ring', 'dot')
    assert training.data_sha256 == files_sha256(dataset.split('train'), dataset.classes)
    assert (training.images, training.epochs, len(training.map50_by_epoch)) == (4, 2, 2)
    assert training.settings['mosaic'] == AUGMENTATIONS['surfaces'].settings['mosaic']
    assert {'torch', 'threads'} <= set(training.made_with)
    assert folder.file.code_version
    kept = {path.name for path in folder.path.iterdir()}
    assert kept == {
        *('weights.pt', 'model.yaml', 'results.csv', 'learning_curve.png', 'LICENSE-NOTE.md')
    }
    assert folder.weights.stat().st_size < 6_000_000
    detector = UltralyticsDetector(folder)
    assert len(detector.detect([Image(np.zeros((64, 64), dtype=np.uint8))])) == 1


def test_images_with_pasted_defects_are_trained_on_beside_the_others(trained):
    folder, _, _ = trained
    assert folder.file.training.pasted == 3
    assert [len(files) for files in STAGED[0].values()] == [4 + 3, 4]


def test_a_folder_with_a_model_is_not_trained_over(trained):
    folder, data, _ = trained
    with pytest.raises(DataError, match='holds a trained model'):
        train(short(data), folder.path)


def test_another_task_begins_with_the_layers_that_both_have(trained, tmp_path):
    folder, _, _ = trained
    data = write_dots(tmp_path / 'outlined', outlines=True)
    frozen = {'freeze': 10.0}
    plan = short(data, base=str(folder.path), task='segment', epochs=1, own_settings=frozen)
    outlined = train(plan, tmp_path / 'model')
    assert outlined.file.task == 'segment'
    assert outlined.file.training.base == folder.path.name
    first, second = (YOLO(str(one.weights)).model.state_dict() for one in (folder, outlined))
    for name in ('model.0.conv.weight', 'model.8.cv1.conv.weight'):
        assert torch.equal(first[name], second[name])


def test_weights_that_tell_no_family_are_no_base_for_another_task(trained, tmp_path):
    folder, _, _ = trained
    content = torch.load(folder.weights, weights_only=False)
    content['model'].yaml.pop('yaml_file')
    torch.save(content, tmp_path / 'other.pt')
    data = write_dots(tmp_path / 'outlined', outlines=True)
    plan = short(data, base=str(tmp_path / 'other.pt'), task='segment')
    with pytest.raises(ModelError, match='expected a base for segment'):
        train(plan, tmp_path / 'model')


def test_an_interrupted_training_goes_on_after_its_last_whole_epoch(tmp_path):
    data = write_dots(tmp_path / 'dots')

    class StoppedError(Exception):
        pass

    def stop(report):
        if report.epoch == 2:
            raise StoppedError

    plan = short(data, epochs=3)
    with pytest.raises(StoppedError):
        train(plan, tmp_path / 'model', stop)
    with pytest.raises(DataError, match='--resume'):
        train(plan, tmp_path / 'model')
    with pytest.raises(DataError, match='seed 0'):
        train(short(data, epochs=3, seed=5), tmp_path / 'model', resume=True)
    reports = []
    folder = train(plan, tmp_path / 'model', reports.append, resume=True)
    assert [report.epoch for report in reports] == [3]
    assert folder.file.training.epochs == 3


def test_a_time_limit_ends_the_training_with_a_model(tmp_path):
    data = write_dots(tmp_path / 'dots')
    folder = train(short(data, epochs=300, max_hours=1e-5), tmp_path / 'model')
    assert folder.file.training.epochs < 10


def test_a_fold_holds_images_of_the_split_train_out(tmp_path):
    data = write_dots(tmp_path / 'dots', count=6, splits=('train',))
    folder = train(short(data, epochs=1, fold=Fold(3, 1, seed=0)), tmp_path / 'model')
    training = folder.file.training
    assert (training.folds, training.fold, training.images) == (3, 1, 4)
    assert folder.file.metrics.images == 2


@pytest.mark.parametrize('task', ['obb', 'segment'])
def test_outlines_train_oriented_boxes_and_segmentation(tmp_path, task):
    data = write_dots(tmp_path / 'dots', outlines=True)
    folder = train(short(data, epochs=1, task=task), tmp_path / 'model')
    assert folder.file.task == task


def test_a_data_set_without_validation_images_is_refused(tmp_path):
    data = write_dots(tmp_path / 'dots', splits=('train',))
    with pytest.raises(DataError, match="split 'val'"):
        train(short(data), tmp_path / 'model')
    assert not (tmp_path / 'model').exists()


def test_unknown_presets_and_settings_are_refused_with_what_is_known():
    with pytest.raises(DataError, match='surfaces'):
        settings_of('nicest', 'AdamW', {})
    with pytest.raises(DataError, match='mixup'):
        settings_of('surfaces', 'AdamW', {'mixxup': 0.1})
    assert settings_of('surfaces', 'AdamW', {'lr0': 0.1})['lr0'] == 0.1


def test_a_family_name_gives_the_architecture_of_the_task():
    assert architecture('yolo26s', 'obb') == 'yolo26s-obb.yaml'
    assert architecture('yolo26n.yaml', 'detect') == 'yolo26n.yaml'


def test_the_weights_name_no_path_of_the_machine(trained):
    folder, data, _ = trained
    content = folder.weights.read_bytes()
    assert str(folder.path).encode() not in content
    assert str(data.parent).encode() not in content


def test_what_was_noted_at_the_start_is_readable(tmp_path):
    data = write_dots(tmp_path / 'dots')

    def stop(_report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(short(data), tmp_path / 'model', stop)
    noted = json.loads((tmp_path / 'model' / 'run' / 'started.json').read_text())
    assert noted['epochs'] == 2


def test_the_head_with_nms_is_trained_alone_and_its_export_suppresses_doubles_alike(tmp_path):
    data = write_dots(tmp_path / 'dots')
    folder = train(short(data, head='nms', epochs=1), tmp_path / 'model')
    head = YOLO(str(folder.weights)).model.model[-1]
    assert getattr(head, 'one2one_cv2', None) is None
    image = Image(cv2.imread(str(data.parent / 'images' / 'val' / '0.png')))
    (found,) = UltralyticsDetector(folder, floor_score=LOWEST_SCORE).detect([image])
    size, floor = [SHORTEST, SHORTEST], LOWEST_SCORE
    padded = fit(image).pixels
    by_vendor = YOLO(str(folder.weights)).predict(padded, imgsz=size, conf=floor, verbose=False)
    within = by_vendor[0].boxes.xyxy.numpy()[:, :2].max(axis=1) < image.pixels.shape[0]
    assert len(found) == within.sum() > 3  # suppressed as its own default does
    made = export_network(folder.weights, folder.path, 'onnxruntime', 'fp32', 64)
    assert not made.end_to_end
    export = Export(
        path=made.path.name,
        sha256=export_sha256(made.path),
        backend='onnxruntime',
        precision='fp32',
        end_to_end=made.end_to_end,
    )
    detector = load_export(folder, export, floor_score=LOWEST_SCORE)
    assert isinstance(detector, DirectDetector)  # without PyTorch
    (same,) = detector.detect([image])
    pairs = match_boxes(found, same, 0.9)
    assert len(pairs) == len(found) == len(same)
    assert all(abs(found.scores[i] - same.scores[j]) < 1e-4 for i, j in pairs)


def test_a_base_without_the_nms_free_head_serves_the_other_one(tmp_path):
    data = write_dots(tmp_path / 'dots')
    with pytest.raises(ModelError, match='--head nms takes others'):
        train(short(data, base='yolo11n'), tmp_path / 'refused')
    folder = train(short(data, base='yolo11n', head='nms', epochs=1), tmp_path / 'model')
    assert folder.file.training.base == 'yolo11n'
