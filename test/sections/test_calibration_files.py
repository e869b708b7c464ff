"""Calibrations as ROS's camera_calibration writes them: taken as they are, or refused."""

import cv2
import numpy as np
import pytest
import yaml

from inspection_cell.cell import load_cell
from inspection_cell.errors import ConfigError
from inspection_cell.geometry import Intrinsics
from inspection_cell.sections.calibration import read_calibration

SIZE = (1280, 960)
TRUE = Intrinsics(
    *SIZE, 1402.3, 1399.7, 651.2, 470.9, 'plumb_bob', (-0.21, 0.09, 1e-3, -5e-4, 0.01)
)
# What cameracalibrator writes: numpy's own rounding and line breaks.
TEXT = """\
image_width: {width}
image_height: {height}
camera_name: narrow_stereo
camera_matrix:
  rows: 3
  cols: 3
  data: [{k}]
distortion_model: {model}
distortion_coefficients:
  rows: 1
  cols: {count}
  data: [{d}]
rectification_matrix:
  rows: 3
  cols: 3
  data: [1., 0., 0.,
         0., 1., 0.,
         0., 0., 1.]
projection_matrix:
  rows: 3
  cols: 4
  data: [1380.     ,    0.     ,  650.     ,    0.     ,
            0.     , 1378.     ,  471.     ,    0.     ,
            0.     ,    0.     ,    1.     ,    0.     ]
"""


def as_written(k, d, model='plumb_bob', size=SIZE):
    """The text of cameracalibrator for K (3, 3) and D (N,)."""
    rows = np.array2string(np.asarray(k), precision=5, suppress_small=True, separator=', ')
    rows = rows.replace('[', '').replace(']', '').replace('\n', '\n        ')
    values = ', '.join(f'{value:8f}' for value in d)
    width, height = size
    return TEXT.format(width=width, height=height, k=rows, model=model, count=len(d), d=values)


def board_views(camera, count=12):
    """(N, 3) corners of a board, metres, and what the camera sees of them in each view."""
    generator = np.random.default_rng(0)
    columns, rows = np.meshgrid(np.arange(9) * 0.03, np.arange(6) * 0.03)
    board = np.column_stack([columns.ravel(), rows.ravel(), np.zeros(54)]).astype(np.float32)
    views = []
    for _ in range(count):
        turn = generator.uniform(-0.5, 0.5, 3)
        move = np.array([-0.12, -0.075, 0.4]) + generator.uniform(-0.05, 0.05, 3)
        held = board @ cv2.Rodrigues(turn)[0].T + move
        views.append(camera.project(held).astype(np.float32)[:, None])
    return board, views


def test_a_calibrated_camera_projects_like_the_real_one(tmp_path):
    board, views = board_views(TRUE)
    _, k, d, _, _ = cv2.calibrateCamera([board] * len(views), views, SIZE, None, None)
    path = tmp_path / 'left.yaml'
    path.write_text(as_written(k, d.ravel()))
    camera, _ = read_calibration(path)
    points = np.random.default_rng(1).uniform((-0.15, -0.1, 0.4), (0.15, 0.1, 0.6), (200, 3))
    assert np.abs(camera.project(points) - TRUE.project(points)).max() < 0.05
    assert camera.size == SIZE


@pytest.mark.parametrize(
    ('model', 'd'),
    [
        ('plumb_bob', (-0.2, 0.1, 0.001, 0.002, 0.0)),
        ('rational_polynomial', (0.1, 0.2, 0.0, 0.0, 0.3, 0.1, 0.0, 0.0)),
        ('equidistant', (0.01, -0.02, 0.003, 0.0)),
    ],
)
def test_every_model_that_ros_writes_is_taken_with_all_its_values(tmp_path, model, d):
    path = tmp_path / 'left.yaml'
    path.write_text(as_written(TRUE.matrix, d, model))
    camera, _ = read_calibration(path)
    assert camera == Intrinsics(*SIZE, 1402.3, 1399.7, 651.2, 470.9, model, d)


def refused(path, **changes):
    content = yaml.safe_load(as_written(TRUE.matrix, TRUE.distortion))
    path.write_text(
        yaml.safe_dump({k: v for k, v in {**content, **changes}.items() if v != 'out'})
    )
    with pytest.raises(ConfigError) as caught:
        read_calibration(path)
    return {problem.key: problem for problem in caught.value.problems}


def matrix(data, rows=3, cols=3):
    return {'rows': rows, 'cols': cols, 'data': data}


def test_every_fault_is_told_at_once_with_key_value_and_what_is_allowed(tmp_path):
    found = refused(
        tmp_path / 'left.yaml',
        image_width=0,
        image_height='out',
        camera_matrix=matrix([1.0, 2.0]),
        distortion_coefficients=matrix([0.1, 0.2], 1, 2),
        rectification_matrix=matrix([1.0] * 12, 3, 4),
        projection_matrix=matrix(['one'] * 12, 3, 4),
    )
    assert found['image_width'].value == '0'
    assert 'greater than or equal to 1' in found['image_width'].allowed
    assert found['image_height'].allowed == 'required'
    assert '3×3 numbers' in found['camera_matrix'].allowed
    assert 'plumb_bob has 0 or 4 or 5' in found['distortion_coefficients'].allowed
    assert '3×3' in found['rectification_matrix'].allowed
    assert 'projection_matrix.data.0' in found


@pytest.mark.parametrize(
    'data',
    [
        [0.0] * 9,  # never calibrated
        [1400, 0, 0, 0, 1400, 0, 640, 480, 1],  # transposed
        [1400, 2.5, 640, 0, 1400, 480, 0, 0, 1],  # skewed
        [-1400, 0, 640, 0, 1400, 480, 0, 0, 1],
        [1400, 0, 640, 0, 1400, 480, 0, 0, 2],
    ],
)
def test_what_is_no_camera_matrix_is_refused(tmp_path, data):
    found = refused(tmp_path / 'left.yaml', camera_matrix=matrix([float(v) for v in data]))
    assert 'fx 0 cx 0 fy cy 0 0 1' in found['camera_matrix'].allowed


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_values_that_are_no_numbers_are_refused(tmp_path, value):
    found = refused(tmp_path / 'left.yaml', distortion_coefficients=matrix([value] * 5, 1, 5))
    assert all(key.startswith('distortion_coefficients.data') for key in found)


def test_coefficients_that_a_model_needs_are_not_left_out(tmp_path):
    left_out = {'distortion_model': 'equidistant', 'distortion_coefficients': 'out'}
    found = refused(tmp_path / 'left.yaml', **left_out)
    assert 'equidistant has 4' in found['distortion_coefficients'].allowed


def test_an_unknown_model_is_told_with_the_known_ones(tmp_path):
    found = refused(tmp_path / 'left.yaml', distortion_model='division')
    assert set(found) == {'distortion_model'}
    assert 'rational_polynomial' in found['distortion_model'].allowed


POSE = {'position_mm': [0, 0, 500], 'look_at_mm': [0, 0, 0]}


def cell_with(folder, **camera):
    left = {'kind': 'camera', 'topic': 'left/image_raw', 'pose': POSE, **camera}
    (folder / 'cells').mkdir(exist_ok=True)
    path = folder / 'cells' / 'cell.yaml'
    path.write_text(yaml.safe_dump({'format': 1, 'name': 'line', 'sensors': {'left': left}}))
    return path


def test_a_cell_takes_its_cameras_geometry_from_the_file_beside_it(tmp_path):
    (tmp_path / 'left.yaml').write_text(as_written(TRUE.matrix, TRUE.distortion))
    cell = load_cell(cell_with(tmp_path, calibration_file='../left.yaml'))
    assert cell.cameras['left'].intrinsics.value() == TRUE


def test_another_calibration_is_another_cell(tmp_path):
    calibration = tmp_path / 'left.yaml'
    path = cell_with(tmp_path, calibration_file='../left.yaml')
    hashes = set()
    for fx in (1400.0, 1400.0, 1400.5):
        k = TRUE.matrix.copy()
        k[0, 0] = fx
        calibration.write_text(as_written(k, TRUE.distortion))
        hashes.add(load_cell(path).sha256)
    assert len(hashes) == 2
    plain = cell_with(tmp_path, camera_info_topic='left/camera_info')
    assert load_cell(plain).sha256 not in hashes


def test_all_problems_of_all_calibrations_are_told_with_the_sensor_and_the_file(tmp_path):
    left = {'kind': 'camera', 'pose': POSE, 'topic': 'l', 'calibration_file': 'left.yaml'}
    right = {**left, 'topic': 'r', 'calibration_file': 'right.yaml'}
    path = tmp_path / 'cell.yaml'
    sensors = {'left': left, 'right': right}
    path.write_text(yaml.safe_dump({'format': 1, 'name': 'line', 'sensors': sensors}))
    (tmp_path / 'left.yaml').write_text(
        as_written(TRUE.matrix, TRUE.distortion, 'division', (0, 9))
    )
    with pytest.raises(ConfigError) as caught:
        load_cell(path)
    lines = str(caught.value).splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f'{path}: sensors.') for line in lines)
    assert 'left.yaml: image_width: 0' in lines[0]
    assert "left.yaml: distortion_model: 'division'" in lines[1]
    assert 'right.yaml: (file): No such file' in lines[2]


@pytest.mark.parametrize('also', [{'camera_info_topic': 'l/camera_info'}, {'intrinsics': True}])
def test_only_one_place_says_what_the_geometry_is(tmp_path, also):
    size = {'width': 8, 'height': 6, 'fx': 1, 'fy': 1, 'cx': 0, 'cy': 0}
    also = {key: size if value is True else value for key, value in also.items()}
    with pytest.raises(ConfigError, match='or else calibration_file'):
        load_cell(cell_with(tmp_path, calibration_file='../left.yaml', **also))
