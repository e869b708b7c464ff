"""The values that sensors deliver are checked and frozen at birth."""

import numpy as np
import pytest

from inspection_cell.errors import DataError
from inspection_cell.geometry import from_rpy, invert
from inspection_cell.observations import Image, Observation, Scan, ViewKey

VIEW = ViewKey('top', 'left')


@pytest.mark.parametrize('dtype', [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize('shape', [(4, 5), (4, 5, 3)])
def test_an_image_shares_its_pixels_and_does_not_let_them_be_changed(shape, dtype):
    pixels = np.zeros(shape, dtype)
    image = Image(pixels)
    assert np.shares_memory(image.pixels, pixels)
    with pytest.raises(ValueError, match='read-only'):
        image.pixels[0, 0] = 1


@pytest.mark.parametrize(
    'pixels',
    [
        np.zeros((4, 5, 4), np.uint8),
        np.zeros((0, 5), np.uint8),
        np.zeros(5, np.uint8),
        np.zeros((4, 5), np.float64),
        np.zeros((4, 5), '>u2'),
    ],
)
def test_pixels_that_no_inspector_can_use_are_refused(pixels):
    with pytest.raises(DataError, match='image: expected'):
        Image(pixels)


def test_a_scan_is_finite_single_precision_points_and_read_only():
    scan = Scan(np.zeros((7, 3), np.float32))
    assert not scan.points.flags.writeable
    nan = np.array([[0.0, np.nan, 0.0]], np.float32)
    for points in (nan, np.zeros((7, 3)), np.zeros((7, 4), np.float32), np.zeros(3, np.float32)):
        with pytest.raises(DataError, match='scan'):
            Scan(points)


def test_the_part_in_the_sensor_frame_follows_from_both_poses():
    part, sensor = from_rpy((0.1, 0.2, 0.3), (0.1, 0, 0)), from_rpy((1, 0, 0), (0, 2.0, 0))
    image = Image(np.zeros((2, 2), np.uint8))
    observation = Observation('i1', VIEW, 1, image, part, sensor)
    assert np.allclose(observation.transform_part_to_sensor, invert(sensor) @ part)
    part[0, 3] = 9.0
    assert observation.transform_part_to_cell[0, 3] == 0.1


def test_an_observation_names_the_view_whose_pose_is_not_rigid():
    image = Image(np.zeros((2, 2), np.uint8))
    with pytest.raises(DataError, match='left at top: transform_sensor_to_cell'):
        Observation('i1', VIEW, 1, image, np.eye(4), np.zeros((4, 4)))
