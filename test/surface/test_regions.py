import numpy as np
import pytest

from inspection_cell.geometry import transform_points
from inspection_cell.sections.zones import Box, Zone
from inspection_cell.surface.limits import Limits
from inspection_cell.surface.patches import patches_of, spacing_m
from inspection_cell.surface.regions import find_regions
from inspection_cell.zones import SurfaceZone

TOLERANCE_MM = (-0.15, 0.15)
SIGMA_MM = 0.05  # of the scans here


def regions_of(points, field, min_area_mm2=1.0, sensor=None, limits=None):
    deviations = field.compare(points)
    return find_regions(
        deviations,
        field,
        limits or Limits(TOLERANCE_MM, min_area_mm2),
        sigma_mm=lambda rows: np.full(len(rows), SIGMA_MM),
        spacing_m=spacing_m(points, patches_of(points)),
        sensors=None if sensor is None else sensor[None],
    )


@pytest.mark.parametrize('seed', range(5))
def test_noise_and_flying_pixels_on_a_good_part_are_no_regions(
    part, scan_of, scanner_pose, seed, field
):
    points = transform_points(scanner_pose, scan_of(part, seed=seed))
    assert regions_of(points, field) == ()


def raised(points, centre, height_mm, width_mm):
    apart = np.linalg.norm(points - centre, axis=1) / (width_mm / 2e3)
    near = apart < 1
    height = np.where(near, height_mm * 1e-3 * np.cos(np.minimum(apart, 1) * np.pi / 2), 0.0)
    return points + height[:, None] * (0, 0, 1), int(near.sum())


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize(('height_mm', 'kind'), [(-0.25, 'dent'), (0.25, 'burr')])
def test_a_quarter_millimetre_on_3_mm_is_found_where_it_is(
    part, scan_of, scanner_pose, height_mm, kind, seed, field
):
    centre = np.array([-0.03, -0.022, 0.02])
    points = transform_points(scanner_pose, scan_of(part, seed=seed))
    points, _ = raised(points, centre, height_mm, 3.0)
    (region,) = regions_of(points, field)
    assert region.kind == kind
    assert region.peak_mm == pytest.approx(height_mm, abs=0.08)
    assert np.linalg.norm(region.position_m - centre) < 1e-3
    assert region.normal @ (0, 0, 1) > 0.95
    assert 1.0 < region.area_mm2 < 8.0
    assert 1.0 < region.length_mm < 4.0


def test_area_and_length_are_those_of_the_deviating_surface(part, scan_of, scanner_pose, field):
    points = transform_points(scanner_pose, scan_of(part))
    strip = (np.abs(points[:, 0] + 0.034) < 2e-3) & (np.abs(points[:, 1]) < 25e-3)
    strip &= np.abs(points[:, 2] - 0.02) < 1e-3
    points[strip, 2] += 1e-3
    (region,) = regions_of(points, field)
    assert region.area_mm2 == pytest.approx(4 * 50, rel=0.2)
    assert region.length_mm == pytest.approx(50, rel=0.05)
    assert region.peak_mm == pytest.approx(1.0, abs=0.1)


def test_a_deviation_is_never_too_large_to_be_found(part, scan_of, scanner_pose, field):
    centre = np.array([-0.03, -0.022, 0.02])
    points = transform_points(scanner_pose, scan_of(part))
    for height_mm in (1.0, 4.0, 15.0):
        near = np.linalg.norm(points - centre, axis=1) < 4e-3
        lifted = points + near[:, None] * np.array([0, 0, height_mm * 1e-3])
        found = regions_of(lifted, field)
        assert max(region.peak_mm for region in found) == pytest.approx(height_mm, abs=0.1)


def test_a_missing_step_is_one_region_placed_where_the_step_should_be(
    stepless_part, scan_of, scanner_pose, field
):
    points = transform_points(scanner_pose, scan_of(stepless_part))
    found = regions_of(points, field, sensor=scanner_pose[:3, 3])
    assert [region.kind for region in found] == ['missing_material']
    assert found[0].position_m[2] > 0.021


def test_regions_smaller_than_the_least_area_are_dropped(part, scan_of, scanner_pose, field):
    points = transform_points(scanner_pose, scan_of(part))
    points, _ = raised(points, np.array([-0.03, -0.022, 0.02]), 0.5, 3.0)
    assert len(regions_of(points, field, min_area_mm2=1.0)) == 1
    assert regions_of(points, field, min_area_mm2=20.0) == ()


def test_a_mask_on_the_wall_beside_a_hole_takes_nothing_out_of_the_hole(
    part, scan_of, scanner_pose, field
):
    points = transform_points(scanner_pose, scan_of(part))
    centre = np.array([0.03, -0.024, 0.02])  # on the plate's top, 6 mm from its side
    hole = np.linalg.norm(points - centre, axis=1) < 3e-3
    floor = points - hole[:, None] * (0.0, 0.0, 0.01)  # as deep as the nearest is the side
    side = Zone(boxes=(Box(centre_mm=(0.0, -30.0, 10.0), size_mm=(80.0, 1.0, 20.0)),))
    clamp = SurfaceZone('clamp', side, part)
    limits = Limits(TOLERANCE_MM, masks=(clamp,))
    above = centre + np.array([0.0, 0.0, 0.4])
    (region,) = regions_of(floor, field, sensor=above, limits=limits)
    assert region.mask == ''
    assert np.linalg.norm(region.position_m - centre) < 2e-3
