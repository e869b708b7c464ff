"""The same cell twice: once the robot moves the part, once it moves the sensors around it.

Seen from the sensors nothing differs: what one says must be what the other says.
"""

from inspection_cell.geometry import invert, to_quaternion
from inspection_cell.schema import Pose


def with_moved_sensors(cell, recipe, *sensors):
    """The contents of cell.yaml and recipe.yaml with the part held still and the sensors moved.

    The part stays in the pose of the first presentation. The sensors keep their pose there as
    `nominal`, and stand in the others as the recipe says.
    """
    poses = {name: cell['sensors'][name]['pose'] for name in sensors}
    moved = {
        name: {**cell['sensors'][name], 'from_tf': {'nominal': poses[name]}} for name in sensors
    }
    for sensor in moved.values():
        del sensor['pose']
    first, *others = recipe['presentations'].items()
    still = Pose.model_validate(first[1]['pose']).transform()
    presentations = dict([first])
    for name, held in others:
        shift = still @ invert(Pose.model_validate(held['pose']).transform())
        placed = {
            sensor: pose_entry(shift @ Pose.model_validate(poses[sensor]).transform())
            for sensor in sensors
        }
        presentations[name] = {**held, 'pose': first[1]['pose'], 'sensor_poses': placed}
    moved_cell = {**cell, 'sensors': {**cell['sensors'], **moved}}
    return moved_cell, {**recipe, 'presentations': presentations}


def pose_entry(transform):
    """A pose as it stands in a file."""
    position_m, quaternion = to_quaternion(transform)
    return {
        'position_mm': [float(1e3 * value) for value in position_m],
        'quaternion_xyzw': [float(value) for value in quaternion],
    }
