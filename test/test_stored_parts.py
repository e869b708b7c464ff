"""Stored parts are read as they lie; everything wrong in a folder is named at once."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import open3d as o3d
import pytest
import yaml

from inspection_cell.cell import Cell, CellFile
from inspection_cell.errors import DataError
from inspection_cell.geometry import from_rpy
from inspection_cell.observations import Image, ImageSeries, Scan, ViewKey
from inspection_cell.recipe import Recipe, RecipeFile
from inspection_cell.stored_parts import observations, read_stored_parts

POSE = {'position_mm': (1, 2, 3), 'rpy_deg': (0, 0, 0)}
INTRINSICS = {'width': 8, 'height': 6, 'fx': 10, 'fy': 10, 'cx': 3.5, 'cy': 2.5}
CELL = Cell(
    Path('cell.yaml'),
    'c',
    CellFile.model_validate(
        {
            'format': 1,
            'name': 'bench',
            'sensors': {
                'left': {'kind': 'camera', 'topic': 'l', 'pose': POSE, 'intrinsics': INTRINSICS},
                'scanner': {'kind': 'scanner', 'topic': 's', 'pose': POSE},
            },
        }
    ),
)
RECIPE = Recipe(
    Path('recipe.yaml'),
    'r',
    RecipeFile.model_validate(
        {
            'format': 1,
            'part_type': 'plate',
            'reference': 'none',
            'presentations': {'top': {'pose': POSE, 'sensors': ('left', 'scanner')}},
        }
    ),
)
PIXELS = np.arange(8 * 6 * 3, dtype=np.uint8).reshape(6, 8, 3)
POINTS_MM = np.array([[0, 0, 100], [10, 0, 100], [0, 10, np.nan], [0, 10, 101.0]])


def calibration(**changes):
    matrix = {'rows': 3, 'cols': 3, 'data': [20, 0, 3.5, 0, 20, 2.5, 0, 0, 1]}
    content = {
        'image_width': 8,
        'image_height': 6,
        'camera_name': 'left',
        'camera_matrix': matrix,
        'distortion_model': 'plumb_bob',
        'distortion_coefficients': {'rows': 1, 'cols': 5, 'data': [0.1, 0, 0, 0, 0]},
    }
    return yaml.safe_dump({**content, **changes})


@pytest.fixture
def part(tmp_path):
    """One stored part with an image and a scan."""
    folder = tmp_path / 'p7'
    top = folder / 'top'
    top.mkdir(parents=True)
    (folder / 'part.yaml').write_text('part_type: plate\nunits: mm\n')
    cv2.imwrite(str(top / 'left.png'), PIXELS)
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(POINTS_MM))
    o3d.io.write_point_cloud(str(top / 'scanner.ply'), cloud)
    return folder


def read_one(part):
    (stored,) = read_stored_parts(part.parent)
    return stored


def problems(part):
    with pytest.raises(DataError) as caught:
        read_stored_parts(part.parent)
    return str(caught.value).splitlines()


def test_a_part_comes_with_its_name_type_and_frames(part):
    stored = read_one(part)
    assert (stored.part_id, stored.part_type, stored.truth) == ('p7', 'plate', None)
    assert [frame.view for frame in stored.frames] == [
        ViewKey('top', 'left'),
        ViewKey('top', 'scanner'),
    ]


def test_images_come_pixel_by_pixel_and_scans_in_metres_without_holes(part):
    image, scan = (frame.load() for frame in read_one(part).frames)
    assert isinstance(image, Image)
    assert np.array_equal(image.pixels, PIXELS)
    assert isinstance(scan, Scan)
    assert scan.points == pytest.approx(POINTS_MM[[0, 1, 3]] / 1000.0)


def test_depth_images_keep_their_sixteen_bits_and_alpha_is_left_out(part):
    deep = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1000
    cv2.imwrite(str(part / 'top' / 'left.png'), deep)
    assert np.array_equal(read_one(part).frames[0].load().pixels, deep)
    cv2.imwrite(str(part / 'top' / 'left.png'), np.dstack([PIXELS, PIXELS[:, :, :1]]))
    assert np.array_equal(read_one(part).frames[0].load().pixels, PIXELS)


def test_pose_and_calibration_of_the_part_go_before_those_of_recipe_and_cell(part):
    plain = observations(read_one(part), CELL, RECIPE, 'i1', 5)
    assert plain[0].transform_part_to_cell[:3, 3] == pytest.approx([0.001, 0.002, 0.003])
    assert (plain[0].intrinsics.fx, plain[1].intrinsics) == (10, None)
    pose = from_rpy((0.1, 0.2, 0.3), (0.1, 0.2, 0.3))
    np.savetxt(part / 'top' / 'pose.txt', pose)
    (part / 'top' / 'left.camera_info.yaml').write_text(calibration())
    own = observations(read_one(part), CELL, RECIPE, 'i1', 5)
    assert own[0].transform_part_to_cell == pytest.approx(pose)
    assert (own[0].intrinsics.fx, own[0].intrinsics.distortion[0]) == (20, 0.1)
    assert {o.inspection_id for o in own} == {'i1'}


def test_where_a_sensor_that_moves_stood_is_stored_with_its_frame(part):
    left = {**CELL.file.sensors['left'].model_dump(exclude={'pose'}), 'from_tf': {}}
    sensors = {**CELL.file.model_dump()['sensors'], 'left': left}
    cell = replace(
        CELL, file=CellFile.model_validate({**CELL.file.model_dump(), 'sensors': sensors})
    )
    with pytest.raises(DataError, match=r'left\.pose\.txt needs a pose of left at top'):
        observations(read_one(part), cell, RECIPE, 'i1', 5)
    pose = from_rpy((0.1, 0.2, 0.3), (0.1, 0.2, 0.3))
    np.savetxt(part / 'top' / 'left.pose.txt', pose)
    seen = observations(read_one(part), cell, RECIPE, 'i1', 5)
    assert seen[0].transform_sensor_to_cell == pytest.approx(pose)
    assert not np.allclose(seen[1].transform_sensor_to_cell, pose)
    (part / 'top' / 'left.pose.txt').write_text('1 2 3\n')
    assert 'left.pose.txt' in problems(part)[0]


def test_the_truth_is_read_with_its_defects(part):
    truth = {'good': False, 'defects': [{'kind': 'dent', 'position_mm': [1, 2, 3], 'depth': 1}]}
    (part / 'truth.json').write_text(json.dumps(truth))
    read = read_one(part).truth
    assert not read.good
    assert (read.defects[0].kind, read.defects[0].position_mm) == ('dent', (1, 2, 3))


def test_all_problems_of_a_folder_are_told_at_once_each_with_its_file(part):
    (part / 'truth.json').write_text('{"good": "perhaps"}')
    (part / 'top' / 'pose.txt').write_text('1 2 3\n')
    (part / 'top' / 'left.camera_info.yaml').write_text(calibration(image_width=0))
    (part / 'top' / 'notes.doc').write_text('')
    other = part.parent / 'p8'
    other.mkdir()
    (other / 'part.yaml').write_text('part_type: plate\nunits: inch\n')
    told = problems(part)
    for name in ('truth.json', 'pose.txt', 'camera_info', 'notes.doc', 'p8/part.yaml'):
        assert sum(name in line.split(': ')[0] for line in told) == 1, name


def test_a_part_without_frames_is_refused(part):
    for path in (part / 'top').iterdir():
        path.unlink()
    assert 'expected <presentation>/<sensor>.png' in problems(part)[0]


def test_two_frames_of_one_sensor_are_refused(part):
    cv2.imwrite(str(part / 'top' / 'left.jpg'), PIXELS)
    assert 'second frame of left' in problems(part)[0]


@pytest.mark.parametrize('name', ['left.png', 'scanner.ply'])
def test_a_damaged_frame_is_refused_by_name_when_it_is_loaded(part, name):
    (part / 'top' / name).write_bytes(b'nothing of the kind')
    with pytest.raises(DataError, match=name):
        [frame.load() for frame in read_one(part).frames]


def test_a_frame_of_a_sensor_that_the_cell_lacks_is_refused_by_name(part):
    cv2.imwrite(str(part / 'top' / 'right.png'), PIXELS)
    with pytest.raises(DataError, match=r'right\.png.*left'):
        observations(read_one(part), CELL, RECIPE, 'i1', 5)


def test_a_folder_without_parts_is_refused(tmp_path):
    with pytest.raises(DataError, match=r'part\.yaml'):
        read_stored_parts(tmp_path)
    with pytest.raises(DataError, match='there is none'):
        read_stored_parts(tmp_path / 'nowhere')


LIT = Cell(
    Path('cell.yaml'),
    'c',
    CellFile.model_validate(
        {
            'format': 1,
            'name': 'bench',
            'lights': {
                'ring': {'topic': 'r', 'settle_ms': 5},
                'bar': {'topic': 'b', 'settle_ms': 5},
            },
            'sensors': {
                'left': {
                    **{'kind': 'camera', 'topic': 'l', 'pose': POSE, 'intrinsics': INTRINSICS},
                    'shots': {'dark': {'lights': ('bar',)}, 'bright': {'lights': ('ring',)}},
                },
                'scanner': {'kind': 'scanner', 'topic': 's', 'pose': POSE},
            },
        }
    ),
)


def test_the_shots_of_a_view_are_one_observation_in_the_order_of_the_cell(part):
    (part / 'top' / 'left.png').rename(part / 'top' / 'left.bright.png')
    cv2.imwrite(str(part / 'top' / 'left.dark.png'), PIXELS // 4)
    (part / 'top' / 'left.camera_info.yaml').write_text(calibration())
    seen = {o.view: o for o in observations(read_one(part), LIT, RECIPE, 'i1', 9)}
    assert set(seen) == {ViewKey('top', 'left'), ViewKey('top', 'scanner')}
    left = seen[ViewKey('top', 'left')]
    assert isinstance(left.data, ImageSeries)
    assert [one.shot for one in left.data.shots] == ['dark', 'bright']
    assert np.array_equal(left.data.shots[0].image.pixels, PIXELS // 4)
    assert np.array_equal(left.data.shots[1].image.pixels, PIXELS)
    assert left.intrinsics.fx == 20.0  # one calibration for all shots


@pytest.mark.parametrize(
    ('name', 'cell'),
    [('left.png', LIT), ('left.blue.png', LIT), ('left.bright.png', CELL)],
)
def test_an_image_whose_name_does_not_fit_the_shots_of_its_camera_is_refused(part, name, cell):
    (part / 'top' / 'left.png').rename(part / 'top' / name)
    with pytest.raises(DataError, match='expected by the shots of the cell: left') as caught:
        observations(read_one(part), cell, RECIPE, 'i1', 9)
    assert name in str(caught.value)
