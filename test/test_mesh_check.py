import numpy as np
import open3d as o3d
import pytest

from inspection_cell.errors import DataError
from inspection_cell.mesh_check import check_mesh
from inspection_cell.reference import load_mesh


def cube():
    box = o3d.geometry.TriangleMesh.create_box(0.04, 0.03, 0.02)
    return np.asarray(box.vertices).copy(), np.asarray(box.triangles).copy()


def test_a_closed_box_has_its_volume_and_no_problem():
    found = check_mesh(*cube())
    assert found.is_closed
    assert found.volume_m3 == pytest.approx(0.04 * 0.03 * 0.02)
    assert found.problem == ''


def test_a_box_without_a_lid_is_open_and_still_usable():
    vertices, triangles = cube()
    found = check_mesh(vertices, triangles[1:])
    assert (found.border_edges, found.is_closed, found.problem) == (3, False, '')


def test_an_open_sheet_may_face_either_way():
    sheet = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]]) * 0.1
    for triangles in ([[0, 1, 2], [0, 2, 3]], [[0, 2, 1], [0, 3, 2]]):
        assert check_mesh(sheet, np.array(triangles)).problem == ''


def stored(path, vertices, triangles):
    mesh = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(vertices), o3d.utility.Vector3iVector(triangles)
    )
    mesh.compute_triangle_normals()
    o3d.io.write_triangle_mesh(str(path), mesh)


@pytest.mark.parametrize('suffix', ['ply', 'stl', 'obj'])
def test_a_mesh_that_is_inside_out_is_refused_by_name(tmp_path, suffix):
    vertices, triangles = cube()
    path = tmp_path / f'part.{suffix}'
    stored(path, vertices, triangles[:, ::-1])
    with pytest.raises(DataError, match=rf'part.{suffix}: its normals point inwards'):
        load_mesh(path, 'm')


def test_a_mesh_with_a_turned_triangle_is_refused_with_the_number_of_its_edges(tmp_path):
    vertices, triangles = cube()
    triangles[4] = triangles[4, ::-1]
    stored(tmp_path / 'part.ply', vertices, triangles)
    with pytest.raises(DataError, match='3 edges join triangles of opposite winding'):
        load_mesh(tmp_path / 'part.ply', 'm')
