import os

import pytest
import sdf_parser
import yaml

from inspection_cell.bringup import Simulated, load_recipes
from inspection_cell.cell import load_cell
from inspection_cell.gazebo.files import write_gazebo
from inspection_cell.gazebo.parts import chosen_kinds, ready_parts
from inspection_cell.locations import demo_cell, demo_recipes

# A colour camera with a real lens and a coarse scanner; nothing is as in the demo cell.
OTHER_SENSORS = {
    'overhead': {
        'kind': 'camera',
        'topic': '/press/overhead/compressed',
        'transport': 'compressed',
        'camera_info_topic': 'overhead/camera_info',
        'pose': {'position_mm': [0, 0, 800], 'rpy_deg': [180, 0, 90]},
        'trigger': {'kind': 'pulse', 'topic': 'plc/out_3', 'pulse_ms': 5},
        'stamp': {'meaning': 'arrival', 'exposure_ms': 8, 'latency_ms': 60},
        'intrinsics': {
            'width': 1624,
            'height': 1240,
            'fx': 2401.5,
            'fy': 2398.25,
            'cx': 830.5,
            'cy': 601.0,
            'distortion': [-0.1, 0.02, 0.001, -0.002],
        },
    },
    'lidar': {
        'kind': 'scanner',
        'topic': 'lidar/points',
        'from_tf': {'nominal': {'position_mm': [-20, 15, 700], 'quaternion_xyzw': [0, 1, 0, 0]}},
        'trigger': {'kind': 'service', 'service': 'lidar/capture'},
        'intrinsics': {
            'width': 320,
            'height': 240,
            'fx': 500,
            'fy': 500,
            'cx': 159.5,
            'cy': 119.5,
        },
    },
}


def demo(folder):
    cell = load_cell(demo_cell())
    return cell, load_recipes(cell, demo_recipes())


def other(folder):
    """A second cell and one recipe, whose part has no look that the simulator knows."""
    content = yaml.safe_load(demo_cell().read_text())
    content |= {'name': 'press_line', 'sensors': OTHER_SENSORS}
    content['robot'] = {'led_by': 'program', 'timeout_s': 5}
    (folder / 'cell.yaml').write_text(yaml.safe_dump(content))
    path = demo_recipes()[0]
    recipe = yaml.safe_load(path.read_text())
    recipe['part_type'] = 'angle'
    recipe['reference']['mesh'] = str(path.parent / recipe['reference']['mesh'])
    recipe['detection']['model'] = str((path.parent / recipe['detection']['model']).resolve())
    recipe['presentations'] = {
        'only': {
            'pose': {'position_mm': [0, 0, 276], 'rpy_deg': [0, 0, 0]},
            'sensors': ['overhead', 'lidar'],
        }
    }
    (folder / 'recipe.yaml').write_text(yaml.safe_dump(recipe))
    cell = load_cell(folder / 'cell.yaml')
    return cell, load_recipes(cell, [folder / 'recipe.yaml'])


CELLS = {'demo': (demo, ''), 'press_line': (other, 'scratch,dent')}


@pytest.fixture(scope='session', params=CELLS)
def written(request, tmp_path_factory):
    """A cell, its recipes and what was written for it."""
    folder = tmp_path_factory.mktemp(request.param)
    make, defects = CELLS[request.param]
    cell, recipes = make(folder)
    parts = ready_parts(cell, recipes, Simulated(3, 2), chosen_kinds(defects))
    return cell, recipes, write_gazebo(cell, recipes, parts, folder / 'out')


@pytest.fixture(scope='session')
def sdf_problems(tmp_path_factory):
    """What Gazebo's own parser says of a file."""
    if sdf_parser.library() is None:
        reason = 'libsdformat is not installed: apt install libsdformat12-12 sdformat-sdf'
        if os.environ.get(sdf_parser.REQUIRED):
            pytest.fail(reason)
        pytest.skip(reason)
    return lambda path: sdf_parser.problems(path, tmp_path_factory.mktemp('home'))
