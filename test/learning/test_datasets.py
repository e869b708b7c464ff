"""Data sets in YOLO layout: found, checked with every problem at once, dealt into folds."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from inspection_cell.errors import DataError
from inspection_cell.learning.datasets import files_sha256, load_dataset
from inspection_cell.learning.folds import Fold, part
from inspection_cell.learning.staging import stage

BOX = '0 0.5 0.25 0.5 0.5\n'
CORNERS = '1 0.1 0.2 0.4 0.1 0.5 0.3 0.2 0.4\n'
OUTLINE = '1 0.1 0.2 0.4 0.1 0.5 0.3\n'


def add(folder: Path, name: str, text: str | None = None, split: str = 'train') -> None:
    """An image of 40 × 20 pixels, and a label file unless `text` is None."""
    for kind in ('images', 'labels'):
        (folder / split / kind).mkdir(parents=True, exist_ok=True)
    pixels = np.full((20, 40), len(name), dtype=np.uint8)
    cv2.imwrite(str(folder / split / 'images' / f'{name}.png'), pixels)
    if text is not None:
        (folder / split / 'labels' / f'{name}.txt').write_text(text)


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / 'classes.txt').write_text('dent\nscratch\n')
    add(tmp_path, 'a', BOX)
    return tmp_path


def test_a_box_becomes_its_corners_in_pixels(folder):
    truth = load_dataset(folder).split('train')[0].truth.in_pixels(40, 20)
    np.testing.assert_allclose(truth.boxes_px, [[10, 0, 30, 10]])
    assert truth.labels == ('dent',)
    assert truth.polygons_px == ()


def test_an_image_in_two_splits_is_told(folder):
    content = {'train': 'train/images', 'val': 'train/images', 'names': ['dent', 'scratch']}
    (folder / 'data.yaml').write_text(yaml.safe_dump(content))
    with pytest.raises(DataError, match=r'a\.png: expected in one split, it is in train and val'):
        load_dataset(folder)


def test_a_split_that_is_listed_but_not_there_is_told(folder):
    content = {'train': 'train/images', 'val': 'vall/images', 'names': ['dent', 'scratch']}
    (folder / 'data.yaml').write_text(yaml.safe_dump(content))
    with pytest.raises(DataError, match='vall/images: expected a folder of images'):
        load_dataset(folder)


def test_names_by_other_keys_than_numbers_are_told(folder):
    content = {'train': 'train/images', 'names': {0: 'dent', 'x': 'scratch'}}
    (folder / 'data.yaml').write_text(yaml.safe_dump(content))
    with pytest.raises(DataError, match='names: expected the indices'):
        load_dataset(folder)


def test_the_trainer_sees_images_of_other_depths_as_the_cell_does(folder, tmp_path):
    deep = np.tile(np.arange(40, dtype=np.uint16) * 100, (20, 1))
    cv2.imwrite(str(folder / 'train' / 'images' / 'a.png'), deep)
    files = load_dataset(folder).split('train')
    staged = load_dataset(stage({'train': files}, ('dent', 'scratch'), tmp_path / 'staged'))
    (shown,) = staged.split('train')
    pixels = cv2.imread(str(shown.image), cv2.IMREAD_UNCHANGED)
    assert pixels.dtype == np.uint8
    assert pixels.min() == 0
    assert pixels.max() == 255


def test_an_image_without_a_label_file_is_free_of_defects(folder):
    add(folder, 'b')
    assert [len(file.truth) for file in load_dataset(folder).split('train')] == [1, 0]


@pytest.mark.parametrize(
    ('rows', 'task'), [(BOX, 'detect'), (CORNERS, 'obb'), (OUTLINE + CORNERS, 'segment')]
)
def test_the_labels_say_what_task_they_teach(folder, rows, task):
    add(folder, 'a', rows)
    dataset = load_dataset(folder)
    assert dataset.task == task
    polygons = dataset.split('train')[0].truth.polygons
    assert len(polygons) == (0 if task == 'detect' else rows.count('\n'))


def test_outlines_are_boxes_for_a_network_of_boxes(folder):
    add(folder, 'a', BOX + OUTLINE)
    truth = load_dataset(folder, 'detect').split('train')[0].truth
    np.testing.assert_allclose(truth.boxes, [[0.25, 0, 0.75, 0.5], [0.1, 0.1, 0.5, 0.3]])
    assert truth.polygons == ()


@pytest.mark.parametrize('layout', ['train/images', 'images/train', 'data.yaml', 'list', 'flat'])
def test_every_layout_gives_the_same_images(tmp_path, layout):
    source = tmp_path / 'source'
    add(source, 'a', BOX)
    add(source, 'b', BOX.replace('0', '1', 1))
    target = tmp_path / 'target'
    target.mkdir()
    (target / 'classes.txt').write_text('dent\nscratch\n')
    places = {
        'images/train': ('images/train', 'labels/train'),
        'flat': ('images', 'labels'),
    }.get(layout, ('train/images', 'train/labels'))
    for kind, place in zip(('images', 'labels'), places, strict=True):
        (target / place).parent.mkdir(parents=True, exist_ok=True)
        (source / 'train' / kind).rename(target / place)
    if layout in ('data.yaml', 'list'):
        listed = target / 'train/images' / 'a.png', target / 'train/images' / 'b.png'
        (target / 'train.txt').write_text('\n'.join(map(str, listed)))
        train = 'train.txt' if layout == 'list' else 'train/images'
        content = {'train': train, 'names': {0: 'dent', 1: 'scratch'}}
        (target / 'data.yaml').write_text(yaml.safe_dump(content))
    dataset = load_dataset(target)
    assert dataset.classes == ('dent', 'scratch')
    assert [file.image.stem for file in dataset.split('train')] == ['a', 'b']
    assert [file.truth.labels for file in dataset.split('train')] == [('dent',), ('scratch',)]


def test_every_bad_label_is_named_with_its_file_and_line_at_once(folder):
    rows = [
        '2 0.5 0.5 0.1 0.1',
        '0 0.5 1.5 0.1 0.1',
        '0 nan 0.5 0.1 0.1',
        '0 0.5 0.5 0.1',
        '0 0.5 0.5 0 0.1',
        'dent 0.5 0.5 0.1 0.1',
        '0.5 0.5 0.5 0.1 0.1',
        BOX.strip(),
    ]
    add(folder, 'bad', '\n'.join(rows))
    (folder / 'train' / 'labels' / 'lonely.txt').write_text(BOX)
    (folder / 'train' / 'images' / 'torn.png').write_bytes(b'no image')
    with pytest.raises(DataError) as caught:
        load_dataset(folder)
    lines = str(caught.value).splitlines()
    assert [f'bad.txt:{number}:' in line for number, line in enumerate(lines[:7], 1)] == [True] * 7
    assert ['torn.png' in line or 'lonely.txt' in line for line in lines[7:]] == [True, True]


def test_plain_boxes_cannot_teach_oriented_ones(folder):
    with pytest.raises(DataError, match=r'a\.txt:1: expected a class and four corners'):
        load_dataset(folder, 'obb')


def test_a_missing_split_names_those_that_are_there(folder):
    with pytest.raises(DataError, match="split 'val'; found splits: train"):
        load_dataset(folder).split('val')


def test_a_missing_listed_image_is_refused(folder):
    (folder / 'train.txt').write_text('train/images/gone.png\n')
    (folder / 'data.yaml').write_text('train: train.txt\nnames: [dent, scratch]\n')
    with pytest.raises(DataError, match=r'gone\.png: expected a readable image'):
        load_dataset(folder)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('just words', 'expected a mapping'),
        ('train: x', 'expected `names`'),
        ('names: {0: a, 2: b}', 'expected the indices'),
        ('names: [a, a]', 'differ from each other'),
        ('names: [a]\ntask: pose', 'expected detect, obb, segment'),
    ],
)
def test_a_bad_data_yaml_is_refused(tmp_path, text, message):
    (tmp_path / 'data.yaml').write_text(text)
    with pytest.raises(DataError, match=message):
        load_dataset(tmp_path / 'data.yaml')


def test_the_hash_changes_with_any_label_and_any_pixel(folder):
    def sha256() -> str:
        dataset = load_dataset(folder)
        return files_sha256(dataset.split('train'), dataset.classes)

    hashes = [sha256()]
    add(folder, 'a', BOX.replace('0.25', '0.26'))
    hashes.append(sha256())
    cv2.imwrite(str(folder / 'train' / 'images' / 'a.png'), np.zeros((20, 40), dtype=np.uint8))
    hashes.append(sha256())
    assert len(set(hashes)) == 3


def test_staged_labels_say_the_same_and_the_source_stays_untouched(folder, tmp_path_factory):
    add(folder, 'b', CORNERS)
    dataset = load_dataset(folder, 'detect')
    before = sorted(folder.rglob('*'))
    files = {'train': dataset.split('train'), 'val': dataset.split('train')[:1]}
    staged = load_dataset(stage(files, dataset.classes, tmp_path_factory.mktemp('staged') / 'x'))
    assert sorted(folder.rglob('*')) == before
    for name, expected in files.items():
        for one, other in zip(expected, staged.split(name), strict=True):
            np.testing.assert_allclose(one.truth.boxes, other.truth.boxes, atol=1e-6)
            assert one.truth.labels == other.truth.labels
            assert one.image.read_bytes() == other.image.read_bytes()


def test_folds_hold_each_image_out_once_with_every_class_in_each(folder):
    for index in range(20):
        add(folder, f'dent{index}', BOX)
        add(folder, f'clean{index}')
    for index in range(5):
        add(folder, f'scratch{index}', BOX + '1 0.5 0.5 0.1 0.1\n')
    files = load_dataset(folder).split('train')
    parted = [part(files, Fold(5, index, seed=3)) for index in range(5)]
    held_out = Counter(file.image for one in parted for file in one.val)
    assert held_out == Counter(file.image for file in files)
    for one in parted:
        assert not {file.image for file in one.val} & {file.image for file in one.train}
        seen = Counter(label for file in one.val for label in set(file.truth.labels))
        assert seen['scratch'] == 1
        assert sum(not len(file.truth) for file in one.val) == 4


def test_folds_depend_on_the_seed_alone(folder):
    for index in range(20):
        add(folder, f'dent{index}', BOX)
    files = load_dataset(folder).split('train')
    first = part(files, Fold(5, 0, seed=3))
    assert part(files[::-1], Fold(5, 0, seed=3)) == first
    assert part(files, Fold(5, 0, seed=4)) != first
