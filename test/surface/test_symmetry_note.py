import numpy as np
import open3d as o3d
import pytest

from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface import symmetry_note as analysed
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.symmetry_note import symmetry_note


def field_of(shape: o3d.geometry.TriangleMesh) -> DeviationField:
    mesh = ReferenceMesh(np.asarray(shape.vertices), np.asarray(shape.triangles))
    return DeviationField(mesh, spacing_m=1.5e-3)


@pytest.fixture(scope='module')
def told(tmp_path_factory):
    """A field, the folder of the caches and the note."""
    field = field_of(o3d.geometry.TriangleMesh.create_cylinder(0.04, 0.03, 5, 1))
    folder = tmp_path_factory.mktemp('data') / 'cache'
    return field, folder, symmetry_note(field, folder)


def test_a_symmetric_part_says_that_the_robots_pose_decides(told):
    _, _, note = told
    assert '10 orientations' in note
    assert "nearest to the robot's pose" in note


def test_it_is_analysed_once_per_mesh(told, monkeypatch):
    field, folder, note = told
    monkeypatch.setattr(analysed, 'find_symmetry', None)
    assert symmetry_note(field, folder) == note


def test_a_part_without_symmetry_has_no_note(tmp_path):
    block = o3d.geometry.TriangleMesh.create_box(0.08, 0.05, 0.03)
    nose = o3d.geometry.TriangleMesh.create_box(0.02, 0.01, 0.01).translate((0.01, 0.005, 0.03))
    assert symmetry_note(field_of(block + nose), tmp_path) == ''
