"""The reference as a viewer draws it: triangles small enough to be coloured one by one."""

import numpy as np
import open3d as o3d
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from inspection_cell.fusion.places import Places
from inspection_cell.reference import ReferenceMesh

EDGES_OF_AREA = 2000.0  # the squared longest edge is the surface's area over this
SLIVER = 1.0 / 3.0  # of a squared longest edge: smaller triangles stay as they are, however long
FINE = 20_000  # a reference with more triangles is drawn more coarsely


class ShownSurface:
    """A reference's triangles for drawing, each coloured by the nearest place of the surface.

    Attributes:
        corners: (T, 3, 3) float64 corners of the triangles, part frame, metres.
        places: (T,) the place that speaks for each.
    """

    def __init__(self, reference: ReferenceMesh, places: Places) -> None:
        """Split what is large and coarsen what is fine; done once per reference."""
        edge_m = float(np.sqrt(reference.areas.sum() / EDGES_OF_AREA))
        corners = reference.vertices[reference.triangles]
        if len(corners) > FINE:
            corners = _coarsened(reference, edge_m / 2.0)
        self.corners = split_to(corners, edge_m)
        self.places = _nearest(places, self.corners, edge_m)


def split_to(corners: NDArray[np.float64], edge_m: float) -> NDArray[np.float64]:
    """Halve triangles (T, 3, 3) at their longest edge until each is shorter, or a sliver."""
    done = []
    while len(corners):
        lengths = np.linalg.norm(corners - np.roll(corners, -1, axis=1), axis=2)
        longest = lengths.argmax(axis=1)
        areas = np.linalg.norm(_doubled_normals(corners), axis=1) / 2.0
        long = (lengths.max(axis=1) > edge_m) & (areas > SLIVER * edge_m**2)
        done.append(corners[~long])
        # Turned so that the longest edge is the first one: a to b.
        turn = (longest[long, None] + np.arange(3)) % 3
        a, b, c = np.moveaxis(np.take_along_axis(corners[long], turn[:, :, None], axis=1), 1, 0)
        middle = (a + b) / 2.0
        corners = np.concatenate([np.stack([a, middle, c], 1), np.stack([middle, b, c], 1)])
    return np.concatenate(done)


def _coarsened(reference: ReferenceMesh, cell_m: float) -> NDArray[np.float64]:
    mesh = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(reference.vertices),
        o3d.utility.Vector3iVector(reference.triangles),
    ).simplify_vertex_clustering(cell_m)
    corners: NDArray[np.float64] = np.asarray(mesh.vertices)[np.asarray(mesh.triangles)]
    return corners


def _nearest(places: Places, corners: NDArray[np.float64], edge_m: float) -> NDArray[np.intp]:
    """By place and direction: the other side of a thin wall is near, but not what is drawn."""
    cross = _doubled_normals(corners)
    normals = cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-30)
    tree = cKDTree(np.hstack([places.points, edge_m * places.normals]))
    _, nearest = tree.query(np.hstack([corners.mean(axis=1), edge_m * normals]))
    return np.asarray(nearest, dtype=np.intp)


def _doubled_normals(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """(T, 3) normals whose lengths are twice the triangles' areas."""
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
