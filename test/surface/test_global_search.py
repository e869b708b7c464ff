import numpy as np
import open3d as o3d
import pytest
from scipy.spatial.transform import Rotation

from inspection_cell.geometry import invert, look_at, rigid, transform_points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.global_search import PoseSearch
from inspection_cell.surface.symmetry import offset
from inspection_cell.surface.visible_model import ScanRays

HERE = np.zeros(3)


@pytest.fixture(scope='module')
def search(part):
    return PoseSearch(DeviationField(part))


def view(seed: int) -> np.ndarray:
    """`transform_scanner_to_part` from above, anyhow."""
    generator = np.random.default_rng(seed)
    around, up = generator.uniform(0, 2 * np.pi), generator.uniform(0.5, 1.2)
    direction = np.array([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)])
    turn = Rotation.random(random_state=generator).as_matrix()[:, 0]
    return look_at(0.3 * direction + (0, 0, 0.01), (0.0, 0.0, 0.01), turn)


def scanned(part, scan_of, seed, **options):
    true = view(seed)
    return true, scan_of(part, seed=seed, transform_part_to_scanner=invert(true), **options)


@pytest.mark.parametrize('seed', range(6))
def test_from_anywhere_above_the_pose_is_found(part, scan_of, search, seed):
    true, points = scanned(part, scan_of, seed)
    found = search.search(points, 1.0, seed, HERE)
    assert found.reason == ''
    shift_m, angle_rad = offset(found.transform_scan_to_part, true, search.symmetry.centre_m)
    assert shift_m < 0.1e-3
    assert angle_rad < np.radians(0.1)
    assert found.explained > 0.97
    assert found.shown > 0.9


def test_without_a_known_sensor_the_pose_is_found_as_well(part, scan_of, search):
    true, points = scanned(part, scan_of, 3)
    found = search.search(points, 1.0, 0)
    assert found.reason == ''
    assert offset(found.transform_scan_to_part, true, np.zeros(3))[1] < np.radians(0.1)


def test_the_same_seed_gives_the_same_pose_again(part, scan_of, search):
    _, points = scanned(part, scan_of, 1)
    first, second = (search.search(points, 1.0, 5, HERE) for _ in range(2))
    assert np.array_equal(first.transform_scan_to_part, second.transform_scan_to_part)


def test_from_below_the_plate_hides_what_tells_its_orientation_and_it_is_refused(
    part, scan_of, search
):
    true = look_at((0.02, 0.03, -0.3), (0.0, 0.0, 0.0))
    points = scan_of(part, transform_part_to_scanner=invert(true))
    assert search.search(points, 1.0, 0, HERE).reason


def test_a_part_without_its_step_is_no_part_with_it(stepless_part, scan_of, search):
    _, points = scanned(stepless_part, scan_of, 2)
    found = search.search(points, 0.5, 0, HERE)
    assert found.explained < 0.97
    assert search.search(points, 0.5, 0, HERE, min_explained=0.97).reason


def block() -> ReferenceMesh:
    """An L-shaped block with a chamfer: no turn and no reflection maps it onto itself."""
    size = (0.09, 0.04, 0.02)
    whole = o3d.geometry.TriangleMesh.create_box(*size)
    whole += o3d.geometry.TriangleMesh.create_box(0.025, 0.04, 0.035).translate((0, 0, 0.02))
    whole += o3d.geometry.TriangleMesh.create_box(0.012, 0.015, 0.022).translate((0.06, 0, 0.02))
    return ReferenceMesh(np.asarray(whole.vertices), np.asarray(whole.triangles))


def bad_scans(part, scan_of):
    _, points = scanned(part, scan_of, 4)
    _, other = scanned(block(), scan_of, 4)
    generator = np.random.default_rng(0)
    flat = generator.uniform(-0.05, 0.05, (5000, 3))
    flat[:, 2] = 0.3 + generator.normal(0.0, 5e-5, 5000)
    return {
        'no pose fits': other,
        'is a plane': flat,
        'is empty': points[:0],
        '12 finite points': points[:12],
        'is finite': np.full_like(points, np.nan),
        'is mirrored': points * np.float32([-1, 1, 1]),
        'size does not fit': points * 1000,
    }


@pytest.mark.parametrize(
    'reason',
    [
        'no pose fits',
        'is a plane',
        'is empty',
        '12 finite points',
        'is finite',
        'is mirrored',
        'size does not fit',
    ],
)
def test_what_is_no_scan_of_the_part_is_refused_with_its_reason(part, scan_of, search, reason):
    found = search.search(bad_scans(part, scan_of)[reason], 1.0, 0, HERE)
    assert reason in found.reason


def test_a_symmetric_part_is_found_and_says_that_it_is(scan_of):
    prism = o3d.geometry.TriangleMesh.create_cylinder(0.04, 0.03, 6, 1)
    prism += o3d.geometry.TriangleMesh.create_cylinder(0.02, 0.02, 6, 1).translate((0, 0, 0.025))
    mesh = ReferenceMesh(np.asarray(prism.vertices), np.asarray(prism.triangles))
    _, points = scanned(mesh, scan_of, 0)
    found = PoseSearch(DeviationField(mesh)).search(points, 1.0, 0, HERE)
    assert found.reason == ''
    assert '6 orientations' in found.note


def test_a_wall_in_the_wrong_place_is_seen_through(part, search):
    """A scan that looked through the part's place shows none of it."""
    grid = np.stack(np.meshgrid(*(np.linspace(-0.1, 0.1, 90),) * 2), axis=-1).reshape(-1, 2)
    wall = np.column_stack([grid, np.full(len(grid), 0.5)])
    pose = invert(rigid(np.eye(3), (0.0, 0.0, 0.3)))
    shown = search.visible.shown(pose, [ScanRays(wall, HERE)], 1e-3)
    assert shown.looked_through > 0.9
    assert shown.share < 0.05
    moved = transform_points(rigid(np.eye(3), (0, 0, -0.4)), wall)
    assert search.visible.shown(pose, [ScanRays(moved, HERE)], 1e-3).hidden > 0.9
