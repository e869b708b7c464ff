"""The cell as Gazebo can play it: a cell file beside the world, so that yours need not lie.

Same name, poses, bins and deadlines; other is what the sensors are: every one is triggered by
std_msgs/Bool, images are raw, clouds have x forward, stamps are simulated time, and intrinsics
are those of the file: Gazebo's CameraInfo counts from the corner of a pixel, ours from its middle.
"""

from collections.abc import Sequence
from typing import TypeVar

import yaml

from inspection_cell.cell import (
    Camera,
    CameraIntrinsics,
    Cell,
    CellFile,
    ProcessSensor,
    Robot,
    Scanner,
    Stamp,
    Trigger,
)
from inspection_cell.errors import ConfigError, Problem
from inspection_cell.gazebo.lens import lens_problem
from inspection_cell.recipe import Recipe

# A frame may come before the clock that it is stamped with: both take their way over the bridge.
CLOCK_LAG_MS = 100.0

S = TypeVar('S', Camera, Scanner)


def cell_in_gazebo(cell: Cell, recipes: Sequence[Recipe]) -> CellFile:
    """The file's content for Gazebo; raises ConfigError with all that Gazebo cannot play."""
    for recipe in recipes:
        moved = [
            Problem(f'presentations.{name}.sensor_poses', sensor, 'sensors stand still in Gazebo')
            for name, held in recipe.file.presentations.items()
            for sensor in held.sensor_poses
        ]
        if moved:
            raise ConfigError(recipe.path, moved)
    problems = [
        problem for name, sensor in cell.sensors.items() for problem in _problems(name, sensor)
    ]
    if problems:
        raise ConfigError(cell.path, problems)
    cameras = {name: _camera(name, camera) for name, camera in cell.cameras.items()}
    scanners = {name: _scanner(name, scanner) for name, scanner in cell.scanners.items()}
    robot = Robot(action=cell.file.robot.action, timeout_s=cell.file.robot.timeout_s)
    return cell.file.model_copy(update={'sensors': {**cameras, **scanners}, 'robot': robot})


def cell_file_text(file: CellFile, origin: Cell) -> str:
    """The content of a `cell.yaml`."""
    content = yaml.safe_dump(
        file.model_dump(mode='json', exclude_defaults=True), sort_keys=False, allow_unicode=True
    )
    return f'# For Gazebo, made from {origin.path}; changes here are lost.\n{content}'


def _problems(name: str, sensor: Camera | Scanner | ProcessSensor) -> list[Problem]:
    key = f'sensors.{name}'
    if isinstance(sensor, ProcessSensor):
        return [Problem(key, 'process', 'Gazebo has no process signals; leave the sensor out')]
    problems = []
    if isinstance(sensor, Camera) and sensor.shots:
        allowed = 'Gazebo switches no lights; leave the shots out'
        problems.append(Problem(f'{key}.shots', ', '.join(sensor.shots), allowed))
    if sensor.nominal is None:
        problems.append(Problem(f'{key}.from_tf.nominal', 'missing', 'where it stands in Gazebo'))
    if sensor.intrinsics is None:
        problems.append(Problem(f'{key}.intrinsics', 'missing', 'required for Gazebo'))
    elif problem := lens_problem(sensor):
        problems.append(Problem(f'{key}.intrinsics', *problem))
    return problems


def _camera(name: str, camera: Camera) -> Camera:
    changes = {'transport': 'raw', 'camera_info_topic': '', 'calibration_file': ''}
    return _triggered(name, camera).model_copy(update=changes)


def _scanner(name: str, scanner: Scanner) -> Scanner:
    return _triggered(name, scanner).model_copy(update={'axes': 'x_forward'})


def _triggered(name: str, sensor: S) -> S:
    topic = sensor.trigger.topic or f'{name}/trigger'
    changes: dict[str, object] = {
        'trigger': Trigger(kind='software', topic=topic, message='bool'),
        'stamp': Stamp(uncertainty_ms=CLOCK_LAG_MS),
        'pose': sensor.nominal,
        'from_tf': None,
    }
    return sensor.model_copy(update=changes)


def intrinsics_of(sensor: Camera | Scanner) -> CameraIntrinsics:
    """Those of a sensor that `cell_in_gazebo` has let pass."""
    if sensor.intrinsics is None:
        raise AssertionError('checked before')
    return sensor.intrinsics
