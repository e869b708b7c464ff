"""Model folders: what is accepted, what is refused and in which words."""

from pathlib import Path

import pytest
import yaml

from inspection_cell.errors import ModelError
from inspection_cell.models import (
    ModelFile,
    Training,
    check_model_fits,
    file_sha256,
    find_model,
    load_model_folder,
    write_model_file,
)
from inspection_cell.recipe import Recipe, load_recipe


def write_folder(path: Path, classes: tuple[str, ...] = ('screw', 'scratch')) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    weights = path / 'weights.pt'
    weights.write_bytes(b'not a network, but bytes with a hash')
    training = Training(
        base='yolo26n.yaml',
        data='tiles',
        data_sha256='0' * 64,
        images=3,
        epochs=1,
        batch=2,
        seed=5,
        seconds=1.5,
        settings={'lr0': 0.002},
    )
    file = ModelFile(
        format=1,
        name='tiny',
        classes=classes,
        image_size=320,
        weights='weights.pt',
        weights_sha256=file_sha256(weights),
        licence='AGPL-3.0',
        training=training,
    )
    write_model_file(path, file)
    return path


def write_recipe(path: Path, model: str, label: str = 'scratch', feature: str = 'screw') -> Recipe:
    path.mkdir(parents=True, exist_ok=True)
    file = path / 'recipe.yaml'
    content = {
        'format': 1,
        'part_type': 'plate',
        'reference': 'none',
        'presentations': {
            'top': {'pose': {'position_mm': [0, 0, 0], 'rpy_deg': [0, 0, 0]}, 'sensors': ['left']}
        },
        'detection': {
            'model': model,
            'classes': {label: {}},
            'features': [{'label': feature, 'count': 2}],
        },
    }
    file.write_text(yaml.safe_dump(content))
    return load_recipe(file)


def test_a_written_folder_is_read_back_with_equal_content(tmp_path):
    folder = load_model_folder(write_folder(tmp_path / 'tiny'))
    assert folder.classes == ('screw', 'scratch')
    assert folder.file.training.settings == {'lr0': 0.002}
    assert folder.sha256 == file_sha256(folder.weights)


def test_a_folder_without_description_is_refused_by_name(tmp_path):
    with pytest.raises(ModelError, match=r'model\.yaml'):
        load_model_folder(tmp_path / 'nothing')


def test_one_changed_byte_in_the_weights_is_refused(tmp_path):
    path = write_folder(tmp_path / 'tiny')
    content = bytearray((path / 'weights.pt').read_bytes())
    content[3] ^= 1
    (path / 'weights.pt').write_bytes(content)
    with pytest.raises(ModelError, match='damaged or were exchanged'):
        load_model_folder(path)


def test_missing_weights_are_refused_by_name(tmp_path):
    path = write_folder(tmp_path / 'tiny')
    (path / 'weights.pt').unlink()
    with pytest.raises(ModelError, match=r'weights\.pt'):
        load_model_folder(path)


@pytest.mark.parametrize(
    ('change', 'word'),
    [
        ({'colour': 'red'}, 'colour'),
        ({'classes': ['screw', 'screw']}, 'classes'),
        ({'weights': '../elsewhere.pt'}, 'file name in this folder'),
        ({'weights_sha256': 'abc'}, 'weights_sha256'),
    ],
)
def test_a_wrong_description_is_refused_with_the_key(tmp_path, change, word):
    path = write_folder(tmp_path / 'tiny')
    content = yaml.safe_load((path / 'model.yaml').read_text())
    (path / 'model.yaml').write_text(yaml.safe_dump({**content, **change}))
    with pytest.raises(ModelError, match=word):
        load_model_folder(path)


def test_a_recipe_finds_its_own_model_folder(tmp_path):
    write_folder(tmp_path / 'recipes' / 'plate' / 'model')
    recipe = write_recipe(tmp_path / 'recipes' / 'plate', 'model')
    assert find_model(recipe) == (tmp_path / 'recipes' / 'plate' / 'model').resolve()


def test_a_model_in_the_data_folder_comes_before_the_shipped_one(tmp_path):
    write_folder(tmp_path / 'models' / 'tiny')
    promoted = write_folder(tmp_path / 'data' / 'models' / 'tiny')
    recipe = write_recipe(tmp_path / 'plate', '../models/tiny')
    assert find_model(recipe, tmp_path / 'data') == promoted
    assert find_model(recipe) == (tmp_path / 'models' / 'tiny').resolve()


def test_an_absent_model_is_refused_with_every_place_looked_at(tmp_path):
    recipe = write_recipe(tmp_path / 'plate', '../models/tiny')
    with pytest.raises(ModelError) as caught:
        find_model(recipe, tmp_path / 'data')
    assert str(tmp_path / 'data' / 'models' / 'tiny') in str(caught.value)
    assert str(tmp_path / 'models' / 'tiny') in str(caught.value)


def test_a_recipe_whose_labels_the_model_knows_fits(tmp_path):
    folder = load_model_folder(write_folder(tmp_path / 'tiny'))
    check_model_fits(write_recipe(tmp_path / 'plate', '../tiny'), folder)


@pytest.mark.parametrize(('label', 'feature'), [('rust', 'screw'), ('scratch', 'rivet')])
def test_a_label_that_the_model_lacks_is_named(tmp_path, label, feature):
    folder = load_model_folder(write_folder(tmp_path / 'tiny'))
    recipe = write_recipe(tmp_path / 'plate', '../tiny', label, feature)
    with pytest.raises(ModelError, match=r'(rust|rivet): not a class'):
        check_model_fits(recipe, folder)
