"""Lights and lighting sequences in `cell.yaml`, and what a recipe says about their shots."""

import pytest
import yaml

from inspection_cell.cell import load_cell
from inspection_cell.errors import ConfigError
from inspection_cell.recipe import check_fit, load_recipe

LIGHTS = {
    'ring': {'topic': 'plc/light_1', 'settle_ms': 30},
    'bar': {'topic': 'plc/light_2', 'settle_ms': 50, 'position_mm': [200, 400, 340]},
}
SHOTS = {'bright': {'lights': ['ring']}, 'dark': {'lights': ['bar']}}
EXPOSURE = {'topic': 'left/exposure_us', 'settle_ms': 10}


def write(folder, lights=LIGHTS, shots=SHOTS, **camera):
    left = {
        'kind': 'camera',
        'topic': 'left/image_raw',
        'camera_info_topic': 'left/camera_info',
        'pose': {'position_mm': [0, 0, 500], 'look_at_mm': [0, 0, 0]},
        'shots': shots,
        **camera,
    }
    right = {**left, 'topic': 'right/image_raw', 'shots': {}}
    right.pop('exposure', None)
    sensors = {'left': left, 'right': right}
    path = folder / 'cell.yaml'
    content = {'format': 1, 'name': 'lit', 'lights': lights, 'sensors': sensors}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def problems(load, *given):
    with pytest.raises(ConfigError) as caught:
        load(*given)
    return {problem.key: str(problem) for problem in caught.value.problems}


def test_shots_are_taken_in_the_order_of_the_file(tmp_path):
    cell = load_cell(write(tmp_path, shots={'dark': SHOTS['dark'], 'bright': SHOTS['bright']}))
    assert list(cell.cameras['left'].shots) == ['dark', 'bright']
    assert cell.cameras['right'].shots == {}
    assert cell.file.lights['ring'].position_mm is None


@pytest.mark.parametrize(
    ('shots', 'camera', 'words'),
    [
        ({'a': {'lights': ['ring']}, 'b': {'lights': ['ring']}}, {}, 'shots a and b are the same'),
        (
            {'a': {'lights': ['ring', 'bar']}, 'b': {'lights': ['bar', 'ring']}},
            {},
            'shots a and b are the same',
        ),
        ({'a': {'exposure_us': 900}}, {}, 'needs the key exposure'),
        ({'a': {'exposure_us': 900}, 'b': {}}, {'exposure': EXPOSURE}, 'each shot needs exposure'),
        ({}, {'exposure': EXPOSURE}, 'each shot needs exposure'),
        ({'a': {'exposure_us': 0}}, {'exposure': EXPOSURE}, 'greater than 0'),
        ({f's{n}': {'exposure_us': n + 1} for n in range(17)}, {}, 'at most 16 shots'),
        ({'a': {'light': ['ring']}}, {}, 'unknown key'),
    ],
)
def test_a_sequence_that_cannot_be_meant_is_refused(tmp_path, shots, camera, words):
    told = problems(load_cell, write(tmp_path, shots=shots, **camera))
    assert words in ' '.join(told.values())
    assert all(key.startswith('sensors.left') for key in told)


def test_the_same_lights_with_two_exposure_times_are_two_shots(tmp_path):
    shots = {n: {'lights': ['ring'], 'exposure_us': us} for n, us in (('a', 500), ('b', 9000))}
    cell = load_cell(write(tmp_path, shots=shots, exposure=EXPOSURE))
    assert [shot.exposure_us for shot in cell.cameras['left'].shots.values()] == [500, 9000]


def test_lights_that_nobody_has_and_topics_of_two_lights_are_told_together(tmp_path):
    lights = {**LIGHTS, 'bar': {'topic': 'plc/light_1', 'settle_ms': 5}}
    shots = {**SHOTS, 'blue': {'lights': ['uv', 'bar']}}
    told = problems(load_cell, write(tmp_path, lights, shots))
    assert 'plc/light_1' in told['lights']
    assert told['sensors.left.shots.blue.lights'].endswith('uv: one of the lights: ring, bar')


def test_a_deadline_in_which_the_lights_cannot_even_settle_is_refused(tmp_path):
    told = problems(load_cell, write(tmp_path, deadline_s=0.08))
    assert (
        'more than what its shots wait for their lights: 0.08 s' in told['sensors.left.deadline_s']
    )
    load_cell(write(tmp_path, deadline_s=0.09))


def recipe(folder, shots, sensors=('left', 'right')):
    content = {
        'format': 1,
        'part_type': 'plate',
        'reference': 'none',
        'presentations': {
            'top': {
                'pose': {'position_mm': [0, 0, 0], 'rpy_deg': [0, 0, 0]},
                'sensors': list(sensors),
            }
        },
        'detection': {
            'model': 'm',
            'classes': {'scratch': {}, 'stain': {}},
            'features': [{'label': 'screw', 'count': 1}],
            'shots': shots,
        },
    }
    path = folder / 'recipe.yaml'
    path.write_text(yaml.safe_dump(content))
    return path


def test_without_a_word_every_shot_looks_for_everything_and_the_first_proves_presence(tmp_path):
    detection = load_recipe(recipe(tmp_path, {})).file.detection
    assert detection.look('bright').labels is None
    assert detection.proving(['bright', 'dark']) == ('bright',)
    check_fit(load_recipe(recipe(tmp_path, {})), load_cell(write(tmp_path)))


def test_a_recipe_may_say_what_counts_in_which_shot(tmp_path):
    shots = {'dark': {'labels': ['scratch']}, 'bright': {'presence': True}}
    loaded = load_recipe(recipe(tmp_path, shots))
    check_fit(loaded, load_cell(write(tmp_path)))
    assert loaded.file.detection.proving(['dark', 'bright']) == ('bright',)


@pytest.mark.parametrize(
    ('shots', 'key', 'words'),
    [
        ({'blue': {}}, 'detection.shots', 'blue: a shot of a camera that looks: bright, dark'),
        (
            {'dark': {'labels': ['scratch']}, 'bright': {'labels': ['screw', 'scratch']}},
            'detection.shots',
            'stain: each class and feature is looked for in at least one shot of left',
        ),
        (
            {'bright': {'labels': ['scratch', 'stain']}},
            'detection.shots.bright.labels',
            'left proves presence in this shot',
        ),
    ],
)
def test_a_recipe_whose_shots_do_not_fit_the_cell_is_refused(tmp_path, shots, key, words):
    loaded = load_recipe(recipe(tmp_path, shots))
    assert words in problems(check_fit, loaded, load_cell(write(tmp_path)))[key]


def test_a_shot_of_a_camera_that_does_not_look_is_no_shot_of_the_recipe(tmp_path):
    loaded = load_recipe(recipe(tmp_path, {'dark': {}}, sensors=['right']))
    told = problems(check_fit, loaded, load_cell(write(tmp_path)))
    assert 'there is none' in told['detection.shots']


def test_a_label_that_the_recipe_does_not_know_is_refused(tmp_path):
    told = problems(load_recipe, recipe(tmp_path, {'dark': {'labels': ['dent']}}))
    assert "shots.dark.labels: 'dent' is no class or feature" in ' '.join(told.values())
