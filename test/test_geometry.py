"""Transforms, projection and rays: what goes out comes back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_cell.errors import DataError
from inspection_cell.geometry import (
    Intrinsics,
    checked_transform,
    from_quaternion,
    from_rpy,
    invert,
    look_at,
    pose_difference,
    read_only,
    rotate_vectors,
    to_quaternion,
    transform_points,
)

CAMERAS = {
    'pinhole': Intrinsics(1280, 960, 1100.0, 1105.0, 630.0, 470.0),
    'plumb_bob': Intrinsics(
        1280, 960, 1100.0, 1105.0, 630.0, 470.0, 'plumb_bob', (-0.3, 0.12, 0.001, -0.001, 0.01)
    ),
    'rational': Intrinsics(
        1280,
        960,
        1100.0,
        1105.0,
        630.0,
        470.0,
        'rational_polynomial',
        (-0.2, 0.1, 0.001, 0.001, 0.02, 0.05, 0.01, 0.005),
    ),
    'fisheye': Intrinsics(
        1280, 960, 600.0, 605.0, 630.0, 470.0, 'equidistant', (0.05, -0.01, 0.002, 0.0)
    ),
    'ideal fisheye': Intrinsics(1280, 960, 600.0, 600.0, 630.0, 470.0, 'equidistant', (0.0,) * 4),
}
metre = st.floats(-2.0, 2.0)
vector = st.tuples(metre, metre, metre)
poses = st.builds(from_rpy, vector, vector)


@settings(derandomize=True)
@given(first=poses, second=poses, seed=st.integers(0, 99))
def test_inverse_and_composition_map_points_back(first, second, seed):
    points = np.random.default_rng(seed).normal(size=(20, 3))
    chained = transform_points(second, transform_points(first, points))
    assert np.allclose(transform_points(second @ first, points), chained)
    assert np.allclose(transform_points(invert(second @ first), chained), points)


@settings(derandomize=True)
@given(pose=poses, points=st.tuples(vector, vector))
def test_rigid_motion_keeps_distances_and_directions_ignore_translation(pose, points):
    before, after = np.array(points), transform_points(pose, np.array(points))
    assert np.isclose(np.linalg.norm(after[0] - after[1]), np.linalg.norm(before[0] - before[1]))
    assert np.allclose(rotate_vectors(pose, before[:1] - before[1:]), after[:1] - after[1:])


@settings(derandomize=True)
@given(pose=poses)
def test_quaternions_round_trip(pose):
    distance_m, angle_rad = pose_difference(pose, from_quaternion(*to_quaternion(pose)))
    assert distance_m < 1e-12
    assert angle_rad < 1e-7


@pytest.mark.parametrize('quaternion', [(0, 0, 0, 0), (0, 0, 0, 2), (0, 0, float('nan'), 1)])
def test_a_pose_without_a_unit_quaternion_is_refused(quaternion):
    with pytest.raises(DataError, match='quaternion'):
        from_quaternion((0, 0, 0), quaternion)


def test_pose_difference_measures_shift_and_turn():
    moved = from_rpy((0.003, 0.004, 0.0), (0.0, 0.0, 0.1))
    distance_m, angle_rad = pose_difference(np.eye(4), moved)
    assert distance_m == pytest.approx(0.005)
    assert angle_rad == pytest.approx(0.1)


@settings(derandomize=True)
@given(eye=vector, target=vector)
def test_look_at_puts_the_target_on_the_optical_axis_with_the_image_upright(eye, target):
    distance_m = np.linalg.norm(np.subtract(target, eye))
    if distance_m < 1e-3:
        return
    pose = checked_transform(look_at(eye, target), 'look_at')
    assert np.allclose(transform_points(invert(pose), np.array([target])), [(0, 0, distance_m)])
    down = rotate_vectors(pose, np.array([[0.0, 1.0, 0.0]]))[0]
    assert down[2] < 1e-6


@pytest.mark.parametrize('name', CAMERAS)
def test_rays_and_projection_are_inverse_of_each_other_in_the_whole_image(name):
    camera = CAMERAS[name]
    u, v = np.meshgrid(np.linspace(0, 1279, 33), np.linspace(0, 959, 25))
    pixels = np.column_stack([u.ravel(), v.ravel()])
    rays = camera.rays(pixels)
    assert np.allclose(np.linalg.norm(rays, axis=1), 1.0)
    assert np.abs(camera.project(rays * 0.7) - pixels).max() < 1e-6


def test_an_equidistant_camera_without_coefficients_still_maps_angles_to_radii():
    camera = CAMERAS['ideal fisheye']
    point = np.array([[np.sin(0.6), 0.0, np.cos(0.6)]])
    assert np.allclose(camera.project(point), [(630.0 + 600.0 * 0.6, 470.0)])


@pytest.mark.parametrize('name', CAMERAS)
def test_points_not_in_front_of_the_camera_have_no_pixel(name):
    pixels = CAMERAS[name].project(np.array([[0, 0, 1.0], [0, 0, 0.0], [0.1, 0, -1.0]]))
    assert np.allclose(pixels[0], (630.0, 470.0))
    assert np.isnan(pixels[1:]).all()
    assert CAMERAS[name].rays(np.empty((0, 2))).shape == (0, 3)
    assert CAMERAS[name].project(np.empty((0, 3))).shape == (0, 2)


@pytest.mark.parametrize(
    'changes',
    [
        {'fx': 0.0},
        {'width': 0},
        {'cx': float('nan')},
        {'distortion': (0.1, 0.2)},
        {'distortion': (0.1, 0.2, 0.0, float('inf'))},
        {'distortion_model': 'equidistant'},
        {'distortion_model': 'thin_prism'},
    ],
)
def test_what_cannot_be_a_camera_is_refused(changes):
    good = {'width': 8, 'height': 6, 'fx': 9.0, 'fy': 9.0, 'cx': 4.0, 'cy': 3.0}
    assert Intrinsics(**good)
    with pytest.raises(DataError, match='camera intrinsics'):
        Intrinsics(**{**good, **changes})


@pytest.mark.parametrize(
    'values',
    [
        np.eye(3),
        np.diag((1.0, 1.0, -1.0, 1.0)),
        np.diag((1000.0, 1000.0, 1000.0, 1.0)),
        np.full((4, 4), np.nan),
        [[1, 0], [0]],
        'pose',
        np.eye(4)[::-1],
    ],
)
def test_what_is_no_rigid_transform_is_refused_and_the_place_is_named(values):
    with pytest.raises(DataError, match='scan 7: pose'):
        checked_transform(values, 'scan 7: pose')


def test_checked_arrays_are_read_only_copies():
    source = np.eye(4)
    for checked in (checked_transform(source, 'pose'), read_only(source, (None, 4), 'rows')):
        source[0, 3] = 1.0
        assert checked[0, 3] == 0.0
        assert not checked.flags.writeable
        source[0, 3] = 0.0


@pytest.mark.parametrize('values', [[1.0, 2.0], [[1.0, 2.0, np.inf]], [[1.0], [2.0, 3.0]]])
def test_arrays_of_another_shape_or_without_finite_values_are_refused(values):
    with pytest.raises(DataError, match='corner'):
        read_only(values, (None, 3), 'corner')
