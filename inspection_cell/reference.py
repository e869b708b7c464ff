"""The part's nominal shape, read once: triangles in metres, ray casting, surface samples."""

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import open3d as o3d
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from inspection_cell.errors import DataError
from inspection_cell.geometry import Points, Transform, invert, rotate_vectors, transform_points
from inspection_cell.mesh_check import check_mesh
from inspection_cell.recipe import Recipe, Reference
from inspection_cell.whole_files import check_geometry_file

SAMPLES = 6000
METRES_PER_UNIT = {'mm': 0.001, 'm': 1.0}


class ReferenceMesh:
    """A reference mesh in the part frame, metres.

    Attributes:
        vertices: (V, 3) float64, metres, welded.
        triangles: (T, 3) int32.
        normals: (T, 3) unit, outward for a mesh wound as usual.
        areas: (T,) square metres.
        source_triangles: (T,) where each triangle stood before degenerate ones were dropped.
        source_count: how many triangles there were before that.
        corner_colours: (T, 3, 3) uint8 RGB of each triangle's corners; None for a plain mesh.
        sha256: of the mesh file's bytes (or of the arrays for a mesh made in memory).
    """

    def __init__(
        self,
        vertices: NDArray[np.floating],
        triangles: NDArray[np.integer],
        colours: NDArray[np.uint8] | None = None,
    ) -> None:
        """Weld the vertices and drop degenerate triangles; raises DataError for no surface.

        Args:
            vertices: (V, 3) metres.
            triangles: (F, 3) indices of vertices.
            colours: (V, 3) RGB of the vertices.
        """
        if not np.isfinite(vertices).all():
            raise DataError('reference mesh: vertices must be finite')
        if triangles.size and not 0 <= triangles.min() <= triangles.max() < len(vertices):
            raise DataError(
                f'reference mesh: triangles must name vertices 0 to {len(vertices) - 1}'
            )
        welded, inverse = np.unique(
            np.asarray(vertices, dtype=np.float64).round(9), axis=0, return_inverse=True
        )
        indices = inverse.reshape(-1)[np.asarray(triangles)]
        corners = welded[indices]
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        doubled = np.linalg.norm(cross, axis=1)
        keep = doubled > 1e-16
        if not keep.any():
            raise DataError('reference mesh: expected at least one triangle with an area')
        self.vertices: Points = welded
        self.triangles = np.ascontiguousarray(indices[keep], dtype=np.int32)
        self.normals: Points = cross[keep] / doubled[keep, None]
        self.areas: NDArray[np.float64] = doubled[keep] / 2.0
        self.source_triangles: NDArray[np.intp] = np.flatnonzero(keep)
        self.source_count = len(keep)
        self.corner_colours = None if colours is None else colours[np.asarray(triangles)[keep]]
        self.sha256 = hashlib.sha256(
            self.vertices.tobytes() + self.triangles.tobytes()
        ).hexdigest()

    @cached_property
    def bounds_m(self) -> tuple[Points, Points]:
        """The least and the greatest corner (3,) of the bounding box, metres."""
        return self.vertices.min(axis=0), self.vertices.max(axis=0)

    @cached_property
    def corners(self) -> Points:
        """The corners of the upright box around the part (8, 3), metres."""
        sides = np.meshgrid(*np.stack(self.bounds_m, axis=1))
        corners: Points = np.stack(sides, axis=-1).reshape(-1, 3)
        return corners

    @cached_property
    def outermost(self) -> Points:
        """(K, 3) points that bound the part in every image: its hull, and samples on its faces.

        The samples are for lenses that bend straight edges outwards.
        """
        flat = np.linalg.matrix_rank(self.vertices - self.vertices[0]) < 3  # a sheet has no hull
        hull = self.vertices if flat else self.vertices[ConvexHull(self.vertices).vertices]
        return np.concatenate([hull, self.samples])

    @cached_property
    def diagonal_m(self) -> float:
        """Length of the bounding box's diagonal, metres."""
        return float(np.linalg.norm(np.ptp(self.vertices, axis=0)))

    @cached_property
    def scene(self) -> o3d.t.geometry.RaycastingScene:
        """Ray casting and distance queries in the part frame, metres."""
        scene = o3d.t.geometry.RaycastingScene()
        scene.add_triangles(
            o3d.core.Tensor.from_numpy(self.vertices.astype(np.float32)),
            o3d.core.Tensor.from_numpy(self.triangles.astype(np.uint32)),
        )
        return scene

    @cached_property
    def samples(self) -> Points:
        """(M, 3) points spread evenly over the surface, the same on every machine."""
        return self._sampled[0]

    @cached_property
    def sample_normals(self) -> Points:
        """(M, 3) outward unit normals of `samples`."""
        return self.normals[self.sample_triangles]

    @property
    def sample_triangles(self) -> NDArray[np.intp]:
        """(M,) the triangle that each of `samples` lies on."""
        return self._sampled[1]

    @cached_property
    def _sampled(self) -> tuple[Points, NDArray[np.intp]]:
        generator = np.random.default_rng(20_260_101)  # fixed: views of several hosts agree
        cumulative = np.cumsum(self.areas)
        # Stratified along the cumulated area: even cover, unlike independent draws.
        steps = (np.arange(SAMPLES) + generator.random(SAMPLES)) / SAMPLES * cumulative[-1]
        faces = np.searchsorted(cumulative, steps).clip(max=len(self.areas) - 1)
        u, v = generator.random((2, SAMPLES))
        flip = u + v > 1
        u[flip], v[flip] = 1 - u[flip], 1 - v[flip]
        a, b, c = np.moveaxis(self.vertices[self.triangles[faces]], 1, 0)
        return a + u[:, None] * (b - a) + v[:, None] * (c - a), faces

    def distances_m(self, points_part: Points) -> NDArray[np.float64]:
        """(N,) unsigned distances of points (N, 3) from the surface, metres."""
        query = o3d.core.Tensor.from_numpy(np.ascontiguousarray(points_part, dtype=np.float32))
        distances: NDArray[np.float64] = self.scene.compute_distance(query).numpy().astype(float)
        return distances

    def cast(
        self, transform_part_to_sensor: Transform, directions: Points
    ) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
        """Cast rays from a sensor at the part.

        Args:
            transform_part_to_sensor: pose of the part in the sensor frame.
            directions: (N, 3) unit directions in the sensor frame.

        Returns:
            Distances (N,) in metres (inf where nothing is hit) and triangle ids (N,).
        """
        to_part = invert(transform_part_to_sensor)
        return self.cast_from(to_part[None, :3, 3], rotate_vectors(to_part, directions))

    def cast_from(
        self, origins_part: NDArray[np.floating], directions_part: NDArray[np.floating]
    ) -> tuple[NDArray[np.float32], NDArray[np.uint32]]:
        """The same in the part frame, from origins (1, 3) or (N, 3) along directions (N, 3)."""
        rays = np.empty((len(directions_part), 6), dtype=np.float32)
        rays[:, :3] = origins_part
        rays[:, 3:] = directions_part
        hits = self.scene.cast_rays(o3d.core.Tensor.from_numpy(rays))
        return hits['t_hit'].numpy(), hits['primitive_ids'].numpy()

    def entered(
        self, origins_part: NDArray[np.floating], points_part: NDArray[np.floating]
    ) -> tuple[NDArray[np.intp], Points, NDArray[np.intp]]:
        """Where lines of sight meet the surface before they reach the point that was seen.

        Args:
            origins_part: (1, 3) or (N, 3) where the sensors stood, part frame, metres.
            points_part: (N, 3) that they saw.

        Returns:
            Rows (E,) of the points behind the surface, where they entered (E, 3), and through
            which triangles (E,).
        """
        sight = points_part - origins_part
        ranges_m = np.linalg.norm(sight, axis=1)
        sight /= ranges_m[:, None]
        hits_m, faces = self.cast_from(origins_part, sight)
        rows = np.flatnonzero(hits_m < ranges_m)
        entries = np.asarray((origins_part + hits_m[:, None] * sight)[rows], dtype=np.float64)
        return rows, entries, faces[rows].astype(np.intp)

    def visible(
        self,
        points_part: Points,
        normals_part: Points,
        transform_part_to_sensor: Transform,
        max_incidence_rad: float,
    ) -> NDArray[np.bool_]:
        """Which surface points (N, 3) a sensor can see: facing it and not occluded.

        The field of view is not judged here; the sensor's intrinsics know it.
        """
        points_sensor = transform_points(transform_part_to_sensor, points_part)
        ranges = np.linalg.norm(points_sensor, axis=1)
        directions = points_sensor / ranges[:, None]
        normals_sensor = rotate_vectors(transform_part_to_sensor, normals_part)
        facing = -np.einsum('ij,ij->i', normals_sensor, directions) > np.cos(max_incidence_rad)
        seen = np.zeros(len(points_part), dtype=np.bool_)
        hits, _ = self.cast(transform_part_to_sensor, directions[facing])
        tolerance_m = 1e-3 * self.diagonal_m
        seen[facing] = hits > ranges[facing] - tolerance_m
        return seen


def load_mesh(path: Path, units: Literal['mm', 'm']) -> ReferenceMesh:
    """Read a mesh file (ply, stl, obj).

    Raises:
        DataError: when it is cut short, or holds no surface, or one whose inside cannot be told
            from its outside.
    """
    if not path.is_file():
        raise DataError(f'{path}: expected a mesh file (ply, stl, obj), there is none')
    check_geometry_file(path)
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        mesh = o3d.io.read_triangle_mesh(path)
    vertices = np.asarray(mesh.vertices) * METRES_PER_UNIT[units]
    if len(vertices) == 0 or len(mesh.triangles) == 0:
        raise DataError(f'{path}: expected a triangle mesh (ply, stl, obj), found no triangles')
    try:
        reference = ReferenceMesh(vertices, np.asarray(mesh.triangles), _colours(mesh))
    except DataError as error:
        raise DataError(f'{path}: {error}') from error
    problem = check_mesh(reference.vertices, reference.triangles).problem
    if problem:
        raise DataError(f'{path}: {problem}')
    reference.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return reference


def _colours(mesh: o3d.geometry.TriangleMesh) -> NDArray[np.uint8] | None:
    if not mesh.has_vertex_colors():
        return None
    levels: NDArray[np.uint8] = (np.asarray(mesh.vertex_colors) * 255.0).round().astype(np.uint8)
    return levels


def load_reference(recipe: Recipe) -> ReferenceMesh | None:
    """Read the recipe's reference mesh; None for `reference: none`."""
    path, entry = recipe.mesh_path, recipe.file.reference
    if path is None or not isinstance(entry, Reference):
        return None
    return load_mesh(path, entry.units)
