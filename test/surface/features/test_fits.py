"""Planes and cylinders of known place, and the distances and angles between them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from inspection_cell.surface.features.cylinders import fit_cylinder
from inspection_cell.surface.features.measured import UnmeasurableError
from inspection_cell.surface.features.planes import fit_plane, frame_of
from inspection_cell.surface.features.relations import angle, distance

NOISE_M = 3e-5
UP = np.array([0.0, 0.0, 1.0])


def plane_points(random, normal=UP, centre=(0.0, 0.0, 0.0), count=4000, size_m=0.03):
    local = np.zeros((count, 3))
    local[:, :2] = random.uniform(-size_m / 2.0, size_m / 2.0, (count, 2))
    points = np.array(centre) + local @ frame_of(np.asarray(normal)).T
    return points + random.normal(0.0, NOISE_M, points.shape)


def wall_points(random, *, radius_m=6e-3, axis=UP, middle=(0.0, 0.0, 0.0), turn_deg=360.0):
    turn = random.uniform(0.0, np.radians(turn_deg), 5000)
    local = np.column_stack([np.cos(turn), np.sin(turn), np.zeros(5000)]) * radius_m
    local[:, 2] = random.uniform(-5e-3, 5e-3, 5000)
    points = np.array(middle) + local @ frame_of(np.asarray(axis)).T
    return points + random.normal(0.0, NOISE_M, points.shape)


def tilted(degrees, about='x'):
    return Rotation.from_euler(about, degrees, degrees=True).apply(UP)


@settings(max_examples=8, deadline=None)
@given(st.floats(-2.0, 2.0), st.floats(-0.5e-3, 0.5e-3), st.integers(0, 10_000))
def test_a_plane_is_found_beside_its_nominal_place_among_flying_points(tilt_deg, off_m, seed):
    random = np.random.default_rng(seed)
    points = plane_points(random, tilted(tilt_deg), (0.0, 0.0, off_m))
    points[:80, 2] += random.uniform(0.0, 3e-3, 80)  # all on one side
    plane = fit_plane(points, np.zeros(3), UP)
    assert np.degrees(np.arccos(min(1.0, plane.direction @ tilted(tilt_deg)))) < 0.02
    assert plane.point_m @ plane.direction == pytest.approx(
        off_m * np.cos(np.radians(tilt_deg)), abs=4e-6
    )


@settings(max_examples=8, deadline=None)
@given(st.floats(-1.0, 1.0), st.floats(-0.2e-3, 0.2e-3), st.integers(0, 10_000))
def test_a_cylinder_is_found_beside_its_nominal_place_among_flying_points(tilt_deg, off_m, seed):
    random = np.random.default_rng(seed)
    middle = (off_m, -off_m, 0.0)
    points = wall_points(random, radius_m=6e-3 + off_m, axis=tilted(tilt_deg), middle=middle)
    points[:100, :2] *= random.uniform(0.85, 1.15, (100, 1))
    cylinder = fit_cylinder(points, np.zeros(3), UP, 6e-3)
    assert cylinder.radius_m == pytest.approx(6e-3 + off_m, abs=3e-6)
    np.testing.assert_allclose(cylinder.point_m, middle, atol=8e-6)


def test_points_that_are_no_cylinder_are_refused():
    random = np.random.default_rng(1)
    with pytest.raises(UnmeasurableError, match='no cylinder'):
        fit_cylinder(np.zeros((200, 3)), np.zeros(3), UP, 6e-3)
    line = np.outer(random.uniform(-1e-2, 1e-2, 200), UP) + np.array([6e-3, 0.0, 0.0])
    with pytest.raises(UnmeasurableError, match='no cylinder'):
        fit_cylinder(line, np.zeros(3), UP, 6e-3)


@pytest.mark.parametrize('turn_deg', [360.0, 150.0])
def test_the_uncertainty_of_a_radius_is_its_scatter_over_many_scans(turn_deg):
    fits = [
        fit_cylinder(
            wall_points(np.random.default_rng(seed), turn_deg=turn_deg), np.zeros(3), UP, 6e-3
        )
        for seed in range(30)
    ]
    scatter = np.std([fit.radius_m for fit in fits])
    stated = np.sqrt(np.median([fit.covariance[4, 4] for fit in fits]))
    assert 0.7 * scatter < stated < 1.7 * scatter
    errors = np.array([fit.radius_m - 6e-3 for fit in fits])
    assert abs(errors.mean()) < 3.0 * scatter / np.sqrt(30)


def test_the_uncertainty_of_a_distance_is_its_scatter_over_many_scans():
    found = []
    for seed in range(30):
        random = np.random.default_rng(seed)
        first = fit_plane(plane_points(random), np.zeros(3), UP)
        far = np.array([0.1, 0.0, 0.01])  # beside the first plane: its tilt counts
        found.append(distance(first, fit_plane(plane_points(random, centre=far), far, UP)))
    errors = np.abs([entry.value - 0.01 for entry in found])
    assert np.mean(errors <= [entry.uncertainty for entry in found]) >= 0.9
    assert np.median([entry.uncertainty for entry in found]) < 3.2 * np.std(errors) + 2e-6


@pytest.mark.parametrize('degrees', [0.0, 30.0, 90.0, 120.0])
def test_the_angle_between_planes_is_that_between_their_normals(degrees):
    random = np.random.default_rng(int(degrees))
    first = fit_plane(plane_points(random), np.zeros(3), UP)
    normal = tilted(degrees)
    found = angle(first, fit_plane(plane_points(random, normal), np.zeros(3), normal))
    assert np.degrees(found.value) == pytest.approx(degrees, abs=0.03)
    assert abs(found.value - np.radians(degrees)) <= 1.5 * found.uncertainty


def test_distances_of_axes_to_a_plane_and_to_each_other_parallel_and_skew():
    random = np.random.default_rng(9)
    across = np.array([1.0, 0.0, 0.0])
    bores = [
        fit_cylinder(wall_points(random, axis=axis, middle=middle), np.array(middle), axis, 6e-3)
        for axis, middle in (
            (across, (0.0, 0.0, 0.02)),
            (across, (0.03, 0.04, 0.02)),  # parallel: 40 mm across
            (np.array([0.0, 1.0, 0.0]), (0.05, 0.03, 0.05)),  # skew: 30 mm
        )
    ]
    plane = fit_plane(plane_points(random), np.zeros(3), UP)
    assert distance(bores[0], bores[1]).value == pytest.approx(0.04, abs=2e-5)
    assert distance(bores[0], bores[2]).value == pytest.approx(0.03, abs=1e-4)
    assert distance(bores[1], plane).value == pytest.approx(0.02, abs=1e-5)
    assert distance(plane, bores[1]) == distance(bores[1], plane)


def test_of_two_planes_the_first_ones_normal_counts():
    random = np.random.default_rng(10)
    normal, middle = tilted(30.0), np.array([0.0, 0.0, 0.02])
    flat = fit_plane(plane_points(random), np.zeros(3), UP)
    slant = fit_plane(plane_points(random, normal, middle), middle, normal)
    assert distance(flat, slant).value == pytest.approx(0.02, abs=5e-6)
    assert distance(slant, flat).value == pytest.approx(0.02 * np.cos(np.pi / 6), abs=5e-6)
