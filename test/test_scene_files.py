import json

import numpy as np
import open3d as o3d
import pytest
from typer.testing import CliRunner

from inspection_cell.cli.app import app
from inspection_cell.errors import DataError
from inspection_cell.scene_files import SceneRequest, find_in_files
from inspection_cell.views.ply import ply_bytes


@pytest.fixture
def files(tmp_path):
    """A small mesh, and a scan that holds nothing but a table, mm."""
    mesh = o3d.geometry.TriangleMesh.create_box(90, 50, 12)
    mesh += o3d.geometry.TriangleMesh.create_box(30, 30, 42).translate((5, 5, 0))
    mesh.compute_triangle_normals()
    o3d.io.write_triangle_mesh(str(tmp_path / 'part.stl'), mesh)
    across = np.linspace(-200, 200, 120)
    table = np.stack([*np.meshgrid(across, across), np.full((120, 120), 600.0)], axis=-1)
    (tmp_path / 'scene.ply').write_bytes(ply_bytes(table.reshape(-1, 3)))
    return tmp_path


def test_the_command_says_in_json_that_the_part_is_not_there(files):
    words = ['surface', '--scene', '--json']
    words += ['--reference', str(files / 'part.stl'), '--scan', str(files / 'scene.ply')]
    ran = CliRunner().invoke(app, words)
    assert ran.exit_code == 0, ran.output
    said = json.loads(ran.stdout.splitlines()[-1])
    assert said['found'] is False
    assert 'stands out' in said['reason']
    assert np.array(said['transform']).shape == (4, 4)
    assert said['explained'] == 0.0


def test_a_scene_is_one_scan(files):
    scans = [files / 'scene.ply'] * 2
    with pytest.raises(DataError, match='one scan'):
        find_in_files(files / 'part.stl', scans, 'mm', SceneRequest())
