"""Training: from a data set to a model folder that the detector loads."""

import cv2
import numpy as np
import pytest
import yaml

from inspection_cell.errors import DataError
from inspection_cell.learning.training import TrainingPlan, dataset_hash, train
from inspection_cell.models import load_model_folder
from inspection_cell.observations import Image
from inspection_cell.ultralytics_adapter.inference import UltralyticsDetector


def write_dots(folder, count=4):
    """Images with one bright square each."""
    generator = np.random.default_rng(2)
    for split in ('train', 'val'):
        for index in range(count):
            x, y = generator.integers(8, 40, 2)
            pixels = generator.integers(0, 40, (64, 64, 3), dtype=np.uint8)
            pixels[y : y + 16, x : x + 16] = 230
            for kind in ('images', 'labels'):
                (folder / kind / split).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(folder / 'images' / split / f'{index}.png'), pixels)
            line = f'1 {(x + 8) / 64} {(y + 8) / 64} 0.25 0.25\n'
            (folder / 'labels' / split / f'{index}.txt').write_text(line)
    content = {'train': 'images/train', 'val': 'images/val', 'names': {0: 'ring', 1: 'dot'}}
    (folder / 'data.yaml').write_text(yaml.safe_dump(content))
    return folder / 'data.yaml'


def test_a_trained_folder_says_what_it_was_trained_on_and_loads(tmp_path):
    data = write_dots(tmp_path / 'dots')
    reports = []
    plan = TrainingPlan(data, 'dots', epochs=2, image_size=64, batch=2, seed=7)
    folder = train(plan, tmp_path / 'model', reports.append)
    assert [report.epoch for report in reports] == [1, 2]
    assert load_model_folder(tmp_path / 'model') == folder
    assert folder.classes == ('ring', 'dot')
    assert folder.file.training.data_sha256 == dataset_hash(data)
    assert (folder.file.training.images, folder.file.training.epochs) == (4, 2)
    assert folder.weights.stat().st_size < 6_000_000
    detector = UltralyticsDetector(folder)
    assert len(detector.detect([Image(np.zeros((64, 64), dtype=np.uint8))])) == 1


def test_the_data_sets_hash_changes_with_any_label(tmp_path):
    data = write_dots(tmp_path / 'dots')
    before = dataset_hash(data)
    (tmp_path / 'dots' / 'labels' / 'train' / '0.txt').write_text('0 0.5 0.5 0.1 0.1\n')
    assert dataset_hash(data) != before


def test_a_data_set_without_images_is_refused(tmp_path):
    content = {'train': 'images/train', 'val': 'images/val', 'names': ['dot']}
    (tmp_path / 'data.yaml').write_text(yaml.safe_dump(content))
    with pytest.raises(DataError, match='found none'):
        train(TrainingPlan(tmp_path / 'data.yaml'), tmp_path / 'model')


def test_a_file_that_is_no_data_yaml_is_refused(tmp_path):
    with pytest.raises(DataError, match='mapping'):
        (tmp_path / 'data.yaml').write_text('just words')
        train(TrainingPlan(tmp_path / 'data.yaml'), tmp_path / 'model')
