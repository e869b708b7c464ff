"""A simulated part as one mesh: what the built-in simulator works in by rays is formed here.

Dents and burrs move vertices, scratches and stains are triangles of another colour; the triangles
are made fine enough for both where a defect lies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from inspection_cell.gazebo.refinement import Triangles, refine
from inspection_cell.geometry import Points
from inspection_cell.recipe import Recipe
from inspection_cell.sim.appearance import MATERIALS, material_ids
from inspection_cell.sim.body import Bump, face_normals
from inspection_cell.sim.defects import TrueDefect
from inspection_cell.sim.marks import Mark
from inspection_cell.sim.parts import part_shape

EDGES_PER_BUMP = 8  # across its radius
EDGES_PER_MARK = 3  # across its width
MARK_EDGE_M = 0.05e-3, 0.15e-3  # the demo cell's cameras have 0.13 mm per pixel
FACING = 0.3  # cosine: a defect lies on faces that look its way


@dataclass(frozen=True, slots=True)
class Finish:
    """How some triangles look: one of MATERIALS, its reflectance multiplied by `gain`."""

    material: int
    gain: float

    @property
    def name(self) -> str:
        """Unique within a part."""
        plain = f'material_{self.material}'
        return plain if self.gain == 1.0 else f'{plain}_times_{self.gain:.4f}'.replace('.', '_')

    @property
    def diffuse_rgb(self) -> tuple[float, ...]:
        """Scattered share of red, green and blue, [0, 1]."""
        return self._rgb(MATERIALS[self.material].diffuse)

    @property
    def specular_rgb(self) -> tuple[float, ...]:
        """Mirrored share of red, green and blue, [0, 1]."""
        return self._rgb(MATERIALS[self.material].glossy)

    def _rgb(self, share: float) -> tuple[float, ...]:
        blue_green_red = MATERIALS[self.material].colour
        return tuple(min(1.0, self.gain * share * value) for value in reversed(blue_green_red))


@dataclass(frozen=True, slots=True)
class PaintedMesh:
    """The surface of one part.

    Attributes:
        vertices: (V, 3) part frame, metres.
        triangles: (T, 3) indices of vertices, wound outward.
        finishes: the looks that occur.
        finish_of: (T,) index into finishes.
    """

    vertices: Points
    triangles: Triangles
    finishes: tuple[Finish, ...]
    finish_of: NDArray[np.intp]


def part_mesh(recipe: Recipe, defects: Sequence[TrueDefect]) -> PaintedMesh:
    """A part of the recipe's type with its defects; raises DataError where there is no mesh."""
    shape = part_shape(recipe, defects)
    bumps = [defect.cause for defect in defects if isinstance(defect.cause, Bump)]
    marks = [defect.cause for defect in defects if isinstance(defect.cause, Mark)]
    vertices, triangles = refine(
        shape.vertices, shape.triangles, partial(_longest_allowed, bumps, marks)
    )
    corners = vertices[triangles]
    normals, centres = face_normals(corners), corners.mean(axis=1)
    materials = material_ids(shape.look, centres * 1000.0, normals).astype(np.intp)
    gains = np.ones(len(triangles))
    for mark in marks:
        gains[(mark.outside_m(centres) < 0) & (normals @ mark.normal > FACING)] *= mark.gain
    looks, finish_of = np.unique(np.stack([materials, gains]), axis=1, return_inverse=True)
    finishes = tuple(Finish(int(material), float(gain)) for material, gain in looks.T)
    for bump in bumps:
        vertices = _raised(vertices, triangles, bump)
    return PaintedMesh(vertices, triangles, finishes, finish_of.reshape(-1))


def _longest_allowed(
    bumps: Sequence[Bump], marks: Sequence[Mark], corners: Points
) -> NDArray[np.float64]:
    centres = corners.mean(axis=1)
    longest = np.linalg.norm(np.roll(corners, -1, axis=1) - corners, axis=2).max(axis=1)
    allowed = np.full(len(corners), np.inf)
    for bump in bumps:
        near = np.linalg.norm(centres - bump.position_m, axis=1) < bump.radius_m + longest
        allowed[near] = np.minimum(allowed[near], bump.radius_m / EDGES_PER_BUMP)
    for mark in marks:
        crossed = np.abs(mark.outside_m(centres)) < 0.6 * longest
        edge_m = np.clip(mark.width_m / EDGES_PER_MARK, *MARK_EDGE_M)
        allowed[crossed] = np.minimum(allowed[crossed], edge_m)
    return allowed


def _raised(vertices: Points, triangles: Triangles, bump: Bump) -> Points:
    """The vertices under a bump moved along its normal, height·(1 - (r/radius)²)²."""
    offsets = vertices - bump.position_m
    heights = offsets @ bump.normal
    shares = (np.einsum('ij,ij->i', offsets, offsets) - heights**2) / bump.radius_m**2
    moved = (shares < 1.0) & (np.abs(heights) < bump.radius_m)
    moved &= _vertex_normals(vertices, triangles) @ bump.normal > FACING
    lifted = vertices.copy()
    lifted[moved] += ((1 - shares[moved]) ** 2 * bump.height_m)[:, None] * bump.normal
    return lifted


def _vertex_normals(vertices: Points, triangles: Triangles) -> Points:
    corners = vertices[triangles]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    total = np.zeros_like(vertices)
    for column in range(3):
        np.add.at(total, triangles[:, column], cross)
    unit: Points = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-30)
    return unit
