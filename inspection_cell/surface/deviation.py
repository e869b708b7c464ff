"""Signed distance of points to the reference mesh, also where the mesh is open.

The sign follows from the pseudonormal of the face, edge or vertex that is nearest (Baerentzen and
Aanaes, "Signed distance computation using the angle weighted pseudonormal", 2005): exact for
closed meshes, and meaningful everywhere on open ones but beyond their borders, which are marked.
"""

from dataclasses import dataclass

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from inspection_cell.geometry import Points
from inspection_cell.reference import ReferenceMesh

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
        closest: (N, 3) nearest points of the reference, metres.
        outward: (N, 3) unit directions in which the deviation grows: the face's normal, or the
            direction of the deviation where an edge or a corner is nearest.
        beyond_border: (N,) nearest to an open border of the mesh, and beside it rather than over
            it: the reference says nothing there.
    """

    points: Points
    signed_m: NDArray[np.float64]
    closest: Points
    outward: Points
    beyond_border: NDArray[np.bool_]

    @property
    def signed_mm(self) -> NDArray[np.float64]:
        """(N,) the deviations in millimetres."""
        signed: NDArray[np.float64] = self.signed_m * 1e3
        return signed


class DeviationField:
    """Measures deviations from one reference; prepares its tables once."""

    def __init__(self, reference: ReferenceMesh) -> None:
        """Prepare the pseudonormals of faces, edges and corners."""
        self.reference = reference
        self._normals, self._border = _element_tables(reference)

    def measure(self, points: NDArray[np.floating]) -> Deviations:
        """Compare (N, 3) points in the part frame, metres, with the reference."""
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
        return Deviations(np.asarray(points), sign * distance, closest, outward, beyond)


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
