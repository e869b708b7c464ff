"""Whether a reference mesh tells inside from outside: deviations have the wrong sign otherwise."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Points

_FLAT = 1e-9  # of the bounding box's volume: a sheet has no inside


@dataclass(frozen=True, slots=True)
class MeshCheck:
    """What the triangles of a mesh say about each other.

    Attributes:
        border_edges: with one triangle: the mesh is open there.
        turned_edges: whose two triangles are wound against each other.
        volume_m3: signed; negative where normals point inwards. Meaningful for closed meshes.
        extent_m3: of the bounding box.
    """

    border_edges: int
    turned_edges: int
    volume_m3: float
    extent_m3: float

    @property
    def is_closed(self) -> bool:
        """Whether no edge is open."""
        return self.border_edges == 0

    @property
    def problem(self) -> str:
        """Why deviations from this mesh would have a wrong sign; empty when they would not."""
        if self.turned_edges:
            return (
                f'{self.turned_edges} edges join triangles of opposite winding: inside and '
                'outside are mixed up; expected all triangles wound alike'
            )
        if self.is_closed and self.volume_m3 < -_FLAT * self.extent_m3:
            return (
                'its normals point inwards; expected triangles wound counter-clockwise as seen '
                'from outside'
            )
        return ''


def check_mesh(vertices: Points, triangles: NDArray[np.integer]) -> MeshCheck:
    """Count open and turned edges of welded vertices (V, 3), metres, and triangles (T, 3)."""
    directed = triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    _, edge_of, counts = np.unique(
        np.sort(directed, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    forward = np.bincount(edge_of.reshape(-1), weights=directed[:, 0] < directed[:, 1])
    a, b, c = np.moveaxis(vertices[triangles] - vertices.mean(axis=0), 1, 0)
    return MeshCheck(
        int(np.count_nonzero(counts == 1)),
        int(np.count_nonzero((counts == 2) & (forward != 1))),
        float(np.einsum('ij,ij->i', a, np.cross(b, c)).sum() / 6),
        float(np.prod(np.ptp(vertices, axis=0))),
    )
