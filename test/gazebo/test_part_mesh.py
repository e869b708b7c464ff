"""Parts as Gazebo gets them, against the same parts in the built-in simulator."""

import numpy as np
import open3d as o3d
import pytest

from inspection_cell.bringup import load_recipes
from inspection_cell.cell import load_cell
from inspection_cell.gazebo.obj_files import write_obj
from inspection_cell.gazebo.part_mesh import part_mesh
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.sim.body import face_normals
from inspection_cell.sim.defects import DefectKind
from inspection_cell.sim.parts import defective_body
from inspection_cell.sim.placement import Placer
from inspection_cell.sim.viewpoints import viewpoints

SHAPES = [DefectKind.DENT, DefectKind.BURR, DefectKind.DISPLACED_BORE, DefectKind.MISSING_SCREW]


@pytest.fixture(scope='module')
def drawn():
    """Draws a defect on the bracket where a sensor of the demo cell sees it."""
    cell = load_cell(demo_cell())
    bracket = next(r for r in load_recipes(cell, demo_recipes()) if r.part_type == 'bracket')
    placer = Placer('bracket', defective_body(bracket, ()), viewpoints(cell, bracket))

    def draw(kind, seed=0):
        return bracket, placer.draw(kind, np.random.default_rng(seed))

    return draw


def read(path):
    mesh = o3d.io.read_triangle_mesh(str(path))
    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(o3d.t.geometry.TriangleMesh.from_legacy(mesh))
    return mesh, scene


def rays_around(defect, count=4000):
    """Rays that end near the defect, from 0.3 m away within 30 degrees of its normal."""
    generator = np.random.default_rng(1)
    targets = defect.position_m + generator.uniform(-1, 1, (count, 3)) * defect.extent_mm / 1500
    away = defect.normal + generator.uniform(-0.4, 0.4, (count, 3))
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    return np.concatenate([targets + 0.3 * away, -away], axis=1).astype(np.float32)


@pytest.mark.parametrize('kind', SHAPES)
@pytest.mark.parametrize('seed', [0, 1])
def test_the_written_part_has_the_shape_of_the_simulated_one(drawn, tmp_path, kind, seed):
    bracket, defect = drawn(kind, seed)
    body = defective_body(bracket, [defect])
    write_obj(part_mesh(bracket, [defect]), tmp_path / 'part.obj')
    _, scene = read(tmp_path / 'part.obj')
    rays = rays_around(defect)
    hits = body.cast(rays)
    ranges = scene.cast_rays(o3d.core.Tensor(rays))['t_hit'].numpy()[hits.rows]
    assert len(hits.rows) > 0.9 * len(rays)
    difference_mm = 1000 * np.abs(ranges - hits.ranges)
    assert np.quantile(difference_mm, 0.98) < 0.03
    good = part_mesh(bracket, ())
    write_obj(good, tmp_path / 'good.obj')
    plain = read(tmp_path / 'good.obj')[1].cast_rays(o3d.core.Tensor(rays))['t_hit'].numpy()
    assert 1000 * np.nanmax(np.abs(ranges - plain[hits.rows])) > 0.5 * defect.size_mm


@pytest.mark.parametrize('kind', [DefectKind.SCRATCH, DefectKind.STAIN])
@pytest.mark.parametrize('seed', [0, 1, 2])
def test_a_mark_is_painted_in_its_size_and_changes_no_shape(drawn, tmp_path, kind, seed):
    bracket, defect = drawn(kind, seed)
    mesh, good = part_mesh(bracket, [defect]), part_mesh(bracket, ())
    marked = np.array([finish.gain != 1.0 for finish in mesh.finishes])[mesh.finish_of]
    corners = mesh.vertices[mesh.triangles]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas_mm2 = 0.5e6 * np.linalg.norm(cross, axis=1)
    mark = defect.cause
    length, width = 1000 * mark.length_m, 1000 * mark.width_m
    expected = np.pi / 4 * length * width if mark.round else length * width + width**2
    assert areas_mm2[marked].sum() == pytest.approx(expected, rel=0.15)
    assert (np.linalg.norm(corners[marked].mean(axis=1) - mark.position_m, axis=1) < length).all()
    whole = good.vertices[good.triangles]
    plain = np.cross(whole[:, 1] - whole[:, 0], whole[:, 2] - whole[:, 0])
    assert areas_mm2.sum() == pytest.approx(0.5e6 * np.linalg.norm(plain, axis=1).sum())
    darker = [finish for finish in mesh.finishes if finish.gain != 1.0]
    assert [finish.gain for finish in darker] == pytest.approx([mark.gain] * len(darker))


def test_the_files_carry_materials_and_outward_normals(drawn, tmp_path):
    bracket, stain = drawn(DefectKind.STAIN)
    written = part_mesh(bracket, [stain])
    write_obj(written, tmp_path / 'part.obj')
    mesh, _ = read(tmp_path / 'part.obj')
    assert len(mesh.triangles) == len(written.triangles)
    text = (tmp_path / 'part.obj').read_text()
    assert 'mtllib part.mtl' in text
    used = {line.split()[1] for line in text.splitlines() if line.startswith('usemtl')}
    lines = (tmp_path / 'part.mtl').read_text().splitlines()
    assert used == {line.split()[1] for line in lines if line.startswith('newmtl')}
    assert len(used) == len(written.finishes)
    for line in lines:
        if line.startswith(('Kd', 'Ks')):
            assert all(0 <= float(value) <= 1 for value in line.split()[1:])
    rows = [line.split() for line in text.splitlines()]
    normals = np.array([row[1:] for row in rows if row[0] == 'vn'], dtype=float)
    corners = [[pair.split('//') for pair in row[1:]] for row in rows if row[0] == 'f']
    indices = np.array(corners, dtype=int) - 1
    faces = face_normals(written.vertices[indices[..., 0]])
    assert (np.einsum('tci,ti->tc', normals[indices[..., 1]], faces) > 0.5).mean() > 0.999


def test_the_smallest_defect_of_every_kind_can_be_written(drawn, tmp_path):
    for kind in DefectKind:
        bracket, defect = drawn(kind, seed=7)
        write_obj(part_mesh(bracket, [defect]), tmp_path / f'{kind}.obj')
        assert (tmp_path / f'{kind}.mtl').stat().st_size > 0
