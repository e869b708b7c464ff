"""A mesh of the surface that several registered scans saw, and of no other surface.

Screened Poisson reconstruction (Kazhdan and Hoppe, 2013) of their common points; what it invents
between and around them is cut away, so that the mesh is open where no scan saw the part.
"""

import numpy as np
import open3d as o3d
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from inspection_cell.errors import DataError
from inspection_cell.geometry import Points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.deviation import DeviationField, Deviations
from inspection_cell.surface.distance_grid import Looked
from inspection_cell.surface.patches import neighbour_distance_m
from inspection_cell.surface.registration import thinned

MOST_POINTS = 60_000
ROUGH_POINTS = 12_000  # enough to register to
_FINEST_DEPTH, _COARSEST_DEPTH = 9, 5
_REACH = 1.5  # voxels from the points, beyond which surface is invented
_CLOSED = 0.3  # length of the mean normal below which a surface was seen from all around
_SMALLEST_PIECE = 50  # triangles


class ExactField(DeviationField):
    """Deviations without a grid: for meshes that live too short to be worth one."""

    def look(self, points: NDArray[np.floating]) -> Looked:
        """Exact deviations of points (N, 3)."""
        exact = self.measure(points)
        trusted = np.ones(len(points), dtype=np.bool_)
        return Looked(exact.signed_m.astype(np.float32), exact.outward.astype(np.float32), trusted)

    def compare(self, points: NDArray[np.float32]) -> Deviations:
        """Exact deviations of points (N, 3)."""
        return self.measure(points)


def spacing_m(points: NDArray[np.floating]) -> float:
    """Typical distance between neighbouring points (N, 3)."""
    return neighbour_distance_m(points, thinned(points, 1000))


def mesh_of_scans(
    scans: list[Points], sensor: Points | None, fewest: int, most_points: int = MOST_POINTS
) -> ReferenceMesh:
    """The surface that at least so many of the scans show.

    Args:
        scans: points (N, 3) in one frame, metres.
        sensor: (3,) where the scanner stood, which settles which side is outside; None: not known.
        fewest: so many scans must have points at a place.
        most_points: the mesh is made of at most about so many.

    Raises:
        DataError: where the scans have no surface in common, or it is not known which side is
            outside.
    """
    voxel_m = max(float(np.median([spacing_m(scan) for scan in scans])), 1e-6)
    points, voxel_m = _merged(scans, voxel_m, most_points)
    points = points[_support(points, scans, voxel_m) >= fewest]
    if len(points) < 100:
        raise DataError(f'the scans have too little surface in common: {len(points)} points')
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points))
    cloud.estimate_normals(o3d.geometry.KDTreeSearchParamHybrid(radius=3.5 * voxel_m, max_nn=30))
    _orient(cloud, sensor)
    extent_m = float(np.ptp(points, axis=0).max())
    depth = int(np.ceil(np.log2(1.1 * extent_m / voxel_m)))
    depth = min(max(depth, _COARSEST_DEPTH), _FINEST_DEPTH)
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        mesh, _ = o3d.geometry.TriangleMesh.create_from_point_cloud_poisson(
            cloud, depth=depth, linear_fit=True, n_threads=1
        )
    return _trimmed(mesh, points, voxel_m)


def vertex_normals(mesh: ReferenceMesh) -> Points:
    """(V, 3) unit normals, the triangles' weighted by area."""
    normals = np.zeros_like(mesh.vertices)
    np.add.at(normals, mesh.triangles, (mesh.normals * mesh.areas[:, None])[:, None])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    unit: Points = normals / np.maximum(lengths, 1e-30)
    return unit


def _merged(scans: list[Points], voxel_m: float, most_points: int) -> tuple[Points, float]:
    """Mean points of voxels, coarse enough that they are not too many."""
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(np.concatenate(scans)))
    points = np.asarray(cloud.voxel_down_sample(voxel_m).points)
    if len(points) > most_points:
        voxel_m *= float(np.sqrt(len(points) / most_points))
        points = np.asarray(cloud.voxel_down_sample(voxel_m).points)
    return points, voxel_m


def _support(points: Points, scans: list[Points], voxel_m: float) -> NDArray[np.intp]:
    """(N,) how many scans have a point near."""
    near = np.zeros(len(points), dtype=np.intp)
    for scan in scans:
        tree = cKDTree(scan, balanced_tree=False, compact_nodes=False)
        distances = tree.query(points, distance_upper_bound=_REACH * voxel_m)[0]
        near += np.isfinite(distances)
    return near


def _orient(cloud: o3d.geometry.PointCloud, sensor: Points | None) -> None:
    """Outward normals: towards the sensor, or away from the middle of a part seen all around."""
    if sensor is not None:
        cloud.orient_normals_towards_camera_location(sensor)
        return
    cloud.orient_normals_consistent_tangent_plane(12)
    points, normals = np.asarray(cloud.points), np.asarray(cloud.normals)
    if float(np.linalg.norm(normals.mean(axis=0))) > _CLOSED:
        raise DataError(
            'cannot tell which side of the surface is outside; say where the scanner stood '
            "in the scans' frame (--sensor-mm; 0 0 0 for scans in the scanner's own frame)"
        )
    if np.einsum('ij,ij->', normals, points - points.mean(axis=0)) < 0:
        cloud.normals = o3d.utility.Vector3dVector(-normals)


def _trimmed(mesh: o3d.geometry.TriangleMesh, points: Points, voxel_m: float) -> ReferenceMesh:
    distances = cKDTree(points).query(np.asarray(mesh.vertices))[0]
    mesh.remove_vertices_by_mask(distances > _REACH * voxel_m)
    pieces, sizes, _ = mesh.cluster_connected_triangles()
    small = np.asarray(sizes)[np.asarray(pieces)] < _SMALLEST_PIECE
    mesh.remove_triangles_by_mask(small)
    mesh.remove_unreferenced_vertices()
    if len(mesh.triangles) == 0:
        raise DataError('the scans have no surface in common')
    return ReferenceMesh(np.asarray(mesh.vertices), np.asarray(mesh.triangles))
