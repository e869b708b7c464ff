"""The reference mesh against solids whose areas and visibility are known."""

import numpy as np
import open3d as o3d
import pytest

from inspection_cell.errors import DataError
from inspection_cell.geometry import from_rpy, invert, look_at
from inspection_cell.reference import SAMPLES, ReferenceMesh, load_mesh

SIZE_M = np.array([0.1, 0.06, 0.02])


def box_arrays(size_m=SIZE_M):
    box = o3d.geometry.TriangleMesh.create_box(*size_m)
    return np.asarray(box.vertices) - np.asarray(size_m) / 2, np.asarray(box.triangles)


@pytest.fixture(scope='module')
def box():
    return ReferenceMesh(*box_arrays())


def save(path, vertices_mm, triangles):
    mesh = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(vertices_mm), o3d.utility.Vector3iVector(triangles)
    )
    mesh.compute_vertex_normals()
    assert o3d.io.write_triangle_mesh(str(path), mesh)
    return path


@pytest.mark.parametrize('suffix', ['.ply', '.stl', '.obj'])
def test_each_format_gives_the_same_closed_solid_in_metres(tmp_path, suffix):
    vertices, triangles = box_arrays()
    mesh = load_mesh(save(tmp_path / f'box{suffix}', vertices * 1000, triangles), 'mm')
    assert len(mesh.vertices) == 8  # an STL file repeats each corner in every triangle
    assert mesh.areas.sum() == pytest.approx(0.0184)
    assert mesh.diagonal_m == pytest.approx(np.linalg.norm(SIZE_M))
    outward = np.einsum('ij,ij->i', mesh.vertices[mesh.triangles].mean(axis=1), mesh.normals)
    assert (outward > 0).all()


def test_samples_are_on_the_surface_and_as_many_per_face_as_its_area_demands(box):
    distance = np.abs(np.abs(box.samples) - SIZE_M / 2)
    assert np.allclose(distance.min(axis=1), 0.0, atol=1e-12)
    assert (np.abs(box.samples) <= SIZE_M / 2 + 1e-12).all()
    for axis in range(3):
        for sign in (-1.0, 1.0):
            area = np.prod(SIZE_M) / SIZE_M[axis]
            on_face = box.sample_normals[:, axis] * sign > 0.5
            assert abs(on_face.sum() - SAMPLES * area / box.areas.sum()) <= 2


def test_samples_are_the_same_for_every_instance(box):
    again = ReferenceMesh(*box_arrays())
    assert np.array_equal(again.samples, box.samples)
    assert np.array_equal(again.sample_normals, box.sample_normals)
    assert again.sha256 == box.sha256


@pytest.mark.parametrize('eye_m', [(0.0, 0.0, 0.5), (0.3, 0.2, 0.4), (-0.4, 0.0, 0.0)])
def test_of_a_box_exactly_the_faces_that_look_at_the_sensor_are_visible(box, eye_m):
    part_to_cell = from_rpy((0.02, 0.01, 0.0), (0.0, 0.0, 0.0))
    sensor_to_cell = look_at(np.add(eye_m, (0.02, 0.01, 0.0)), (0.02, 0.01, 0.0))
    part_to_sensor = invert(sensor_to_cell) @ part_to_cell
    seen = box.visible(box.samples, box.sample_normals, part_to_sensor, np.radians(89.9))
    to_sensor = np.asarray(eye_m) - box.samples
    cosine = np.einsum('ij,ij->i', box.sample_normals, to_sensor)
    cosine /= np.linalg.norm(to_sensor, axis=1)
    assert np.array_equal(seen, cosine > np.cos(np.radians(89.9)))
    assert 0 < seen.sum() < SAMPLES


def test_a_surface_behind_another_is_not_visible():
    lower, triangles = box_arrays()
    upper = lower * 0.5 + (0.0, 0.0, 0.1)
    mesh = ReferenceMesh(np.vstack([lower, upper]), np.vstack([triangles, triangles + 8]))
    top = np.array([[0.0, 0.0, SIZE_M[2] / 2], [0.045, 0.025, SIZE_M[2] / 2]])
    normals = np.tile((0.0, 0.0, 1.0), (2, 1))
    part_to_sensor = invert(look_at((0.0, 0.0, 1.0), (0.0, 0.0, 0.0)))
    assert mesh.visible(top, normals, part_to_sensor, 1.4).tolist() == [False, True]


def test_surfaces_that_all_look_away_are_simply_unseen(box):
    part_to_sensor = invert(look_at((0.0, 0.0, 1.0), (0.0, 0.0, 0.0)))
    below = np.array([[0.0, 0.0, -0.01]])
    assert not box.visible(below, np.array([[0.0, 0.0, -1.0]]), part_to_sensor, 1.4).any()


def test_rays_hit_where_the_part_is(box):
    part_to_sensor = invert(look_at((0.0, 0.0, 0.5), (0.0, 0.0, 0.0)))
    directions = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    distances, _ = box.cast(part_to_sensor, directions)
    assert distances[0] == pytest.approx(0.49, abs=1e-6)
    assert np.isinf(distances[1])


def test_triangles_without_an_area_are_dropped():
    vertices, triangles = box_arrays()
    flat = np.vstack([triangles, [(0, 0, 1), (2, 2, 2)]])
    assert np.array_equal(ReferenceMesh(vertices, flat).triangles.shape, (12, 3))


@pytest.mark.parametrize(
    ('vertices', 'triangles'),
    [
        (np.zeros((3, 3)), np.array([[0, 1, 2]])),
        (np.full((3, 3), np.nan), np.array([[0, 1, 2]])),
        (np.eye(3), np.array([[0, 1, 3]])),
        (np.eye(3), np.array([[0, 1, -1]])),
        (np.eye(3), np.empty((0, 3), np.int64)),
    ],
)
def test_arrays_that_are_no_surface_are_refused(vertices, triangles):
    with pytest.raises(DataError, match='reference mesh'):
        ReferenceMesh(vertices, triangles)


@pytest.mark.parametrize('name', ['absent.ply', 'junk.ply', 'junk.stl', 'junk.obj', 'junk.txt'])
def test_files_that_hold_no_surface_are_refused_by_name(tmp_path, name):
    if not name.startswith('absent'):
        (tmp_path / name).write_bytes(b'\x00junk\n' * 40)
    with pytest.raises(DataError, match=name):
        load_mesh(tmp_path / name, 'mm')
