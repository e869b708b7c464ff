import numpy as np
import open3d as o3d
import pytest
from scipy.spatial.transform import Rotation

from inspection_cell.geometry import Transform, rigid, transform_points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.surface import Registration
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.registration import Registered, register

LIMITS = Registration()


def moved(seed: int, shift_mm: float, angle_deg: float) -> Transform:
    axis, shift = np.random.default_rng(seed).normal(size=(2, 3))
    rotation = Rotation.from_rotvec(np.radians(angle_deg) * axis / np.linalg.norm(axis))
    return rigid(rotation.as_matrix(), shift_mm * 1e-3 * shift / np.linalg.norm(shift))


def error_um(part: ReferenceMesh, registered: Registered, true: Transform) -> float:
    ours = transform_points(
        registered.transform_scan_to_part, transform_points(np.linalg.inv(true), part.vertices)
    )
    return float(np.linalg.norm(ours - part.vertices, axis=1).max() * 1e6)


@pytest.mark.parametrize('seed', range(4))
def test_from_5_mm_and_5_degrees_off_it_finds_the_true_pose(
    part, scan_of, scanner_pose, seed, field
):
    start = moved(seed, 5.0, 5.0) @ scanner_pose
    found = register(scan_of(part, seed=seed), start, field, LIMITS, 20.0)
    assert found.reason == ''
    assert error_um(part, found, scanner_pose) < 40
    assert found.explained > 0.97
    assert found.rotation_deg == pytest.approx(5.0, abs=0.2)


def test_a_dent_does_not_pull_the_pose(part, dented_part, scan_of, scanner_pose, field):
    clean = register(scan_of(part, noise_mm=0.01), scanner_pose, field, LIMITS, 20.0)
    dented = register(scan_of(dented_part, noise_mm=0.01), scanner_pose, field, LIMITS, 20.0)
    assert error_um(part, clean, scanner_pose) < 10
    assert error_um(part, dented, scanner_pose) < 10


def test_the_same_points_give_the_same_pose_again(part, scan_of, scanner_pose, field):
    start = moved(1, 3.0, 2.0) @ scanner_pose
    first = register(scan_of(part), start, field, LIMITS, 20.0)
    second = register(scan_of(part), start, field, LIMITS, 20.0)
    assert np.array_equal(first.transform_scan_to_part, second.transform_scan_to_part)


def test_a_pose_farther_off_than_allowed_is_refused_with_both_numbers(
    part, scan_of, scanner_pose, field
):
    limits = Registration(max_shift_mm=2.0)
    start = moved(0, 5.0, 0.0) @ scanner_pose
    found = register(scan_of(part), start, field, limits, 20.0)
    assert "5.0 mm from the robot's pose; at most 2 mm" in found.reason


def test_a_plane_that_fits_anywhere_on_the_part_is_refused(field):
    generator = np.random.default_rng(0)
    points = np.zeros((5000, 3))
    points[:, :2] = generator.uniform((-0.035, -0.025), (0.005, -0.012), (5000, 2))
    points[:, 2] = 0.02 + generator.normal(0.0, 5e-5, 5000)
    found = register(points, np.eye(4), field, LIMITS, 20.0)
    assert 'does not determine the pose' in found.reason


@pytest.mark.slow
def test_a_turned_body_keeps_the_robots_angle_about_its_axis(scan_of, scanner_pose):
    cone = o3d.geometry.TriangleMesh.create_cone(0.03, 0.05, 400)
    mesh = ReferenceMesh(np.asarray(cone.vertices), np.asarray(cone.triangles))
    true = scanner_pose
    start = moved(3, 1.0, 0.0) @ true
    found = register(scan_of(mesh), start, DeviationField(mesh), LIMITS, 20.0)
    assert found.reason == ''
    assert found.rotation_deg < 0.5


@pytest.mark.parametrize('count', [0, 1, 12])
def test_too_few_points_are_refused(count, field):
    points = np.zeros((count, 3), dtype=np.float32)
    found = register(points, np.eye(4), field, LIMITS, 20.0)
    assert f'{count} points; at least' in found.reason


def test_points_far_from_the_part_are_refused_with_both_sizes(part, scan_of, scanner_pose, field):
    millimetres = scan_of(part) * 1000
    found = register(millimetres, scanner_pose, field, LIMITS, 20.0)
    assert 'only 0 of the scan' in found.reason
    assert 'the part 0.1' in found.reason


def test_a_part_too_small_for_the_inlier_distance_is_refused(part, scan_of, scanner_pose):
    small = ReferenceMesh(part.vertices / 1000, part.triangles)
    points = transform_points(scanner_pose, scan_of(part)) / 1000
    found = register(points, np.eye(4), DeviationField(small), LIMITS, 20.0)
    assert 'units' in found.reason


def test_another_object_at_the_same_place_is_refused(field):
    sphere = o3d.geometry.TriangleMesh.create_sphere(0.04, 100)
    points = np.asarray(sphere.translate((0.0, 0.0, 0.015)).vertices)
    found = register(points, np.eye(4), field, LIMITS, 20.0)
    assert 'explains' in found.reason
