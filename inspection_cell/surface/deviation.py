"""Signed distance of points to the reference mesh, also where the mesh is open.

The sign follows from the pseudonormal of the face, edge or vertex that is nearest (Baerentzen and
Aanaes, "Signed distance computation using the angle weighted pseudonormal", 2005): exact for
closed meshes, and meaningful everywhere on open ones but beyond their borders, which are marked.

Most points of a scan lie where a precomputed grid knows the distance; only others are measured.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from inspection_cell.geometry import Points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.blocks import shared
from inspection_cell.surface.distance_grid import DistanceGrid, Looked
from inspection_cell.surface.grid_building import load_or_build

_ON_EDGE = 1e-6  # barycentric coordinate below which a point counts as on the edge
# Which element of a triangle a closest point lies on, by the bits (w ≈ 0, u ≈ 0, v ≈ 0):
# 0 the face; 1, 2, 3 the edges opposite to corner 0, 1, 2; 4, 5, 6 the corners 0, 1, 2.
_ELEMENT = np.array([0, 1, 2, 6, 3, 5, 4, 0], dtype=np.uint8)


@dataclass(frozen=True, slots=True)
class Deviations:
    """Comparison of points with the reference, part frame.

    Attributes:
        points: (N, 3) the compared points, metres.
        signed_m: (N,) distance, positive outside the material, metres.
        outward: (N, 3) unit directions in which the deviation grows: the face's normal, or the
            direction of the deviation where an edge or a corner is nearest.
        beyond_border: (N,) nearest to an open border of the mesh, and beside it rather than over
            it: the reference says nothing there.
    """

    points: NDArray[np.floating]
    signed_m: NDArray[np.floating]
    outward: NDArray[np.floating]
    beyond_border: NDArray[np.bool_]

    def part(self, rows: slice | NDArray[np.bool_]) -> 'Deviations':
        """Those of some points."""
        own = (self.points[rows], self.signed_m[rows], self.outward[rows])
        return Deviations(*own, self.beyond_border[rows])

    @property
    def signed_mm(self) -> NDArray[np.floating]:
        """(N,) the deviations in millimetres."""
        return self.signed_m * 1e3


@dataclass(frozen=True, slots=True)
class Measured(Deviations):
    """Deviations with where on the reference they are.

    Attributes:
        closest: (N, 3) nearest points of the reference, metres.
        faces: (N,) nearest triangles.
    """

    closest: Points
    faces: NDArray[np.intp]


class DeviationField:
    """Measures deviations from one reference; prepares its tables once."""

    def __init__(
        self, reference: ReferenceMesh, cache: Path | None = None, spacing_m: float | None = None
    ) -> None:
        """Prepare the pseudonormals of faces, edges and corners.

        Args:
            reference: the mesh.
            cache: folder that keeps the grid; None: it is computed anew when first needed.
            spacing_m: of the grid; None: by the part's size. A coarser one is less often trusted.
        """
        self.reference = reference
        self._cache = cache
        self._spacing_m = spacing_m
        self._normals, self._border = _element_tables(reference)

    @cached_property
    def grid(self) -> DistanceGrid:
        """Distances near the surface, computed once per mesh."""
        return load_or_build(self, self._cache, self._spacing_m)

    def signed_m(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N,) exact deviations of points (N, 3), metres; NaN beyond an open border."""
        measured = self.measure(points)
        return np.where(measured.beyond_border, np.nan, measured.signed_m)

    def look(self, points: NDArray[np.floating]) -> Looked:
        """Deviations of points (N, 3) to some micrometres, for registration.

        Near the surface the grid answers; what lies farther away is measured.
        """
        looked = self.grid.look_up(points, closer=False)
        far = np.flatnonzero(np.isnan(looked.signed_m))
        if len(far):
            measured = self.measure(points[far])
            looked.signed_m[far] = measured.signed_m
            looked.gradient[far] = measured.outward
        return looked

    def compare(self, points: NDArray[np.float32]) -> Deviations:
        """Deviations of points (N, 3) to some micrometres: exact wherever the grid may err."""
        looked = Looked.of(len(points))
        shared(lambda rows: self.grid.look_up_into(looked.part(rows), points[rows]), len(points))
        others = np.flatnonzero(~looked.trusted)
        exact = self.measure(points[others])
        looked.signed_m[others] = exact.signed_m
        looked.gradient[others] = exact.outward
        beyond_border = np.zeros(len(points), dtype=np.bool_)
        beyond_border[others] = exact.beyond_border
        return Deviations(points, looked.signed_m, looked.gradient, beyond_border)

    def measure(self, points: NDArray[np.floating]) -> Measured:
        """Compare (N, 3) points in the part frame, metres, exactly with the reference."""
        query = o3d.core.Tensor.from_numpy(np.ascontiguousarray(points, dtype=np.float32))
        nearest = self.reference.scene.compute_closest_points(query)
        closest = nearest['points'].numpy().astype(np.float64)
        faces = nearest['primitive_ids'].numpy().astype(np.intp)
        elements = _elements(nearest['primitive_uvs'].numpy())
        offset = points - closest
        distance = np.linalg.norm(offset, axis=1)
        outward = self._normals[faces, elements].astype(np.float64)
        sign = np.where(np.einsum('ij,ij->i', outward, offset) < 0, -1.0, 1.0)
        # On edges and corners the deviation grows along itself, once it is more than rounding.
        along = (elements > 0) & (distance > 1e-5)
        outward[along] = offset[along] * (sign[along] / distance[along])[:, None]
        beside = np.einsum('ij,ij->i', self.reference.normals[faces], offset)
        beyond = self._border[faces, elements] & (np.abs(beside) < 0.7 * distance)
        return Measured(np.asarray(points), sign * distance, outward, beyond, closest, faces)


def _elements(uvs: NDArray[np.float32]) -> NDArray[np.uint8]:
    zero_u, zero_v = uvs[:, 0] < _ON_EDGE, uvs[:, 1] < _ON_EDGE
    zero_w = uvs.sum(axis=1) > 1.0 - _ON_EDGE
    elements: NDArray[np.uint8] = _ELEMENT[zero_w + 2 * zero_u + 4 * zero_v]
    return elements


def _element_tables(
    reference: ReferenceMesh,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Pseudonormals (T, 7, 3) and on-border flags (T, 7) of faces, edges and corners."""
    triangles, faces = reference.triangles, reference.normals
    pairs = np.sort(triangles[:, [[1, 2], [2, 0], [0, 1]]].reshape(-1, 2), axis=1)
    edges, edge_of, counts = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
    edge_of = edge_of.reshape(-1, 3)
    edge_normals = np.zeros((len(edges), 3))
    np.add.at(edge_normals, edge_of, faces[:, None])
    corner_normals = np.zeros((len(reference.vertices), 3))
    angles = _corner_angles(reference.vertices[triangles])
    np.add.at(corner_normals, triangles, angles[:, :, None] * faces[:, None])
    border_corner = np.zeros(len(reference.vertices), dtype=np.bool_)
    border_corner[edges[counts == 1]] = True
    normals = np.concatenate(
        [faces[:, None], edge_normals[edge_of], corner_normals[triangles]], axis=1
    )
    inside = np.zeros((len(triangles), 1), dtype=np.bool_)
    border = np.concatenate([inside, counts[edge_of] == 1, border_corner[triangles]], axis=1)
    return normals.astype(np.float32), border


def _corner_angles(corners: Points) -> NDArray[np.float64]:
    """(T, 3) inner angles of triangles given by (T, 3, 3) corners, radians."""
    ahead = np.roll(corners, -1, axis=1) - corners
    back = np.roll(corners, 1, axis=1) - corners
    cross = np.linalg.norm(np.cross(ahead, back), axis=2)
    angles: NDArray[np.float64] = np.arctan2(cross, np.einsum('ijk,ijk->ij', ahead, back))
    return angles
