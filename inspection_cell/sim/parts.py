"""The part types of the simulated cell and how their reference meshes are written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.geometry import Points
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh, load_mesh
from inspection_cell.sim.body import Body, Bump
from inspection_cell.sim.bracket import BORES as BRACKET_BORES
from inspection_cell.sim.bracket import SCREWS, build_bracket
from inspection_cell.sim.defects import DisplacedBore, MissingScrew, TrueDefect
from inspection_cell.sim.marks import Mark
from inspection_cell.sim.ring import BORES as RING_BORES
from inspection_cell.sim.ring import build_ring
from inspection_cell.sim.shapes import Bore, Screw, Variant
from inspection_cell.sim.solids import Solid


@dataclass(frozen=True, slots=True)
class PartType:
    """A part type that can also be built with wrong geometry."""

    build: Callable[[Variant], Solid]
    bores: tuple[Bore, ...] = ()
    screws: tuple[Screw, ...] = ()


@dataclass(frozen=True, slots=True)
class PartShape:
    """The triangles of one part.

    Attributes:
        look: a part type whose materials are known, or empty.
        vertices: (V, 3) part frame, metres.
        triangles: (T, 3) int32.
    """

    look: str
    vertices: Points
    triangles: NDArray[np.int32]


PART_TYPES: Mapping[str, PartType] = MappingProxyType(
    {
        'bracket': PartType(lru_cache(maxsize=32)(build_bracket), BRACKET_BORES, SCREWS),
        'ring': PartType(lru_cache(maxsize=32)(build_ring), RING_BORES),
    }
)


def write_reference(part_type: str, path: Path) -> None:
    """Write the nominal shape of one of `PART_TYPES` as a binary PLY file in mm."""
    solid = PART_TYPES[part_type].build(Variant())
    mesh = o3d.t.geometry.TriangleMesh()
    mesh.vertex.positions = o3d.core.Tensor(solid.vertices.astype(np.float32))
    mesh.triangle.indices = o3d.core.Tensor(solid.triangles)
    o3d.t.io.write_triangle_mesh(str(path), mesh)


def reference_body(recipe: Recipe) -> Body:
    """A good part: the recipe's reference mesh with the look of its part type."""
    mesh, look = _reference(recipe.part_type, recipe.sha256, *_mesh_of(recipe))
    return _good_body(look, mesh)


def defective_body(recipe: Recipe, defects: Sequence[TrueDefect]) -> Body:
    """A part with defects; screws and bores only for `PART_TYPES`."""
    shape = part_shape(recipe, defects)
    bumps = [defect.cause for defect in defects if isinstance(defect.cause, Bump)]
    marks = [defect.cause for defect in defects if isinstance(defect.cause, Mark)]
    return Body(shape.look, shape.vertices, shape.triangles, bumps=bumps, marks=marks)


def part_shape(recipe: Recipe, defects: Sequence[TrueDefect]) -> PartShape:
    """A part with missing screws and displaced bores, without what lies on its surface.

    Raises:
        DataError: without a reference mesh, or when it is none of `PART_TYPES` and would change.
    """
    variant = Variant()
    for cause in (defect.cause for defect in defects):
        if isinstance(cause, MissingScrew):
            missing = variant.missing_screws | {cause.index}
            variant = replace(variant, missing_screws=missing)
        elif isinstance(cause, DisplacedBore):
            variant = replace(variant, displaced_bore=cause.index, offset=cause.offset_mm)
    mesh, look = _reference(recipe.part_type, recipe.sha256, *_mesh_of(recipe))
    if variant == Variant():
        return PartShape(look, mesh.vertices, mesh.triangles)
    if not look:
        raise DataError(f'{recipe.path}: the simulator cannot rebuild this reference mesh')
    solid = PART_TYPES[recipe.part_type].build(variant)
    return PartShape(look, solid.vertices / 1000.0, solid.triangles)


@lru_cache(maxsize=8)
def _reference(
    part_type: str, _sha256: str, path: Path, units: Literal['mm', 'm']
) -> tuple[ReferenceMesh, str]:
    """The mesh and its look: the part type where the mesh is the one that we build, else ''."""
    mesh = load_mesh(path, units)
    if part_type in PART_TYPES:
        solid = PART_TYPES[part_type].build(Variant())
        size_m = np.ptp(solid.vertices, axis=0) / 1000.0
        same = len(solid.triangles) == len(mesh.triangles)
        if same and np.allclose(np.ptp(mesh.vertices, axis=0), size_m, atol=1e-6):
            return mesh, part_type
    return mesh, ''


@lru_cache(maxsize=8)
def _good_body(look: str, mesh: ReferenceMesh) -> Body:
    return Body(look, mesh.vertices, mesh.triangles)


def _mesh_of(recipe: Recipe) -> tuple[Path, Literal['mm', 'm']]:
    reference = recipe.file.reference
    if recipe.mesh_path is None or reference == 'none':
        raise DataError(f'{recipe.path}: the simulator needs a reference mesh')
    return recipe.mesh_path, reference.units
