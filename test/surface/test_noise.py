import numpy as np
import pytest

from inspection_cell.geometry import transform_points
from inspection_cell.surface.noise import estimate_noise
from inspection_cell.surface.patches import patches_of


def noise_of(field, points, sensor=None):
    deviations = field.compare(points.astype(np.float32))
    return estimate_noise(deviations, patches_of(points), sensor)


@pytest.mark.parametrize('sigma_mm', [0.01, 0.05, 0.2])
def test_the_estimate_is_the_noise_that_was_added(field, part_points, sigma_mm):
    generator = np.random.default_rng(1)
    outward = field.measure(part_points).outward
    along_mm = generator.normal(0.0, sigma_mm, len(part_points))
    noisy = part_points + outward * along_mm[:, None] * 1e-3
    assert noise_of(field, noisy).facing_mm == pytest.approx(sigma_mm, rel=0.15)


def test_outliers_a_dent_and_a_tilted_pose_do_not_count_as_noise(field, part_points):
    generator = np.random.default_rng(2)
    along_mm = generator.normal(0.0, 0.05, len(part_points))
    along_mm[generator.random(len(part_points)) < 0.03] += 3.0
    along_mm[np.linalg.norm(part_points - part_points[9000], axis=1) < 3e-3] -= 0.5
    outward = field.measure(part_points).outward
    tilted = part_points @ np.array([[1, 0, 1e-3], [0, 1, 0], [-1e-3, 0, 1]])
    noisy = tilted + outward * along_mm[:, None] * 1e-3
    assert noise_of(field, noisy).facing_mm == pytest.approx(0.05, rel=0.15)


def test_noise_that_grows_with_the_angle_is_told_apart(field, part_points, scanner_pose):
    generator = np.random.default_rng(3)
    sensor = scanner_pose[None, :3, 3]
    outward = field.measure(part_points).outward
    sight = sensor - part_points
    cosines = np.einsum('ij,ij->i', sight, outward) / np.linalg.norm(sight, axis=1)
    sigma_mm = 0.03 + 0.04 * (1 / np.maximum(cosines, 0.15) - 1)
    noisy = part_points + outward * (generator.normal(0.0, sigma_mm) * 1e-3)[:, None]
    noise = noise_of(field, noisy, sensor)
    steep = cosines > 0.3
    estimated = noise.sigma_mm(cosines[steep], np.count_nonzero(steep))
    assert np.median(np.abs(estimated / sigma_mm[steep] - 1)) < 0.15


def test_no_points_have_no_noise(field):
    assert noise_of(field, np.empty((0, 3))).facing_mm == 0.0


def test_a_scan_in_its_own_frame_scatters_alike(field, part, scan_of, scanner_pose):
    points = transform_points(scanner_pose, scan_of(part, noise_mm=0.05, flying_share=0.3))
    assert noise_of(field, points).facing_mm == pytest.approx(0.05, rel=0.25)
