import numpy as np
import open3d as o3d
import pytest
from scipy.spatial.transform import Rotation

from inspection_cell.geometry import rigid
from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.coarse_field import CoarseField
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.symmetry import (
    about,
    equivalent,
    find_symmetry,
)


def analysed(*shapes: o3d.geometry.TriangleMesh, tolerance_mm: float | None = None):
    whole = shapes[0]
    for shape in shapes[1:]:
        whole += shape
    turn = Rotation.from_rotvec((0.4, -1.1, 0.7)).as_matrix()  # along no axis of the frame
    vertices = np.asarray(whole.vertices) @ turn.T + (0.02, -0.05, 0.11)
    mesh = ReferenceMesh(vertices, np.asarray(whole.triangles))
    return turn, find_symmetry(
        DeviationField(mesh, spacing_m=1.5e-3), CoarseField(mesh), tolerance_mm
    )


def prism(sides: int) -> o3d.geometry.TriangleMesh:
    return o3d.geometry.TriangleMesh.create_cylinder(0.04, 0.03, sides, 1)


def box(*size_m: float) -> o3d.geometry.TriangleMesh:
    return o3d.geometry.TriangleMesh.create_box(*size_m).translate(-np.array(size_m) / 2)


@pytest.fixture(scope='module')
def symmetries():
    cylinder = o3d.geometry.TriangleMesh.create_cylinder(0.02, 0.07, 120, 1)
    return [analysed(shape)[1] for shape in (prism(6), cylinder)]


@pytest.mark.parametrize(
    ('shape', 'count'),
    [
        (box(0.08, 0.05, 0.03), 4),
        (box(0.06, 0.06, 0.03), 8),
        (box(0.06, 0.06, 0.06), 24),
        (prism(5), 10),
        (prism(12), 24),
    ],
)
def test_every_rotation_of_a_regular_shape_is_found_once(shape, count):
    _, symmetry = analysed(shape)
    assert len(symmetry.turns) == count
    assert symmetry.axis is None
    assert max(turn.worst_mm for turn in symmetry.turns) < 0.02
    assert f'{count} orientations' in symmetry.text


def test_a_small_nose_breaks_the_symmetry_and_leaves_near_ones():
    nose = box(0.006, 0.006, 0.004).translate((0.03, 0.015, 0.016))
    _, symmetry = analysed(box(0.08, 0.05, 0.03), nose)
    assert len(symmetry.turns) == 1
    assert len(symmetry.near) >= 3
    assert symmetry.text == ''


@pytest.mark.slow
def test_a_cone_is_turned_about_its_axis_and_not_reversible():
    turn, symmetry = analysed(o3d.geometry.TriangleMesh.create_cone(0.03, 0.06, 120))
    assert abs(symmetry.axis @ turn[:, 2]) > np.cos(np.radians(0.05))
    assert len(symmetry.turns) == 1
    assert not symmetry.sphere
    assert 'is turned about' in symmetry.text


def test_a_cylinder_is_turned_and_reversible(symmetries):
    symmetry = symmetries[1]
    assert symmetry.axis is not None
    assert len(symmetry.turns) == 2


def test_a_ball_has_no_orientation():
    _, symmetry = analysed(o3d.geometry.TriangleMesh.create_sphere(0.03, 60))
    assert symmetry.sphere
    assert 'ball' in symmetry.text


@pytest.mark.parametrize('seed', range(5))
def test_poses_that_differ_by_a_symmetry_are_equivalent(symmetries, seed):
    generator = np.random.default_rng(seed)
    for symmetry in symmetries:
        rotation = Rotation.random(random_state=generator).as_matrix()
        robot = rigid(rotation, generator.normal(0.0, 0.1, 3))
        member = symmetry.turns[generator.integers(len(symmetry.turns))].transform_part_to_part
        if symmetry.axis is not None:
            angle = generator.uniform(0, 2 * np.pi)
            member = member @ about(symmetry.centre_m, symmetry.axis * angle)
        assert equivalent(member @ robot, robot, symmetry, 0.1e-3, np.radians(0.1))
        tilted = about(symmetry.centre_m, np.radians(20) * rotation[:, 0]) @ robot
        tilted[:3, 3] += 2e-3
        assert not equivalent(tilted, robot, symmetry, 1e-3, np.radians(1.0))


@pytest.mark.slow
def test_the_same_mesh_gives_the_same_symmetry_again():
    first, second = analysed(prism(5))[1], analysed(prism(5))[1]
    assert all(
        np.array_equal(a.transform_part_to_part, b.transform_part_to_part)
        for a, b in zip(first.turns, second.turns, strict=True)
    )
