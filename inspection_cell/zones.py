"""Zones of the recipe on the reference mesh: which points of the surface belong to them.

Volumes are tested with the point itself, not with the triangle that it lies on: a zone may be
much smaller than a triangle. Faces, colours and directions belong to whole triangles.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from inspection_cell.errors import ConfigError, Problem
from inspection_cell.geometry import Points
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.zones import Box, Cylinder, Facing, Painted, Sphere, Zone, unit

Volume = Box | Sphere | Cylinder
ROUNDING_M = 5e-6  # rays are cast in 32 bits: a face that a volume ends on belongs to it
_STEPS = 40  # of the search for a point that mesh and volume share
_LATTICE = 5  # starts of that search along each side


class SurfaceZone:
    """A named region of the reference surface."""

    def __init__(self, name: str, zone: Zone, reference: ReferenceMesh) -> None:
        """Resolve what belongs to whole triangles; `resolve_zones` checks the entries."""
        self.name = name
        self._reference = reference
        self._volumes = zone.volumes
        self._facing = _facing(zone.facing, reference)
        only_facing = not (zone.volumes or zone.faces or zone.painted)
        self._chosen = np.full(len(reference.triangles), only_facing, dtype=np.bool_)
        for first, last in zone.faces:
            source = reference.source_triangles
            self._chosen |= (source >= first) & (source <= last)
        for painted in zone.painted:
            self._chosen |= _painted(painted, reference)

    def contains(self, points_part: Points, triangles: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which points of the surface belong to it.

        Args:
            points_part: (N, 3) on the surface, part frame, metres: where rays met it.
            triangles: (N,) the triangle that each lies on.
        """
        inside = self._chosen[triangles]
        for volume in self._volumes:
            away_m = np.linalg.norm(volume.nearest(points_part) - points_part, axis=1)
            inside = inside | (away_m <= ROUNDING_M)
        own: NDArray[np.bool_] = inside & self._facing[triangles]
        return own

    def near(self, points_part: Points) -> NDArray[np.bool_]:
        """Of points (N, 3) beside the surface, as scans give: whose nearest surface is in it."""
        closest, triangles = _closest(self._reference.scene, points_part)
        return self.contains(closest, triangles)

    @property
    def samples(self) -> NDArray[np.bool_]:
        """(M,) which of the reference's samples belong to it: its share of the surface."""
        return self.contains(self._reference.samples, self._reference.sample_triangles)

    @property
    def is_empty(self) -> bool:
        """Whether no surface belongs to it."""
        if (self._chosen & self._facing).any() or self.samples.any():
            return False
        if not self._facing.any() or not self._volumes:
            return True
        # Only volumes are left, too small for the samples.
        facing = self._reference.triangles[self._facing]
        scene = o3d.t.geometry.RaycastingScene()
        scene.add_triangles(
            o3d.core.Tensor.from_numpy(self._reference.vertices.astype(np.float32)),
            o3d.core.Tensor.from_numpy(facing.astype(np.uint32)),
        )
        return not any(_meets(scene, volume) for volume in self._volumes)


def resolve_zones(recipe: Recipe, reference: ReferenceMesh) -> Mapping[str, SurfaceZone]:
    """The recipe's zones by name.

    Raises:
        ConfigError: with every entry that the mesh cannot serve and every zone without surface.
    """
    problems: list[Problem] = []
    zones: dict[str, SurfaceZone] = {}
    for name, entry in recipe.file.zones.items():
        wrong = _problems(f'zones.{name}', entry, reference)
        zone = SurfaceZone(name, entry, reference) if not wrong else None
        if zone is not None and zone.is_empty:
            low, high = _extent_mm(reference)
            allowed = f'a zone that selects some of the surface, which spans {low} to {high} mm'
            wrong = [Problem(f'zones.{name}', 'no surface lies in it', allowed)]
        if zone is not None:
            zones[name] = zone
        problems += wrong
    if problems:
        raise ConfigError(recipe.path, problems)
    return zones


def _problems(key: str, zone: Zone, reference: ReferenceMesh) -> list[Problem]:
    count = reference.source_count
    problems = [
        Problem(f'{key}.faces', f'[{first}, {last}]', f'triangles of the mesh: 0 to {count - 1}')
        for first, last in zone.faces
        if last >= count
    ]
    if zone.painted and reference.corner_colours is None:
        problems.append(
            Problem(f'{key}.painted', 'the mesh has no colours', 'a PLY with colours per vertex')
        )
    return problems


def _painted(painted: Painted, reference: ReferenceMesh) -> NDArray[np.bool_]:
    if reference.corner_colours is None:
        return np.zeros(len(reference.triangles), dtype=np.bool_)
    off = np.abs(reference.corner_colours.astype(np.int16) - np.array(painted.rgb))
    own: NDArray[np.bool_] = (off <= painted.tolerance).all(axis=(1, 2))
    return own


def _facing(facing: Facing | None, reference: ReferenceMesh) -> NDArray[np.bool_]:
    if facing is None:
        return np.ones(len(reference.triangles), dtype=np.bool_)
    cosines = reference.normals @ unit(facing.direction)
    own: NDArray[np.bool_] = cosines >= np.cos(np.radians(facing.max_angle_deg)) - 1e-9
    return own


def _closest(
    scene: o3d.t.geometry.RaycastingScene, points: Points
) -> tuple[Points, NDArray[np.uint32]]:
    tensor = o3d.core.Tensor.from_numpy(np.ascontiguousarray(points, dtype=np.float32))
    found = scene.compute_closest_points(tensor)
    return found['points'].numpy().astype(np.float64), found['primitive_ids'].numpy()


def _meets(scene: o3d.t.geometry.RaycastingScene, volume: Volume) -> bool:
    """Whether mesh and volume share a point: by turns, the nearest of the one and the other."""
    points = _lattice(volume)
    for _ in range(_STEPS):
        on_mesh, _ = _closest(scene, points)
        points = volume.nearest(on_mesh)
        if (np.linalg.norm(points - on_mesh, axis=1) <= ROUNDING_M).any():
            return True
    return False


def _lattice(volume: Volume) -> Points:
    """Points (N, 3) spread over the volume, its middle among them."""
    reach_m = 20.0  # farther than any volume: its outermost points along each axis
    corners = volume.nearest(np.concatenate([np.eye(3), -np.eye(3)]) * reach_m)
    low, high = corners.min(axis=0), corners.max(axis=0)
    steps: Sequence[NDArray[np.float64]] = [
        np.linspace(a, b, _LATTICE) for a, b in zip(low, high, strict=True)
    ]
    return volume.nearest(np.stack(np.meshgrid(*steps), axis=-1).reshape(-1, 3))


def _extent_mm(reference: ReferenceMesh) -> tuple[list[float], list[float]]:
    low, high = reference.vertices.min(axis=0), reference.vertices.max(axis=0)
    return (low * 1000.0).round(2).tolist(), (high * 1000.0).round(2).tolist()
