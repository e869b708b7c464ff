"""Synthesised data sets: complete, repeatable, and training and validation apart."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from inspection_cell.cell import Cell, load_cell
from inspection_cell.errors import DataError
from inspection_cell.learning.synthesis import SynthesisPlan, synthesize
from inspection_cell.learning.training import dataset_classes, dataset_hash, split_images
from inspection_cell.recipe import load_recipe
from inspection_cell.sim.labels import CLASSES

CONFIG = Path(__file__).resolve().parents[2] / 'config'


def small_cell(folder: Path) -> Cell:
    """The demo cell with cameras of a quarter of the resolution."""
    content = yaml.safe_load((CONFIG / 'cells' / 'demo.yaml').read_text())
    for sensor in content['sensors'].values():
        if sensor['kind'] == 'camera':
            camera = dict(sensor['intrinsics'])
            quarter = {key: camera[key] / 4 for key in ('fx', 'fy', 'cx', 'cy')}
            sensor['intrinsics'] = {**camera, **quarter, 'width': 320, 'height': 240}
    file = folder / 'cell.yaml'
    file.write_text(yaml.safe_dump(content))
    return load_cell(file)


@pytest.fixture(scope='module')
def plan(tmp_path_factory) -> SynthesisPlan:
    cell = small_cell(tmp_path_factory.mktemp('cell'))
    recipes = tuple(
        load_recipe(CONFIG / 'recipes' / name / 'recipe.yaml') for name in ('bracket', 'ring')
    )
    return SynthesisPlan(cell, recipes, images=12, seed=3, tile_px=96)


@pytest.fixture(scope='module')
def written(plan, tmp_path_factory):
    return synthesize(plan, tmp_path_factory.mktemp('data') / 'set')


def test_every_image_has_its_labels_and_lies_in_one_split(written):
    train, val = split_images(written.data, 'train'), split_images(written.data, 'val')
    assert (len(train), len(val)) == (written.train, written.val)
    assert written.train > 0
    assert written.val > 0
    for image in (*train, *val):
        text = Path(str(image).replace('/images/', '/labels/')).with_suffix('.txt')
        rows = np.loadtxt(text, ndmin=2) if text.read_text() else np.zeros((0, 5))
        assert ((rows[:, 1:] >= 0) & (rows[:, 1:] <= 1)).all()
        assert set(rows[:, 0].astype(int)) <= set(range(len(CLASSES)))
        assert cv2.imread(str(image)).shape == (96, 96, 3)


def test_classes_and_contact_sheet_are_written(written):
    assert dataset_classes(written.data) == CLASSES
    assert cv2.imread(str(written.contact_sheet)).std() > 5
    assert written.boxes['screw'] > 0


def test_the_same_seed_gives_the_same_bytes(plan, written, tmp_path):
    again = synthesize(plan, tmp_path / 'again')
    assert dataset_hash(again.data) == dataset_hash(written.data)


def test_validation_parts_are_not_the_training_parts(written):
    train = {cv2.imread(str(p)).tobytes() for p in split_images(written.data, 'train')}
    val = {cv2.imread(str(p)).tobytes() for p in split_images(written.data, 'val')}
    assert not train & val


def test_a_folder_that_holds_files_is_refused(plan, written):
    with pytest.raises(DataError, match='empty folder'):
        synthesize(plan, written.data.parent)
