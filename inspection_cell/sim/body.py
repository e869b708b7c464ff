"""One physical part: its true surface with dents and burrs, and the rays that hit it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from inspection_cell.geometry import Points
from inspection_cell.sim.appearance import Ids, material_ids
from inspection_cell.sim.marks import Mark

CREASE_COS = np.cos(np.deg2rad(35.0))  # sharper edges than this are not smoothed
PROBE_M = 0.003  # bumps are laid onto the surface from this height
LIFT_M = 2e-6  # burrs begin this high above the surface, so that rays hit them first
CURVED = 0.9999


@dataclass(frozen=True, slots=True)
class Bump:
    """A dent (negative height) or burr on the surface: height·(1 - (r/radius)²)²."""

    position_m: NDArray[np.float64]
    normal: NDArray[np.float64]
    height_m: float
    radius_m: float


@dataclass(frozen=True, slots=True)
class Hits:
    """Where rays met the surface; rows are the rays that hit.

    Attributes:
        rows: (N,) index of the ray.
        ranges: (N,) metres along the ray.
        points: (N, 3) part frame, metres.
        normals: (N, 3) unit, smoothed for shading.
        faces: (N, 3) unit normals of the triangles.
        outer: (N, 3) as `points`, but on the surface before it was dented.
        materials: (N,) index into MATERIALS.
    """

    rows: NDArray[np.intp]
    ranges: NDArray[np.float32]
    points: NDArray[np.float32]
    normals: NDArray[np.float32]
    faces: NDArray[np.float32]
    outer: NDArray[np.float32]
    materials: Ids


@dataclass(frozen=True, slots=True)
class _Patch:
    corners: Points  # (T, 3, 3)
    normals: NDArray[np.float32]  # (T, 3, 3)
    material: int


class Body:
    """A part in its own frame, metres, with its marks."""

    def __init__(
        self,
        look: str,
        vertices: Points,
        triangles: NDArray[np.int32],
        *,
        bumps: Sequence[Bump] = (),
        marks: Sequence[Mark] = (),
    ) -> None:
        """Build the ray casting scenes: the surface with its burrs, and the dents apart.

        `look` is a part type whose materials are known; any other name gives brushed metal.
        """
        self.look = look
        self.marks = tuple(marks)
        self.vertices = vertices
        corners = vertices[triangles]
        self._corners = corners
        self._scene = _scene(corners)
        self._describe(corners, smooth_normals(corners, triangles))
        burrs = [self._patch(bump) for bump in bumps if bump.height_m > 0]
        self._dents = tuple(bump for bump in bumps if bump.height_m < 0)
        dents = [self._patch(dent) for dent in self._dents]
        self._first_dent = len(corners) + sum(len(burr.corners) for burr in burrs)
        self._dent_scene = _scene(np.concatenate([d.corners for d in dents])) if dents else None
        if burrs:
            self._scene = _scene(np.concatenate([corners, *(burr.corners for burr in burrs)]))
        for patch in [*burrs, *dents]:
            self._extend(patch)

    def triangles_in_space(self) -> tuple[Points, NDArray[np.float32]]:
        """Corners (T, 3, 3) and outward normals (T, 3) of the surface without bumps."""
        return self._corners, self._faces[: len(self._corners)]

    def material_of(self, triangle: int) -> int:
        """Index into MATERIALS of one triangle."""
        return int(self._materials[triangle])

    def hit_ranges(self, rays: NDArray[np.float32]) -> NDArray[np.float32]:
        """Distance (N,) along rays (N, 6) to the surface without its dents; inf for no hit."""
        ranges: NDArray[np.float32] = self._scene.cast_rays(o3d.core.Tensor(rays))['t_hit'].numpy()
        return ranges

    def occluded(self, rays: NDArray[np.float32], far_m: float) -> NDArray[np.bool_]:
        """Whether something lies on rays (N, 6) within `far_m`."""
        hit: NDArray[np.bool_] = self._scene.test_occlusions(
            o3d.core.Tensor(rays), 0.0, far_m
        ).numpy()
        return hit

    def cast(self, rays: NDArray[np.float32]) -> Hits:
        """Where rays (N, 6), origin and unit direction in the part frame, meet the surface."""
        answer = self._scene.cast_rays(o3d.core.Tensor(rays))
        ranges = answer['t_hit'].numpy()
        rows = np.flatnonzero(np.isfinite(ranges))
        ranges = ranges[rows]
        triangles = answer['primitive_ids'].numpy()[rows].astype(np.int64)
        uv = answer['primitive_uvs'].numpy()[rows]
        points = rays[rows, :3] + ranges[:, None] * rays[rows, 3:]
        outer = points.copy() if self._dents else points
        for dent in self._dents:
            self._recast(dent, rays, rows, points, ranges, triangles, uv)
        normals = self._faces[triangles]
        curved = np.flatnonzero(self._curved[triangles])
        normals[curved] = _interpolate(self._corner_normals[triangles[curved]], uv[curved])
        faces = self._faces[triangles]
        return Hits(rows, ranges, points, normals, faces, outer, self._materials[triangles])

    def _recast(
        self,
        dent: Bump,
        rays: NDArray[np.float32],
        rows: NDArray[np.intp],
        points: NDArray[np.float32],
        ranges: NDArray[np.float32],
        triangles: NDArray[np.int64],
        uv: NDArray[np.float32],
    ) -> None:
        """Let rays that meet the surface inside the dent's rim go on to the dent."""
        offsets = points - dent.position_m.astype(np.float32)
        heights = offsets @ dent.normal.astype(np.float32)
        distances2 = np.einsum('ij,ij->i', offsets, offsets) - heights**2
        inside = (distances2 < dent.radius_m**2) & (np.abs(heights) < dent.radius_m)
        index = np.flatnonzero(inside)
        index = index[self._faces[triangles[index]] @ dent.normal > 0.3]
        if len(index) == 0 or self._dent_scene is None:
            return
        answer = self._dent_scene.cast_rays(o3d.core.Tensor(rays[rows[index]]))
        deeper = answer['t_hit'].numpy()
        hit = np.isfinite(deeper)
        index, deeper = index[hit], deeper[hit]
        ranges[index] = deeper
        triangles[index] = answer['primitive_ids'].numpy()[hit] + self._first_dent
        uv[index] = answer['primitive_uvs'].numpy()[hit]
        points[index] = rays[rows[index], :3] + deeper[:, None] * rays[rows[index], 3:]

    def _describe(self, corners: Points, normals: NDArray[np.float32]) -> None:
        faces = face_normals(corners)
        self._faces = faces.astype(np.float32)
        self._corner_normals = normals
        aligned = np.einsum('tci,ti->tc', normals, self._faces)
        self._curved = aligned.min(axis=1) < CURVED
        self._materials = material_ids(self.look, corners.mean(axis=1) * 1000.0, faces)

    def _extend(self, patch: _Patch) -> None:
        count = len(patch.corners)
        faces = face_normals(patch.corners).astype(np.float32)
        self._faces = np.concatenate([self._faces, faces])
        self._corner_normals = np.concatenate([self._corner_normals, patch.normals])
        self._curved = np.concatenate([self._curved, np.ones(count, dtype=np.bool_)])
        materials = np.full(count, patch.material, dtype=np.uint8)
        self._materials = np.concatenate([self._materials, materials])

    def _patch(self, bump: Bump) -> _Patch:
        """A bump laid onto the surface: rings of points, dropped along the bump's normal."""
        radii, angles = np.linspace(0, 1, 25)[1:], np.arange(64) * (2 * np.pi / 64)
        tangent, across = tangents(bump.normal)
        turned = np.cos(angles)[:, None] * tangent + np.sin(angles)[:, None] * across
        rings = [bump.position_m + r * bump.radius_m * turned for r in radii]
        start = np.concatenate([bump.position_m[None], *rings]) + PROBE_M * bump.normal
        rays = np.empty((len(start), 6), dtype=np.float32)
        rays[:, :3], rays[:, 3:] = start, -bump.normal
        answer = self._scene.cast_rays(o3d.core.Tensor(rays))
        found = answer['t_hit'].numpy()
        drop = np.where(np.isfinite(found), found, PROBE_M)
        lift = LIFT_M if bump.height_m > 0 else 0.0
        shape = np.concatenate([[1.0], np.repeat((1 - radii**2) ** 2, 64)])
        points = start + (shape * bump.height_m + lift - drop)[:, None] * bump.normal
        triangles = _disc(64, len(radii))
        normals = smooth_normals(points[triangles], triangles, crease_cos=-1.0)
        middle = min(int(answer['primitive_ids'].numpy()[0]), len(self._materials) - 1)
        return _Patch(points[triangles], normals, int(self._materials[middle]))


def tangents(normal: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two unit vectors that span the plane across `normal`, right-handed with it."""
    helper = np.eye(3)[np.abs(normal).argmin()]
    tangent = np.cross(helper, normal)
    tangent /= np.linalg.norm(tangent)
    return tangent, np.cross(normal, tangent)


def face_normals(corners: Points) -> Points:
    """Unit normals (T, 3) of triangles given by their corners (T, 3, 3)."""
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    unit: Points = cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-30)
    return unit


def smooth_normals(
    corners: Points, triangles: NDArray[np.int32], crease_cos: float = float(CREASE_COS)
) -> NDArray[np.float32]:
    """Normals (T, 3, 3) at the corners: the mean of the faces around, up to creases."""
    faces = face_normals(corners)
    edges = np.roll(corners, -1, axis=1) - corners
    edges /= np.maximum(np.linalg.norm(edges, axis=2, keepdims=True), 1e-30)
    weights = np.arccos(
        np.clip(-np.einsum('tci,tci->tc', edges, np.roll(edges, 1, axis=1)), -1, 1)
    )
    flat = triangles.reshape(-1)
    order = np.argsort(flat, kind='stable')
    starts = np.flatnonzero(np.diff(flat[order], prepend=-1))
    counts = np.diff(np.append(starts, len(flat)))
    face_of, weight_of = np.repeat(np.arange(len(triangles)), 3), weights.reshape(-1)
    total = np.zeros((len(flat), 3))
    first = np.repeat(starts, counts)
    for step in range(int(counts.max())):
        within = np.repeat(counts, counts) > step
        other = order[np.minimum(first + step, len(flat) - 1)]
        same = np.einsum('ij,ij->i', faces[face_of[order]], faces[face_of[other]]) >= crease_cos
        use = within & same
        total[order[use]] += (weight_of[other][:, None] * faces[face_of[other]])[use]
    total /= np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-30)
    return total.reshape(-1, 3, 3).astype(np.float32)


def _scene(corners: Points) -> o3d.t.geometry.RaycastingScene:
    scene = o3d.t.geometry.RaycastingScene()
    flat = np.ascontiguousarray(corners.reshape(-1, 3), dtype=np.float32)
    ids = np.arange(len(flat), dtype=np.uint32).reshape(-1, 3)
    scene.add_triangles(o3d.core.Tensor(flat), o3d.core.Tensor(ids))
    return scene


def _interpolate(
    corner_normals: NDArray[np.float32], uv: NDArray[np.float32]
) -> NDArray[np.float32]:
    u, v = uv[:, :1], uv[:, 1:]
    mixed: NDArray[np.float32] = (
        (1 - u - v) * corner_normals[:, 0] + u * corner_normals[:, 1] + v * corner_normals[:, 2]
    )
    mixed /= np.sqrt(np.einsum('ij,ij->i', mixed, mixed))[:, None]
    return mixed


def _disc(segments: int, rings: int) -> NDArray[np.int32]:
    here = np.arange(segments)
    after = np.roll(here, -1)
    fan = np.column_stack([np.zeros(segments, dtype=np.int64), 1 + here, 1 + after])
    pieces = [fan]
    for k in range(rings - 1):
        low, high = 1 + k * segments, 1 + (k + 1) * segments
        pieces.append(np.column_stack([low + here, high + here, high + after]))
        pieces.append(np.column_stack([low + here, high + after, low + after]))
    return np.concatenate(pieces).astype(np.int32)
