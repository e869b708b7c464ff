"""A reference with a bump of known height at a known place: the scan of a good part lacks it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import open3d as o3d
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from inspection_cell.geometry import Points
from inspection_cell.reference import ReferenceMesh

HEIGHT_M = 2e-3
RADIUS_M = 6e-3


@dataclass(frozen=True, slots=True)
class Bumped:
    """The altered mesh and where its bump is highest, part frame, metres."""

    vertices: Points
    triangles: NDArray[np.int32]
    position_m: Points

    def write(self, path: Path) -> None:
        """Write the mesh in metres."""
        mesh = o3d.geometry.TriangleMesh(
            o3d.utility.Vector3dVector(self.vertices), o3d.utility.Vector3iVector(self.triangles)
        )
        o3d.io.write_triangle_mesh(str(path), mesh)


def well_seen(points_part: Points, generator: np.random.Generator) -> Points:
    """A point (3,) of a scan that is surrounded by many others: it faced the sensor."""
    tree = cKDTree(points_part)
    some = generator.choice(len(points_part), 400, replace=False)
    around = tree.query_ball_point(points_part[some], 1.3 * RADIUS_M, return_length=True)
    dense = some[around >= np.percentile(around, 60)]
    return points_part[generator.choice(dense)]


def add_bump(reference: ReferenceMesh, near: Points) -> Bumped:
    """Raise the surface around its vertex nearest to `near` by 2 mm, smoothly to its rim."""
    return altered(reference, near, HEIGHT_M, RADIUS_M)


def altered(
    reference: ReferenceMesh, near: Points, height_m: float, radius_m: float, plateau: float = 0.0
) -> Bumped:
    """Raise (or sink, for a negative height) the surface around the vertex nearest to `near`.

    Full height up to the share `plateau` of the radius, then smoothly down to the rim.
    """
    vertices, triangles = reference.vertices, reference.triangles
    normals = np.zeros_like(vertices)
    np.add.at(normals, triangles, (reference.normals * reference.areas[:, None])[:, None])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    used = np.unique(triangles)  # scanned meshes also keep corners that belong to nothing
    top = int(used[np.argmin(np.linalg.norm(vertices[used] - near, axis=1))])
    apart = np.linalg.norm(vertices - vertices[top], axis=1)
    outward = np.clip((apart / radius_m - plateau) / (1 - plateau), 0, 1)
    height = height_m * np.cos(outward * np.pi / 2) ** 2
    height[normals @ normals[top] < 0] = 0  # the far side of a thin wall
    raised = vertices + height[:, None] * normals[top]
    return Bumped(raised, triangles, raised[top])
