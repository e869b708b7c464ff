"""Model folders: what is accepted, what is refused and in which words."""

import shutil
from pathlib import Path

import pytest
import yaml

from inspection_cell.errors import ConfigError, ModelError
from inspection_cell.models import (
    Export,
    ModelFile,
    Parity,
    Training,
    check_model_fits,
    export_sha256,
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


def with_export(path: Path, **changes: object) -> Path:
    """The same folder with a proven export of two files."""
    written = path / 'exports' / 'fp32_openvino_model'
    written.mkdir(parents=True)
    (written / 'weights.xml').write_text('layers')
    (written / 'weights.bin').write_bytes(b'numbers')
    file = load_model_folder(path).file
    parity = Parity(
        challenge_sha256='1' * 64,
        weights_sha256=file.weights_sha256,
        images=3,
        boxes=20,
        unmatched_share=0,
        max_score_difference=0.001,
        map50_difference=0,
        ms_per_image=1,
        trained_ms_per_image=2,
        machine='test',
    )
    export = Export(
        path='exports/fp32_openvino_model',
        sha256=export_sha256(written),
        backend='openvino',
        precision='fp32',
        end_to_end=True,
        parity=parity,
    )
    export = Export.model_validate({**export.model_dump(), **changes})
    write_model_file(path, file.model_copy(update={'exports': (export,)}))
    return path


def write_recipe(
    path: Path,
    model: str,
    label: str = 'scratch',
    feature: str = 'screw',
    **detection: object,
) -> Recipe:
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
            **detection,
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
    with pytest.raises(ModelError, match='damaged or exchanged'):
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
    promoted = write_folder(tmp_path / 'data' / 'models' / 'plate')
    recipe = write_recipe(tmp_path / 'plate', '../models/tiny')
    assert find_model(recipe, tmp_path / 'data') == promoted
    assert find_model(recipe) == (tmp_path / 'models' / 'tiny').resolve()


def test_an_absent_model_is_refused_with_every_place_looked_at(tmp_path):
    recipe = write_recipe(tmp_path / 'plate', '../models/tiny')
    with pytest.raises(ModelError) as caught:
        find_model(recipe, tmp_path / 'data')
    assert str(tmp_path / 'data' / 'models' / 'plate') in str(caught.value)
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


def test_a_class_of_the_model_that_the_recipe_names_nowhere_is_refused(tmp_path):
    classes = ('screw', 'scratch', 'stain')
    folder = load_model_folder(write_folder(tmp_path / 'tiny', classes))
    with pytest.raises(ModelError, match=r'stain of .* named nowhere'):
        check_model_fits(write_recipe(tmp_path / 'plate', '../tiny'), folder)


def test_a_class_that_the_recipe_ignores_by_name_is_no_problem(tmp_path):
    classes = ('screw', 'scratch', 'stain')
    folder = load_model_folder(write_folder(tmp_path / 'tiny', classes))
    check_model_fits(write_recipe(tmp_path / 'plate', '../tiny', ignore=['stain']), folder)


def test_a_class_that_is_ignored_and_limited_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"'scratch' is a class or feature too"):
        write_recipe(tmp_path / 'plate', '../tiny', ignore=['scratch'])


@pytest.mark.parametrize(
    ('size', 'word'), [(500, 'multiple of 32, such as 480 or 512'), (256, 'at least 320')]
)
def test_an_image_size_that_the_model_cannot_use_is_refused(tmp_path, size, word):
    folder = load_model_folder(write_folder(tmp_path / 'tiny'))
    with pytest.raises(ModelError, match=word):
        check_model_fits(write_recipe(tmp_path / 'plate', '../tiny', image_size=size), folder)


@pytest.mark.parametrize('size', [320, 640, None])
def test_the_image_size_of_the_training_or_more_fits(tmp_path, size):
    folder = load_model_folder(write_folder(tmp_path / 'tiny'))
    check_model_fits(write_recipe(tmp_path / 'plate', '../tiny', image_size=size), folder)


def test_all_that_does_not_fit_is_told_at_once(tmp_path):
    folder = load_model_folder(write_folder(tmp_path / 'tiny'))
    recipe = write_recipe(tmp_path / 'plate', '../tiny', 'rust', 'rivet', image_size=100)
    with pytest.raises(ModelError) as caught:
        check_model_fits(recipe, folder)
    lines = str(caught.value).splitlines()
    for word in ('rust', 'rivet', 'screw', 'scratch', 'multiple of 32', 'at least 320'):
        assert any(word in line for line in lines), word
    assert all(line.startswith(str(recipe.path)) for line in lines)


def test_a_proven_export_is_given_with_its_place(tmp_path):
    folder = load_model_folder(with_export(write_folder(tmp_path / 'tiny')))
    (export,) = folder.exports
    assert folder.export_path(export) == folder.path / 'exports' / 'fp32_openvino_model'


@pytest.mark.parametrize('name', ['weights.xml', 'weights.bin'])
def test_one_changed_byte_in_an_export_is_refused(tmp_path, name):
    folder = load_model_folder(with_export(write_folder(tmp_path / 'tiny')))
    place = folder.path / 'exports' / 'fp32_openvino_model' / name
    content = bytearray(place.read_bytes())
    content[2] ^= 1
    place.write_bytes(content)
    with pytest.raises(ModelError, match='damaged or exchanged; export again'):
        folder.export_path(folder.exports[0])


def test_a_file_added_to_an_export_is_refused(tmp_path):
    folder = load_model_folder(with_export(write_folder(tmp_path / 'tiny')))
    (folder.path / 'exports' / 'fp32_openvino_model' / 'more.xml').write_text('another network')
    with pytest.raises(ModelError, match='damaged or exchanged'):
        folder.export_path(folder.exports[0])


def test_missing_weights_and_a_missing_export_are_told_at_once(tmp_path):
    path = with_export(write_folder(tmp_path / 'tiny'))
    (path / 'weights.pt').unlink()
    shutil.rmtree(path / 'exports')
    with pytest.raises(ModelError, match=r'(?s)weights\.pt.*fp32_openvino_model'):
        load_model_folder(path)


def test_truncated_weights_are_refused(tmp_path):
    path = write_folder(tmp_path / 'tiny')
    content = (path / 'weights.pt').read_bytes()
    (path / 'weights.pt').write_bytes(content[:-5])
    with pytest.raises(ModelError, match='damaged or exchanged; copy the whole folder again'):
        load_model_folder(path)


@pytest.mark.parametrize('text', ['a: [1', '- only\n- a list\n', '\x00\x01'])
def test_a_description_that_is_no_yaml_mapping_is_refused(tmp_path, text):
    path = write_folder(tmp_path / 'tiny')
    (path / 'model.yaml').write_text(text)
    with pytest.raises(ModelError, match=r'model\.yaml'):
        load_model_folder(path)


@pytest.mark.parametrize('path', ['/etc/passwd', '../other', 'exports/../../other', ''])
def test_an_export_outside_the_folder_is_refused(tmp_path, path):
    folder = with_export(write_folder(tmp_path / 'tiny'))
    content = yaml.safe_load((folder / 'model.yaml').read_text())
    content['exports'][0]['path'] = path
    (folder / 'model.yaml').write_text(yaml.safe_dump(content))
    with pytest.raises(ModelError, match='must lie in this folder'):
        load_model_folder(folder)


def test_an_export_with_problems_or_without_a_proof_is_not_given(tmp_path):
    bare = load_model_folder(with_export(write_folder(tmp_path / 'bare'), parity=None))
    parity = load_model_folder(with_export(write_folder(tmp_path / 'fine'))).exports[0].parity
    assert parity is not None
    refused = {**parity.model_dump(), 'problems': ['scores differ']}
    wrong = load_model_folder(with_export(write_folder(tmp_path / 'wrong'), parity=refused))
    assert bare.exports == wrong.exports == ()


def test_the_hash_of_an_export_sees_names_too(tmp_path):
    for folder, name in (('one', 'a.bin'), ('two', 'b.bin')):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_bytes(b'same')
    assert export_sha256(tmp_path / 'one') != export_sha256(tmp_path / 'two')
    assert export_sha256(tmp_path / 'one' / 'a.bin') == file_sha256(tmp_path / 'one' / 'a.bin')


def test_a_damaged_promoted_model_does_not_give_way_to_the_shipped_one(tmp_path):
    write_folder(tmp_path / 'models' / 'tiny')
    (tmp_path / 'data' / 'models' / 'plate').mkdir(parents=True)
    recipe = write_recipe(tmp_path / 'plate', '../models/tiny')
    with pytest.raises(ModelError, match='expected the promoted model'):
        find_model(recipe, tmp_path / 'data')
