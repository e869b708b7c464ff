"""Synthesised data sets: complete, repeatable, and training and validation apart."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from inspection_cell.cell import Cell, load_cell
from inspection_cell.errors import DataError
from inspection_cell.learning.datasets import files_sha256, load_dataset
from inspection_cell.learning.rendering import PartOrder, render_part
from inspection_cell.learning.synthesis import SynthesisPlan, synthesize
from inspection_cell.recipe import load_recipe
from inspection_cell.sim.labels import CLASSES
from inspection_cell.sim.seeds import Purpose

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


def images(data: Path, split: str) -> list[Path]:
    return [file.image for file in load_dataset(data).split(split)]


def contents(data: Path) -> tuple[str, str]:
    dataset = load_dataset(data)
    files = [file for split in dataset.splits.values() for file in split]
    return files_sha256(files, dataset.classes), (data.parent / 'parts.json').read_text()


def test_every_image_has_its_labels_and_lies_in_one_split(written):
    train, val = images(written.data, 'train'), images(written.data, 'val')
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
    assert load_dataset(written.data).classes == CLASSES
    assert cv2.imread(str(written.contact_sheet)).std() > 5
    assert written.boxes['screw'] > 0


def test_the_same_seed_gives_the_same_bytes(plan, written, tmp_path):
    again = synthesize(plan, tmp_path / 'again')
    assert contents(again.data) == contents(written.data)


def test_validation_parts_are_not_the_training_parts(written):
    train = {cv2.imread(str(p)).tobytes() for p in images(written.data, 'train')}
    val = {cv2.imread(str(p)).tobytes() for p in images(written.data, 'val')}
    assert not train & val


def test_a_folder_that_holds_files_is_refused(plan, written):
    with pytest.raises(DataError, match='empty folder'):
        synthesize(plan, written.data.parent)


def test_the_bytes_do_not_depend_on_the_number_of_workers(plan, written, tmp_path):
    again = synthesize(replace(plan, workers=2), tmp_path / 'again')
    assert contents(again.data) == contents(written.data)


@pytest.fixture(scope='module')
def tested(plan, tmp_path_factory):
    order = replace(plan, purpose='test', tile_px=None, label_kind='outlines', varied=False)
    return synthesize(order, tmp_path_factory.mktemp('data') / 'test')


def test_a_test_shows_whole_images_of_every_view_of_other_parts(plan, written, tested):
    truth = json.loads((tested.data.parent / 'parts.json').read_text())
    assert len(truth) == 2
    for part in truth:
        assert len(part['images']) == 6
        assert part['part_id'].startswith('test_')
        for image in part['images']:
            assert cv2.imread(str(tested.data.parent / image['file'])).shape == (240, 320, 3)
            for label, defect in zip(image['labels'], image['defects'], strict=True):
                assert label == ('screw' if defect is None else part['defects'][defect]['kind'])
    assert tested.train == 0
    assert load_dataset(tested.data).split('test')


def test_outlines_and_oriented_boxes_are_data_sets_of_their_tasks(plan, tested, tmp_path):
    assert load_dataset(tested.data).task == 'segment'
    order = replace(plan, purpose='test', tile_px=None, label_kind='oriented', varied=False)
    oriented = load_dataset(synthesize(order, tmp_path / 'set').data)
    assert oriented.task == 'obb'
    outlined = load_dataset(tested.data).split('test')
    for one, other in zip(oriented.split('test'), outlined, strict=True):
        assert one.truth.labels == other.truth.labels
        assert np.abs(one.truth.boxes - other.truth.boxes).max(initial=0.0) < 0.05


def test_the_own_look_keeps_the_dark_background_and_a_varied_one_does_not(plan, tested):
    def corners(data):
        files = [file.image for files in load_dataset(data).splits.values() for file in files]
        return np.array([cv2.imread(str(file))[:4, :4].mean() for file in files])

    assert corners(tested.data).max() < 12
    orders = [PartOrder(plan.cell, plan.recipes, Purpose.TEST, 5, n, 0.3, 0.4) for n in range(8)]
    looks = [
        float(image.pixels[:4, :4].mean())
        for order in orders
        for image in render_part(order).images
    ]
    assert max(looks) > 15
