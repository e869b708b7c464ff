from dataclasses import replace
from pathlib import Path

import numpy as np
import open3d as o3d
import pytest
from scipy.spatial.transform import Rotation

from inspection_cell.cell import Cell
from inspection_cell.observations import Image, Scan
from inspection_cell.recipe import Recipe
from inspection_cell.reference import load_mesh
from inspection_cell.sim.defects import DefectKind
from inspection_cell.sim.parts import PART_TYPES, reference_body, write_reference
from inspection_cell.sim.plan import plan_parts
from inspection_cell.sim.shapes import Variant
from inspection_cell.sim.station import Station


@pytest.mark.parametrize('part_type', ['bracket', 'ring'])
def test_the_shipped_reference_mesh_is_what_the_generator_builds(
    part_type: str, request: pytest.FixtureRequest
) -> None:
    recipe: Recipe = request.getfixturevalue(part_type)
    assert recipe.mesh_path is not None
    shipped = load_mesh(recipe.mesh_path, 'mm')
    built = PART_TYPES[part_type].build(Variant())
    assert len(shipped.triangles) == len(built.triangles)
    assert np.ptp(shipped.vertices, axis=0) == pytest.approx(
        np.ptp(built.vertices, axis=0) / 1000.0, abs=1e-7
    )


def test_writing_a_reference_mesh_gives_the_shipped_bytes(ring: Recipe, tmp_path: Path) -> None:
    write_reference('ring', tmp_path / 'ring.ply')
    assert ring.mesh_path is not None
    assert (tmp_path / 'ring.ply').read_bytes() == ring.mesh_path.read_bytes()


def test_the_recipe_expects_the_screws_where_the_bracket_has_their_heads(bracket: Recipe) -> None:
    assert bracket.file.detection is not None
    (feature,) = bracket.file.detection.features
    heads = [(*s.seat[:2], s.seat[2] + s.height) for s in PART_TYPES['bracket'].screws]
    assert sorted(feature.positions_mm) == sorted(heads)


@pytest.mark.parametrize('part_type', ['bracket', 'ring'])
def test_no_turn_about_any_axis_maps_a_part_onto_itself(
    part_type: str, request: pytest.FixtureRequest
) -> None:
    recipe: Recipe = request.getfixturevalue(part_type)
    assert recipe.mesh_path is not None
    mesh = load_mesh(recipe.mesh_path, 'mm')
    middle = (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0)) / 2
    for axis in np.eye(3):
        for angle in np.deg2rad(np.arange(20.0, 360.0, 20.0)):
            turned = Rotation.from_rotvec(axis * angle).apply(mesh.samples - middle) + middle
            query = o3d.core.Tensor(turned.astype(np.float32))
            distances = mesh.scene.compute_distance(query).numpy()
            assert np.quantile(distances, 0.98) > 0.001


def with_mesh(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with a torus under the name of its reference mesh."""
    torus = o3d.geometry.TriangleMesh.create_torus(40.0, 14.0, 120, 80)
    o3d.io.write_triangle_mesh(str(folder / 'torus.ply'), torus)
    reference = recipe.file.reference.model_copy(update={'mesh': 'torus.ply'})
    file = recipe.file.model_copy(update={'reference': reference})
    return replace(recipe, path=folder / 'recipe.yaml', file=file)


def test_any_reference_mesh_gets_defects_images_and_scans(
    cell: Cell, bracket: Recipe, tmp_path: Path
) -> None:
    recipe = with_mesh(bracket, tmp_path)
    assert reference_body(recipe).look == ''
    parts = plan_parts(cell, [recipe], 8, seed=3)
    kinds = {defect.kind for part in parts for defect in part.defects}
    assert kinds == {DefectKind.SCRATCH, DefectKind.STAIN, DefectKind.DENT, DefectKind.BURR}
    station = Station(cell, [recipe], 3)
    shown = station.present(next(part for part in parts if not part.good), 'top')
    image, scan = station.observe(shown, 'left'), station.observe(shown, 'scanner')
    assert isinstance(image, Image)
    assert isinstance(scan, Scan)
    assert (image.pixels.max(axis=2) > 40).mean() > 0.1
    assert len(scan.points) > 30_000
