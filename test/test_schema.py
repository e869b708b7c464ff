"""YAML at the door: refused completely, with every problem, or taken as it stands."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_cell.errors import ConfigError
from inspection_cell.geometry import from_rpy, to_quaternion
from inspection_cell.schema import Name, Pose, StrictModel, Vector, load_yaml


class Sample(StrictModel):
    """A small file format."""

    name: Name
    size_mm: Vector
    count: int = 1
    gain: float = 1.0
    pose: Pose | None = None


GOOD = 'name: left\nsize_mm: [1, 2.5, 3]\n'


def load(folder, text):
    path = folder / 'sample.yaml'
    path.write_text(text, encoding='utf-8')
    return load_yaml(path, Sample)


def problems(folder, text):
    with pytest.raises(ConfigError) as caught:
        load(folder, text)
    assert all(line.startswith(str(caught.value.file)) for line in str(caught.value).split('\n'))
    return {problem.key: problem for problem in caught.value.problems}


def test_a_good_file_gives_its_values_and_the_hash_of_its_bytes(tmp_path):
    sample, sha256 = load(tmp_path, GOOD)
    assert sample == Sample(name='left', size_mm=(1.0, 2.5, 3.0))
    assert sha256 == hashlib.sha256(GOOD.encode()).hexdigest()


def test_all_problems_are_told_at_once_with_key_value_and_what_is_allowed(tmp_path):
    found = problems(tmp_path, 'name: Left!\nsize_mm: [1, .nan, 3]\ngian: 2\ncount: many\n')
    assert set(found) == {'name', 'size_mm.1', 'gian', 'count'}
    assert found['name'].value == "'Left!'"
    assert 'pattern' in found['name'].allowed
    assert 'finite' in found['size_mm.1'].allowed
    assert found['gian'].allowed.startswith('unknown key')
    assert 'integer' in found['count'].allowed


@pytest.mark.parametrize('number', ['010', '1:30', '1_0', '0x1F', '0b11', '012.5', '1_000.5'])
def test_numbers_that_yaml_would_read_as_others_are_refused(tmp_path, number):
    (problem,) = problems(tmp_path, f'{GOOD}gain: {number}\n').values()
    assert f'{number}: expected a plain decimal number' in str(problem)


@pytest.mark.parametrize('number', ['10', '-3', '+2', '0', '0.5', '.5', '5.', '1.5e+3', '-0.25'])
def test_plain_numbers_are_what_they_look_like(tmp_path, number):
    sample, _ = load(tmp_path, f'{GOOD}gain: {number}\n')
    assert sample.gain == float(number)


def test_missing_keys_are_named(tmp_path):
    assert str(problems(tmp_path, 'name: left\n')['size_mm']) == 'size_mm: missing: required'


@pytest.mark.parametrize(
    'text', ['gain: yes', "gain: '5'", 'gain: .inf', 'count: 1.5', 'count: true']
)
def test_no_value_is_silently_turned_into_a_number(tmp_path, text):
    assert set(problems(tmp_path, GOOD + text)) == {text.split(':')[0]}


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        (GOOD + 'name: right\n', "'name' is given twice"),
        (GOOD + 'pose: {position_mm: [0, 0, 0], position_mm: [1, 0, 0]}\n', 'given twice'),
        (GOOD + 'on: 1\n', 'must be text'),
        (GOOD + '? [a]\n: 1\n', 'unhashable'),
        ('name: [', 'parsing'),
        ('- left\n', 'list'),
        ('', 'NoneType'),
        ('name: 2026-99-99\n', 'month'),
        ('name: 2026-01-01\n', 'date'),
    ],
)
def test_files_that_are_no_plain_mapping_are_refused(tmp_path, text, words):
    problem = problems(tmp_path, text)['(file)']
    assert words in problem.value


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path):
    with pytest.raises(ConfigError, match='No such file'):
        load_yaml(tmp_path / 'absent.yaml', Sample)
    (tmp_path / 'binary.yaml').write_bytes(b'\xff\xfe\x00\xd8')
    with pytest.raises(ConfigError, match=r'binary\.yaml'):
        load_yaml(tmp_path / 'binary.yaml', Sample)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(text=st.text(st.sampled_from('name: size_m\n[]{}&*!|>-?"\'#%@01.~'), max_size=60))
def test_any_text_is_refused_with_a_config_error_or_taken(tmp_path_factory, text):
    folder = tmp_path_factory.getbasetemp()
    try:
        load(folder, GOOD + text)
    except ConfigError as error:
        assert error.problems


def test_merge_keys_of_yaml_may_be_overridden(tmp_path):
    text = GOOD + 'pose: {<<: {rpy_deg: [0, 0, 9]}, rpy_deg: [0, 0, 5], position_mm: [0, 0, 0]}\n'
    assert load(tmp_path, text)[0].pose.rpy_deg == (0.0, 0.0, 5.0)


def test_the_three_ways_to_give_a_pose_agree():
    turned = from_rpy((0.1, 0.0, 0.5), np.radians((180.0, 0.0, 90.0)))
    by_angles = Pose(position_mm=(100, 0, 500), rpy_deg=(180, 0, 90))
    by_quaternion = Pose(
        position_mm=(100, 0, 500), quaternion_xyzw=tuple(to_quaternion(turned)[1])
    )
    assert np.allclose(by_angles.transform(), turned)
    assert np.allclose(by_quaternion.transform(), turned)
    looking = Pose(position_mm=(100, 0, 500), look_at_mm=(100, 0, 0)).transform()
    assert np.allclose(looking[:3, 2], (0, 0, -1))


@pytest.mark.parametrize(
    'orientation',
    [
        {},
        {'rpy_deg': (0, 0, 0), 'quaternion_xyzw': (0, 0, 0, 1)},
        {'quaternion_xyzw': (0, 0, 0, 2)},
        {'look_at_mm': (1, 2, 3)},
    ],
)
def test_a_pose_has_exactly_one_possible_orientation(orientation):
    with pytest.raises(ValueError, match=r'exactly one|length 1|differ'):
        Pose(position_mm=(1, 2, 3), **orientation)
