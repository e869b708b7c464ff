"""Zones, masks, the guard band and several scans: each fails where its feature is left out."""

import re

import numpy as np
import open3d as o3d
import pytest

from inspection_cell.findings import Conformity
from inspection_cell.geometry import invert, look_at, transform_points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.surface import Registration, Surface
from inspection_cell.sections.zones import Box, Zone
from inspection_cell.surface.alignment import Cloud, align
from inspection_cell.surface.comparison import compare, examine
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.limits import Limits
from inspection_cell.zones import SurfaceZone

SURFACE = Surface(tolerance_mm=(-0.3, 0.3))
PLACE = np.array([-0.03, -0.022, 0.02])  # on the plate's top
OTHER_SIDE = look_at((-0.05, 0.12, 0.30), (0.0, 0.0, 0.01))
FROM_ABOVE = look_at((0.0, 0.0, 0.35), (0.0, 0.0, 0.0))
FROM_THE_SIDE = look_at((0.35, 0.0, 0.01), (0.0, 0.0, 0.01))


def raised(points, height_mm, width_mm=4.0):
    near = np.linalg.norm(points - PLACE, axis=1) < width_mm / 2e3
    return points + near[:, None] * np.array([0, 0, height_mm * 1e-3])


def compared(points_part, pose, field, limits):
    points = transform_points(invert(pose), points_part).astype(np.float32)
    return compare(Cloud(points, pose, sensor=np.zeros(3)), field, SURFACE, limits)


def zone_around(part, name='seal'):
    box = Box(centre_mm=tuple(PLACE * 1e3), size_mm=(8, 8, 4))
    return SurfaceZone(name, Zone(boxes=(box,)), part)


def test_a_tighter_zone_finds_what_the_rest_of_the_part_may_have(
    part, field, scan_of, scanner_pose
):
    points = raised(transform_points(scanner_pose, scan_of(part)), 0.2)
    zone = zone_around(part)
    plain = compared(points, scanner_pose, field, Limits((-0.3, 0.3)))
    zoned = compared(
        points, scanner_pose, field, Limits((-0.3, 0.3), zones=((zone, (-0.1, 0.1)),))
    )
    assert plain.regions == ()
    assert [region.limit_mm for region in zoned.regions] == [0.1]
    assert np.linalg.norm(zoned.regions[0].position_m - PLACE) < 1e-3


def test_a_looser_zone_allows_what_the_rest_of_the_part_may_not_have(
    part, field, scan_of, scanner_pose
):
    points = raised(transform_points(scanner_pose, scan_of(part)), 0.2)
    loose = ((zone_around(part), (-0.5, 0.5)),)
    assert len(compared(points, scanner_pose, field, Limits((-0.1, 0.1))).regions) == 1
    assert compared(points, scanner_pose, field, Limits((-0.1, 0.1), zones=loose)).regions == ()


def test_of_overlapping_zones_the_first_rules(part, field, scan_of, scanner_pose):
    points = raised(transform_points(scanner_pose, scan_of(part)), 0.2)
    zone = zone_around(part)
    tight, loose = (zone, (-0.1, 0.1)), (zone, (-0.5, 0.5))
    for zones, count in (((tight, loose), 1), ((loose, tight), 0)):
        found = compared(points, scanner_pose, field, Limits((-0.3, 0.3), zones=zones))
        assert len(found.regions) == count


def test_what_a_mask_takes_out_is_still_told(part, field, scan_of, scanner_pose):
    points = raised(transform_points(scanner_pose, scan_of(part)), 0.5)
    masks = (zone_around(part, 'clamp'),)
    (region,) = compared(points, scanner_pose, field, Limits((-0.1, 0.1), masks=masks)).regions
    assert region.mask == 'clamp'
    (region,) = compared(points, scanner_pose, field, Limits((-0.1, 0.1))).regions
    assert region.mask == ''


@pytest.mark.parametrize(
    ('height_mm', 'conformity'),
    [(0.10, None), (0.20, Conformity.UNCERTAIN), (0.28, Conformity.BREAKS)],
)
def test_within_the_uncertainty_of_the_limit_nobody_can_tell(
    part, field, scan_of, scanner_pose, height_mm, conformity
):
    points = raised(transform_points(scanner_pose, scan_of(part)), height_mm, 6.0)
    found = compared(points, scanner_pose, field, Limits((-0.2, 0.2), systematic_mm=0.02))
    assert [region.conformity for region in found.regions] == ([conformity] if conformity else [])


def test_a_scanner_of_known_error_leaves_more_undecided(part, field, scan_of, scanner_pose):
    points = raised(transform_points(scanner_pose, scan_of(part)), 0.26, 6.0)
    for systematic_mm, conformity in ((0.0, Conformity.BREAKS), (0.1, Conformity.UNCERTAIN)):
        limits = Limits((-0.2, 0.2), systematic_mm=systematic_mm)
        (region,) = compared(points, scanner_pose, field, limits).regions
        assert region.conformity is conformity
        assert region.uncertainty_mm >= systematic_mm


def test_volume_is_height_times_area(part, field, scan_of, scanner_pose):
    points = raised(transform_points(scanner_pose, scan_of(part)), 0.5, 8.0)
    (region,) = compared(points, scanner_pose, field, Limits((-0.1, 0.1))).regions
    assert region.volume_mm3 == pytest.approx(0.5 * np.pi * 4.0**2, rel=0.2)
    assert region.width_mm == pytest.approx(8.0, rel=0.15)
    assert region.length_mm == pytest.approx(8.0, rel=0.15)


def clouds_of(part, scan_of, off, stations=(FROM_ABOVE, FROM_THE_SIDE)):
    """Scans from two sides, both with the same error of the grasp."""
    return [
        Cloud(
            scan_of(part, seed=seed, transform_part_to_scanner=invert(pose)),
            off @ pose,
            sensor=np.zeros(3),
        )
        for seed, pose in enumerate(stations)
    ]


def shifted(x_m, y_m, z_m):
    off = np.eye(4)
    off[:3, 3] = x_m, y_m, z_m
    return off


def test_scans_from_two_sides_are_one_surface(part, field, scan_of):
    clouds = clouds_of(part, scan_of, shifted(1e-3, -0.5e-3, 0.8e-3), (FROM_ABOVE, OTHER_SIDE))
    both = examine(align(clouds, field, SURFACE), field, Limits((-0.3, 0.3)))
    assert both.registered.ok, both.registered.reason
    assert both.regions == ()
    seen = [
        part.visible(part.samples, part.sample_normals, invert(pose), np.radians(60))
        for pose in (FROM_ABOVE, OTHER_SIDE)
    ]
    assert both.seen[seen[0] | seen[1]].mean() > 0.97
    assert (seen[1] & ~seen[0]).sum() > 20  # the one scan alone would not do


@pytest.mark.parametrize('apart_mm', [0.0, 0.35])
def test_how_far_scans_were_moved_against_each_other_is_told(part, field, scan_of, apart_mm):
    first, second = clouds_of(part, scan_of, np.eye(4), (FROM_ABOVE, OTHER_SIDE))
    off = shifted(apart_mm / 1e3, 0.0, 0.0) @ second.transform_scan_to_part
    found = align([first, Cloud(second.points, off, second.sensor)], field, SURFACE).registered
    assert found.ok, found.reason
    told = re.search(r'moved by up to (\d\.\d+) mm against each other', found.note)
    assert float(told[1] if told else 0.0) == pytest.approx(apart_mm, abs=0.08)


def test_a_scan_that_leaves_directions_open_is_held_by_the_other(part, field, scan_of):
    """Seen through a window on its side face alone, the part could slide along that face."""
    clouds = clouds_of(part, scan_of, shifted(0.6e-3, 0.7e-3, -0.6e-3))
    side = clouds[1]
    on_face = transform_points(FROM_THE_SIDE, side.points)
    window = (np.abs(on_face[:, 0] - 0.04) < 0.5e-3) & (on_face[:, 2] < 0.018)
    narrow = Cloud(side.points[window], side.transform_scan_to_part, side.sensor)
    assert not align([narrow], field, SURFACE).registered.ok
    aligned = align([clouds[0], narrow], field, SURFACE)
    assert aligned.registered.ok, aligned.registered.reason
    apart = aligned.transforms_scan_to_part[1] @ invert(FROM_THE_SIDE)
    assert np.abs(apart - np.eye(4)).max() < 0.3e-3


def test_a_defect_on_the_seam_of_two_scans_is_one_region(part, field, scan_of):
    clouds = clouds_of(part, scan_of, np.eye(4), (FROM_ABOVE, OTHER_SIDE))
    moved = []
    for cloud in clouds:
        pose = cloud.transform_scan_to_part
        points = raised(transform_points(pose, cloud.points), 0.8, 6.0)
        half = points[:, 0] < PLACE[0] if cloud is clouds[0] else points[:, 0] > PLACE[0] - 1e-3
        kept = transform_points(invert(pose), points[half]).astype(np.float32)
        moved.append(Cloud(kept, pose, cloud.sensor))
    surface = SURFACE.model_copy(update={'registration': Registration(min_explained=0.5)})
    found = examine(align(moved, field, surface), field, Limits((-0.3, 0.3)))
    assert found.registered.ok, found.registered.reason
    assert [region.kind for region in found.regions] == ['burr']
    assert found.regions[0].area_mm2 > 0.5 * np.pi * 9


def test_many_scans_show_what_each_of_them_shows(part, field, scan_of, scanner_pose):
    """Where scans overlap the points lie denser: that must not make the others too sparse."""
    clouds = clouds_of(part, scan_of, np.eye(4), (scanner_pose, *3 * (OTHER_SIDE,)))
    limit = np.radians(75)
    alone = [
        examine(align([one], field, SURFACE), field, Limits((-0.3, 0.3)), max_incidence_rad=limit)
        for one in clouds
    ]
    whole = align(clouds, field, SURFACE)
    seen = examine(whole, field, Limits((-0.3, 0.3)), max_incidence_rad=limit).seen
    assert seen[np.any([one.seen for one in alone], axis=0)].mean() > 0.995


def test_a_scan_of_something_else_is_not_hidden_by_the_points_of_good_ones(part, field, scan_of):
    clouds = clouds_of(part, scan_of, np.eye(4), (FROM_ABOVE, OTHER_SIDE))
    other = np.random.default_rng(0).uniform(-1, 1, (3000, 3)) * (0.01, 0.01, 0.001)
    other[:, 2] += 0.024  # 4 mm above the plate
    points = transform_points(invert(OTHER_SIDE), other).astype(np.float32)
    assert align(clouds, field, SURFACE).registered.ok
    aligned = align([*clouds, Cloud(points, OTHER_SIDE, np.zeros(3))], field, SURFACE)
    assert 'scan 3 of 3' in aligned.registered.reason
    assert len(aligned.deviations.points) == 0


def sheet(size_m=0.06, wall_m=1e-3):
    mesh = o3d.geometry.TriangleMesh.create_box(size_m, size_m, wall_m)
    mesh += o3d.geometry.TriangleMesh.create_box(0.01, 0.02, 0.02).translate((0.0, 0.0, wall_m))
    mesh += o3d.geometry.TriangleMesh.create_box(0.02, 0.008, 0.012).translate((0.03, 0.0, wall_m))
    return ReferenceMesh(np.asarray(mesh.vertices), np.asarray(mesh.triangles))


@pytest.mark.parametrize('depth_mm', [0.6, 0.9, 1.2])
def test_a_dent_in_a_thin_wall_is_not_explained_by_the_walls_other_side(scan_of, depth_mm):
    mesh = sheet()
    station = look_at((0.10, 0.13, 0.3), (0.03, 0.03, 0.0))
    points = transform_points(
        station,
        scan_of(mesh, noise_mm=0.02, flying_share=0, transform_part_to_scanner=invert(station)),
    )
    apart_mm = np.linalg.norm(points[:, :2] - (0.03, 0.035), axis=1) * 1e3
    on_top = np.abs(points[:, 2] - 1e-3) < 0.3e-3
    points[on_top, 2] -= depth_mm * 1e-3 * np.exp(-(apart_mm[on_top] ** 2) / (2 * 6.0**2))
    cloud = Cloud(
        transform_points(invert(station), points).astype(np.float32), station, np.zeros(3)
    )
    surface = Surface(tolerance_mm=(-0.5, 0.5))
    found = compare(cloud, DeviationField(mesh), surface, Limits((-0.5, 0.5)))
    assert found.registered.ok, found.registered.reason
    assert [region.conformity for region in found.regions] == [Conformity.BREAKS]
    assert found.regions[0].peak_mm == pytest.approx(-depth_mm, abs=0.15)
    assert np.linalg.norm(found.regions[0].position_m - (0.03, 0.035, 1e-3)) < 2e-3


def test_what_is_too_sparse_to_show_a_defect_is_not_seen(part, field, scan_of, scanner_pose):
    """The step's top is thinned until no neighbourhood could tell; the rest stays dense."""
    points = transform_points(scanner_pose, scan_of(part, noise_mm=0.02, flying_share=0))
    on_step = points[:, 2] > 0.0345
    keep = ~on_step
    keep[np.flatnonzero(on_step)[::40]] = True
    limits = Limits((-0.15, 0.15))
    top = (part.samples[:, 2] > 0.0349) & (part.sample_normals[:, 2] > 0.9)
    assert compared(points, scanner_pose, field, limits).seen[top].mean() > 0.9
    assert compared(points[keep], scanner_pose, field, limits).seen[top].mean() < 0.1


@pytest.mark.parametrize('copies', [2, 5, 6])
def test_points_that_are_stored_several_times_hide_nothing(
    part, field, scan_of, scanner_pose, copies
):
    points = raised(transform_points(scanner_pose, scan_of(part)), 0.8, 8.0)
    found = compared(np.repeat(points, copies, axis=0), scanner_pose, field, Limits((-0.15, 0.15)))
    assert Conformity.BREAKS in [region.conformity for region in found.regions]


def test_points_too_far_apart_for_the_smallest_defects_are_told(
    part, field, scan_of, scanner_pose
):
    points = transform_points(scanner_pose, scan_of(part))
    dense = compared(points, scanner_pose, field, Limits((-0.3, 0.3), 1.0)).registered
    sparse = compared(points[::9], scanner_pose, field, Limits((-0.3, 0.3), 1.0)).registered
    assert dense.note == ''
    assert 'may be missed' in sparse.note


def test_a_scan_that_could_not_show_what_is_asked_for_has_seen_nothing(
    part, field, scan_of, scanner_pose
):
    points = transform_points(scanner_pose, scan_of(part))[::25]
    found = compared(points, scanner_pose, field, Limits((-0.3, 0.3), 1.0))
    assert not found.seen.any()
    assert 'does not count as having seen' in found.registered.note
    assert compared(points, scanner_pose, field, Limits((-0.3, 0.3), 100.0)).seen.any()


def test_a_scan_that_shows_what_no_scanner_there_can_see_is_refused(
    part, field, scan_of, scanner_pose
):
    points = scan_of(part).astype(np.float32)
    behind = Cloud(points, scanner_pose, sensor=np.array([0.0, 0.0, 0.8]))
    told = align([behind], field, SURFACE).registered
    assert 'looks away from the scanner' in told.reason
    assert align([Cloud(points, scanner_pose)], field, SURFACE).registered.ok


def test_surroundings_within_the_parts_box_do_not_count(part, field, scan_of, scanner_pose):
    points = transform_points(scanner_pose, scan_of(part))
    low, high = (-0.03, -0.022, 0.033), (-0.02, -0.01, 0.0345)
    finger = np.random.default_rng(4).uniform(low, high, (900, 3))
    away = field.measure(finger).signed_mm.min()
    surface = SURFACE.model_copy(update={'crop_mm': 0.9 * away})
    both = transform_points(invert(scanner_pose), np.concatenate([points, finger]))
    cloud = Cloud(both.astype(np.float32), scanner_pose, sensor=np.zeros(3))
    assert compare(cloud, field, surface, Limits((-0.3, 0.3))).regions == ()
    kept = SURFACE.model_copy(update={'crop_mm': 50.0})
    assert compare(cloud, field, kept, Limits((-0.3, 0.3))).regions
