"""A model folder measured on a data set: as Ultralytics measures it, and with a calibration."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from inspection_cell.errors import DataError, ModelError
from inspection_cell.learning.datasets import load_dataset
from inspection_cell.learning.model_evaluation import EvaluationRequest, evaluate_model
from inspection_cell.learning.staging import stage
from inspection_cell.models import find_model, load_model_folder
from inspection_cell.ultralytics_adapter.validation import measure_network

SIDE = 224


@pytest.fixture(scope='module')
def squares(challenge_folder, tmp_path_factory) -> Path:
    """The left part of each rendered crop, square: then both ways see the very same pixels."""
    out = tmp_path_factory.mktemp('squares')
    (out / 'val' / 'images').mkdir(parents=True)
    (out / 'val' / 'labels').mkdir()
    dataset = load_dataset(challenge_folder)
    (out / 'classes.txt').write_text('\n'.join(dataset.classes))
    for file in dataset.split('val'):
        pixels = cv2.imread(str(file.image))
        left = (pixels.shape[1] - SIDE) // 2
        truth = file.truth.in_pixels(pixels.shape[1], pixels.shape[0])
        cv2.imwrite(str(out / 'val/images' / file.image.name), pixels[:SIDE, left : left + SIDE])
        boxes = (truth.boxes_px - (left, 0, left, 0)).clip(0, SIDE) / SIDE
        whole = (boxes[:, 2:] - boxes[:, :2] > 0.02).all(axis=1)
        rows = [
            f'{dataset.classes.index(label)} {(x0 + x1) / 2} {(y0 + y1) / 2} {x1 - x0} {y1 - y0}'
            for label, (x0, y0, x1, y1), keep in zip(truth.labels, boxes, whole, strict=True)
            if keep
        ]
        (out / 'val/labels' / f'{file.image.stem}.txt').write_text('\n'.join(rows))
    return out


@pytest.fixture(scope='module')
def model(bracket_recipe, tmp_path_factory) -> Path:
    """The shipped model without its exports and calibration, in a folder of its own."""
    source = find_model(bracket_recipe)
    target = tmp_path_factory.mktemp('model') / source.name
    shutil.copytree(source, target)
    return target


def test_our_average_precision_is_that_of_ultralytics_within_a_point(model, squares, tmp_path):
    folder = load_model_folder(model)
    dataset = load_dataset(squares)
    files = dataset.split('val')
    data = stage({'train': files, 'val': files}, dataset.classes, tmp_path / 'staged')
    theirs = measure_network(folder.weights, data, SIDE, len(files), 'squares')
    ours = evaluate_model(EvaluationRequest(model, squares, backend='pytorch', image_size=SIDE))
    assert theirs.map50 > 0.2
    assert ours.evaluation.map50 == pytest.approx(theirs.map50, abs=0.015)
    assert ours.evaluation.backend.startswith('pytorch')


def test_an_unknown_backend_names_those_that_the_folder_has(model, squares):
    with pytest.raises(ModelError, match='it has pytorch'):
        evaluate_model(EvaluationRequest(model, squares, backend='abacus'))


def test_a_class_that_the_model_does_not_know_is_refused(model, squares, tmp_path):
    shutil.copytree(squares, tmp_path / 'other')
    names = (squares / 'classes.txt').read_text().splitlines()
    (tmp_path / 'other' / 'classes.txt').write_text('\n'.join(['cat', *names[1:]]))
    with pytest.raises(DataError, match='cat: not a class of'):
        evaluate_model(EvaluationRequest(model, tmp_path / 'other'))


def test_a_model_that_was_not_trained_on_folds_has_no_such_split(model, squares):
    with pytest.raises(ModelError, match='not trained on folds'):
        evaluate_model(EvaluationRequest(model, squares, split='fold'))


def test_a_calibration_is_stored_only_where_it_helps(model, squares, tmp_path):
    copy = tmp_path / model.name
    shutil.copytree(model, copy)
    result = evaluate_model(EvaluationRequest(copy, squares, image_size=SIDE, fit=True))
    assert result.fitted is not None
    stored = load_model_folder(copy).file.calibration
    before = load_model_folder(model).file.calibration
    if result.fitted.helps:
        assert stored is not None
        assert set(stored.per_class) == set(result.fitted.per_class)
        np.testing.assert_allclose(stored.expected_error, result.fitted.error, atol=1e-4)
    else:
        assert stored == before
