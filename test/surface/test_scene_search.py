from functools import cache

import numpy as np
import open3d as o3d
import pytest
from scipy.spatial.transform import Rotation

from inspection_cell.geometry import Intrinsics, invert, look_at, rigid, transform_points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.scene_judgement import judge_pose, scene_part
from inspection_cell.surface.scene_search import find_in_scene
from inspection_cell.surface.scene_view import view_scene
from inspection_cell.surface.symmetry import offset

CAMERA = Intrinsics(160, 120, 200.0, 200.0, 79.5, 59.5)
TO_TABLE = look_at((0.05, -0.25, 0.55), (0.0, 0.0, 0.0))  # transform_camera_to_scene
SENSOR = TO_TABLE[:3, 3]
WITHIN_MM = 1.5
TABLE_M = -0.002  # height of the table
TRUE = rigid(
    Rotation.from_euler('xyz', (4, -7, 130), degrees=True).as_matrix(), (0.05, 0.03, 0.006)
)


def box(size_m, corner_m):
    return o3d.geometry.TriangleMesh.create_box(*size_m).translate(corner_m)


def mesh_of(*shapes) -> ReferenceMesh:
    whole = shapes[0]
    for shape in shapes[1:]:
        whole = whole + shape
    return ReferenceMesh(np.asarray(whole.vertices), np.asarray(whole.triangles))


@cache
def bracket() -> ReferenceMesh:
    """A plate of 90 x 50 mm with a block and a rib: no turn maps it onto itself."""
    plate = box((0.09, 0.05, 0.012), (-0.045, -0.025, 0.0))
    block = box((0.03, 0.03, 0.03), (-0.04, -0.02, 0.012))
    rib = box((0.045, 0.012, 0.02), (-0.005, 0.008, 0.012))
    return mesh_of(plate, block, rib)


@cache
def other() -> ReferenceMesh:
    """About as large, another shape: a stair."""
    steps = [box((0.03, 0.06, 0.015 * (n + 1)), (0.03 * n - 0.045, -0.03, 0.0)) for n in range(3)]
    return mesh_of(*steps)


def table():
    return box((0.9, 0.9, 0.01), (-0.45, -0.45, TABLE_M - 0.01))


def clutter():
    ball = o3d.geometry.TriangleMesh.create_sphere(0.025, 30).translate((-0.08, 0.06, 0.025))
    tube = o3d.geometry.TriangleMesh.create_cylinder(0.02, 0.07, 40).translate(
        (-0.07, -0.06, 0.035)
    )
    return [ball, tube, box((0.05, 0.12, 0.04), (0.13, -0.06, 0.0))]


def placed(mesh: ReferenceMesh, pose):
    shape = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(mesh.vertices), o3d.utility.Vector3iVector(mesh.triangles)
    )
    return shape.transform(pose)


def seen(*shapes, eye=TO_TABLE, seed=0, noise_mm=0.2, lost=0.03):
    """Points in the scene's frame as the camera sees them, with noise along the rays."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[: CAMERA.height, : CAMERA.width]
    rays = CAMERA.rays(np.stack([columns, rows], axis=-1).reshape(-1, 2))
    ranges = mesh_of(*shapes).cast(invert(eye), rays)[0].astype(np.float64)
    ranges += generator.normal(0.0, noise_mm / 1e3, len(ranges))
    kept = np.isfinite(ranges) & (generator.random(len(ranges)) > lost)
    return transform_points(eye, rays[kept] * ranges[kept, None])


@cache
def cluttered():
    return seen(table(), *clutter(), placed(bracket(), TRUE))


@cache
def field_of(mesh):
    return DeviationField(mesh, spacing_m=1.5e-3)


def find(points, mesh, seed=0, **options):
    return find_in_scene(points, field_of(mesh), WITHIN_MM, seed, SENSOR, **options)


def apart(pose, true=TRUE):
    shift_m, angle_rad = offset(invert(pose), invert(true), np.zeros(3))
    return shift_m * 1e3, np.degrees(angle_rad)


@cache
def found_with(seed):
    return find(cluttered(), bracket(), seed)


@pytest.mark.slow
def test_a_part_among_others_on_a_table_is_found_within_1_mm_and_1_degree():
    found = found_with(0)
    assert found.reason == ''
    shift_mm, turned_deg = apart(found.transform_part_to_scene)
    assert shift_mm < 1.0
    assert turned_deg < 1.0
    assert found.explained > 0.95
    assert found.contradicted < 0.05


@pytest.mark.slow
def test_the_same_seed_gives_the_same_pose_again():
    again = find(cluttered(), bracket(), 0)
    assert np.array_equal(found_with(0).transform_part_to_scene, again.transform_part_to_scene)


def test_another_part_of_the_same_size_is_refused_and_told_why():
    found = find(cluttered(), other())
    assert 'explains' in found.reason or 'contradicted' in found.reason


@pytest.mark.slow
def test_without_the_part_the_clutter_alone_is_refused():
    assert find(seen(table(), *clutter()), bracket()).reason


@pytest.mark.parametrize(
    ('points', 'reason'),
    [
        (np.empty((0, 3)), '0 finite points'),
        (np.full((500, 3), np.nan), '0 finite points'),
        (seen(table()), 'stands out'),
        (seen(table()) * 1e4, 'size does not fit'),
    ],
    ids=['empty', 'no numbers', 'a table alone', 'other units'],
)
def test_a_scene_that_cannot_hold_the_part_is_refused_with_its_reason(points, reason):
    found = find(points, bracket())
    assert not found.found
    assert reason in found.reason


def judged(points, pose):
    part = scene_part(bracket())
    size_m = 2 * part.radius_m
    view = view_scene(points, SENSOR, size_m / 60, size_m, WITHIN_MM / 1e3)
    return judge_pose(view, part, pose, WITHIN_MM / 1e3)


def test_the_true_pose_is_explained_and_nothing_speaks_against_it():
    true = judged(cluttered(), TRUE)
    assert true.share > 0.85
    assert true.looked_through < 0.05
    assert true.continued < 0.2


def test_a_pose_in_front_of_the_scene_is_looked_through():
    towards = SENSOR - TRUE[:3, 3]
    raised = rigid(np.eye(3), 0.1 * towards) @ TRUE
    assert judged(cluttered(), raised).looked_through > 0.9


def test_a_pose_behind_the_table_is_hidden_and_explained_by_nothing():
    sunk = rigid(np.eye(3), (0.0, 0.0, -0.1)) @ TRUE
    buried = judged(cluttered(), sunk)
    assert buried.hidden > 0.9
    assert buried.explained < 0.05


def test_a_face_that_lies_in_the_table_is_no_evidence():
    over = Rotation.from_euler('x', 180, degrees=True).as_matrix()
    merged = judged(cluttered(), rigid(over, (0.0, -0.15, TABLE_M)))
    assert merged.merged > 0.9
    assert merged.explained < 0.1


@pytest.mark.slow
def test_a_bar_across_the_part_does_not_hide_where_it_is():
    across = box((0.3, 0.012, 0.012), (-0.1, -0.03, 0.09))
    points = seen(table(), *clutter()[:2], placed(bracket(), TRUE), across)
    found = find(points, bracket(), min_explained=0.6)
    assert 0.6 < found.explained < 0.95
    shift_mm, turned_deg = apart(found.transform_part_to_scene)
    assert shift_mm < 1.0
    assert turned_deg < 1.0


@pytest.mark.slow
def test_a_flat_face_alone_may_slide_and_is_refused():
    above = look_at((0.0, 0.0, 0.55), (0.0, 0.0, 0.0), (0.0, 1.0, 0.0))
    plate = mesh_of(box((0.09, 0.05, 0.03), (-0.045, -0.025, TABLE_M)))
    points = seen(table(), placed(plate, np.eye(4)), eye=above)
    found = find_in_scene(points, field_of(plate), WITHIN_MM, 0, above[:3, 3])
    assert 'does not determine' in found.reason
