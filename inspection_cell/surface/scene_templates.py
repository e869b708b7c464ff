"""How a part looks from all around: few points of what is seen, and few beside its outline."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial.transform import Rotation

from inspection_cell.surface.batch_alignment import even_rotations
from inspection_cell.surface.scene_judgement import ScenePart

ROTATIONS = 2400
_SIDE = 24  # rays along a picture
_WIDER = 1.15  # picture to the part
_INNER, _OUTER = 28, 16  # points
_BESIDE = (1.01, 2.3)  # rays beside the outline
_MOST_REAR = 0.3  # share of rays that may meet the inside of an open mesh

Single = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """One look at the part. Axes: x and y across the line of sight, z along it; metres.

    Attributes:
        rotation: (3, 3) part frame to these axes.
        inner: (P, 3) points seen, from the part's centre.
        outer: (Q, 3) points beside the outline, at the depth of the nearest point seen.
        area_m2: seen, across the line of sight.
    """

    rotation: NDArray[np.float64]
    inner: Single
    outer: Single
    area_m2: float


def look_from_everywhere(
    part: ScenePart, distance_m: float, generator: np.random.Generator
) -> list[Template]:
    """Templates of evenly spread orientations, seen from a distance.

    Args:
        part: to be found.
        distance_m: at which it is expected: near things look different from far ones.
        generator: that turns the orientations and draws the points.
    """
    turn = Rotation.random(random_state=generator).as_matrix()
    distance_m = max(distance_m, 1.5 * part.radius_m)
    along = np.linspace(-1, 1, _SIDE) * part.radius_m * _WIDER
    across = np.stack([*np.meshgrid(along, along), np.zeros((_SIDE, _SIDE))], axis=-1)
    found = (
        _look(part, rotation, across.reshape(-1, 3), distance_m, generator)
        for rotation in even_rotations(ROTATIONS) @ turn
    )
    return [template for template in found if template is not None]


def _look(
    part: ScenePart,
    rotation: NDArray[np.float64],
    across: NDArray[np.float64],
    distance_m: float,
    generator: np.random.Generator,
) -> Template | None:
    """One look along rays through points (R, 3) across the part's centre."""
    rays = across + np.array([0.0, 0.0, distance_m])
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    origin = part.centre - distance_m * rotation[2]
    ranges, faces = part.mesh.cast_from(origin[None], rays @ rotation)
    hit = np.isfinite(ranges)
    normals = part.mesh.normals[faces[hit]] @ rotation.T
    outside = np.einsum('ij,ij->i', normals, rays[hit]) < 0
    if outside.sum() < max(_INNER // 2, (1 - _MOST_REAR) * hit.sum()):
        return None
    rows = np.flatnonzero(hit)[outside]
    points = rays * np.where(hit, ranges, 0.0)[:, None] - (0.0, 0.0, distance_m)
    side = across[1, 0] - across[0, 0]
    outer = _beside(across, points, hit, generator)
    inner = points[_drawn(rows, _INNER, generator)]
    return Template(
        rotation, inner.astype(np.float32), outer.astype(np.float32), len(rows) * side**2
    )


def _beside(
    across: NDArray[np.float64],
    points: NDArray[np.float64],
    hit: NDArray[np.bool_],
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    distances, nearest = distance_transform_edt(~hit.reshape(_SIDE, _SIDE), return_indices=True)
    low, high = _BESIDE
    ring = np.flatnonzero(((distances > low) & (distances < high)).reshape(-1))
    rows = _drawn(ring, _OUTER, generator)
    edges = (nearest[0] * _SIDE + nearest[1]).reshape(-1)[rows]
    return np.column_stack([across[rows, :2], points[edges, 2]])


def _drawn(rows: NDArray[np.intp], count: int, generator: np.random.Generator) -> NDArray[np.intp]:
    if len(rows) < count:
        return np.resize(rows, count)
    return rows[np.sort(generator.permutation(len(rows))[:count])]
