"""What becomes of a cell in Gazebo, and which cells cannot be played there."""

from dataclasses import replace

import pytest
import yaml

from inspection_cell.bringup import load_recipes
from inspection_cell.cell import StampMeaning, load_cell
from inspection_cell.errors import ConfigError
from inspection_cell.gazebo.cell_in_gazebo import cell_file_text, cell_in_gazebo
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.recipe import check_fit
from inspection_cell.schema import Pose

LENS = {'width': 640, 'height': 480, 'fx': 900, 'fy': 900, 'cx': 320, 'cy': 240}


def edited(folder, **changes):
    """The demo cell with other contents for some of its sensors; None takes one away."""
    content = yaml.safe_load(demo_cell().read_text())
    for name, values in changes.items():
        if values is None:
            del content['sensors'][name]
        else:
            former = content['sensors'].get(name, {})
            merged = {**former, **values}
            content['sensors'][name] = {k: v for k, v in merged.items() if v is not None}
    path = folder / 'cell.yaml'
    path.write_text(yaml.safe_dump(content))
    return load_cell(path)


def problems(cell, recipes=()):
    with pytest.raises(ConfigError) as caught:
        cell_in_gazebo(cell, recipes)
    return {problem.key: str(problem) for problem in caught.value.problems}


def test_the_written_cell_keeps_what_it_is_and_says_how_gazebos_sensors_are(written):
    cell, recipes, files = written
    played = load_cell(files.cell)
    assert played.file.name == cell.file.name
    assert (played.file.disposition, played.file.limits) == (
        cell.file.disposition,
        cell.file.limits,
    )
    assert played.file.robot.led_by == 'cell'
    for recipe in recipes:
        check_fit(recipe, played)
    for name, sensor in played.posed_sensors.items():
        given = cell.posed_sensors[name]
        assert (sensor.topic, sensor.deadline_s) == (given.topic, given.deadline_s)
        assert (sensor.pose, sensor.from_tf) == (given.nominal, None)
        assert sensor.intrinsics == given.intrinsics
        assert (sensor.trigger.kind, sensor.trigger.message) == ('software', 'bool')
        assert sensor.stamp.meaning is StampMeaning.EXPOSURE_START
    assert all(scanner.axes == 'x_forward' for scanner in played.scanners.values())
    assert all(camera.transport == 'raw' for camera in played.cameras.values())
    assert not any(camera.camera_info_topic for camera in played.cameras.values())


def test_your_cell_still_says_what_your_sensors_are(written):
    cell, _, files = written
    assert load_cell(cell.path) == cell
    assert files.cell != cell.path
    assert all(scanner.axes == 'optical' for scanner in cell.scanners.values())


@pytest.mark.parametrize(
    ('changes', 'key', 'words'),
    [
        ({'left': {'intrinsics': None}}, 'sensors.left.intrinsics', 'required'),
        (
            {'scanner': {'intrinsics': LENS | {'distortion': [0.1, 0, 0, 0]}}},
            'sensors.scanner.intrinsics',
            'depth sensors have no distortion',
        ),
        (
            {
                'left': {
                    'intrinsics': LENS
                    | {'distortion_model': 'equidistant', 'distortion': [0, 0, 0, 0]}
                }
            },
            'sensors.left.intrinsics',
            'plumb_bob only',
        ),
        (
            {
                'left': {
                    'intrinsics': LENS
                    | {'distortion_model': 'rational_polynomial', 'distortion': [0.1] * 8}
                }
            },
            'sensors.left.intrinsics',
            'plumb_bob only',
        ),
        ({'left': {'intrinsics': LENS | {'fx': 9000}}}, 'sensors.left.intrinsics', '4.07°'),
        ({'left': {'pose': None, 'from_tf': {}}}, 'sensors.left.from_tf.nominal', 'missing'),
        (
            {'force': {'kind': 'process', 'topic': 'force', 'unit': 'N'}},
            'sensors.force',
            'no process signals',
        ),
    ],
)
def test_what_gazebo_cannot_play_is_refused_with_the_key(tmp_path, changes, key, words):
    found = problems(edited(tmp_path, **changes))
    assert [*found] == [key]
    assert words in found[key]


def test_all_that_gazebo_cannot_play_is_told_at_once(tmp_path):
    cell = edited(
        tmp_path,
        left={'intrinsics': None},
        right={'intrinsics': LENS | {'fx': 9000}},
        scanner={'intrinsics': None},
    )
    keys = {f'sensors.{name}.intrinsics' for name in ('left', 'right', 'scanner')}
    assert {*problems(cell)} == keys


def test_sensors_that_move_with_the_recipe_are_refused(tmp_path):
    nominal = {'position_mm': [0, 0, 700], 'rpy_deg': [180, 0, 0]}
    cell = edited(tmp_path, left={'pose': None, 'from_tf': {'nominal': nominal}})
    recipe = load_recipes(cell, demo_recipes())[0]
    assert cell_in_gazebo(cell, [recipe])
    moved = {'left': Pose(position_mm=(0.0, 0.0, 600.0), rpy_deg=(180.0, 0.0, 0.0))}
    held = {
        name: one.model_copy(update={'sensor_poses': moved})
        for name, one in recipe.file.presentations.items()
    }
    file = recipe.file.model_copy(update={'presentations': held})
    found = problems(cell, [replace(recipe, file=file)])
    assert {*found} == {'presentations.top.sensor_poses', 'presentations.tilted.sensor_poses'}


def test_the_text_of_a_cell_is_that_cell(tmp_path):
    cell = load_cell(demo_cell())
    (tmp_path / 'cell.yaml').write_text(cell_file_text(cell.file, cell))
    assert load_cell(tmp_path / 'cell.yaml').file == cell.file
