"""Poses proposed by triples of matching surface features, where nothing else is known.

Features are those of Rusu et al., "Fast Point Feature Histograms (FPFH) for 3D Registration",
ICRA 2009, as Open3D computes them.
"""

import numpy as np
import open3d as o3d
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from inspection_cell.geometry import Points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.batch_alignment import Poses

TRIPLES = 60_000
PROPOSED = 500  # triples that fit in size, at most
_VOXELS_ALONG = 45.0  # the part's diagonal in voxels of the features
_MATCHES = 5  # reference features tried for each scan feature
_LEAST_POINTS = 10


class FeatureProposals:
    """Features of one reference, prepared once."""

    def __init__(self, reference: ReferenceMesh) -> None:
        """Describe the reference's surface."""
        self._voxel_m = reference.diagonal_m / _VOXELS_ALONG
        cloud = _cloud(reference.samples, self._voxel_m, reference.sample_normals)
        self._targets = np.asarray(cloud.points)
        self._tree = cKDTree(_features(cloud, self._voxel_m))

    def poses(self, points: Points, generator: np.random.Generator) -> Poses:
        """(H, 4, 4) `transform_scan_to_part` for points (N, 3), normals taken either way."""
        cloud = _cloud(points, self._voxel_m)
        if len(cloud.points) < _LEAST_POINTS:
            return np.empty((0, 4, 4))
        normals = np.asarray(cloud.normals).copy()
        found = []
        for sign in (1.0, -1.0):
            cloud.normals = o3d.utility.Vector3dVector(sign * normals)
            matches = np.asarray(self._tree.query(_features(cloud, self._voxel_m), k=_MATCHES)[1])
            found.append(self._from_triples(np.asarray(cloud.points), matches, generator))
        return np.concatenate(found)

    def _from_triples(
        self, sources: Points, matches: NDArray[np.intp], generator: np.random.Generator
    ) -> Poses:
        triples = generator.integers(0, len(sources), (TRIPLES, 3))
        choice = generator.integers(0, _MATCHES, (TRIPLES, 3))
        a, b = sources[triples], self._targets[matches[triples, choice]]
        sides_a = np.linalg.norm(a - np.roll(a, 1, axis=1), axis=2)
        sides_b = np.linalg.norm(b - np.roll(b, 1, axis=1), axis=2)
        wide = sides_a.min(axis=1) > 5 * self._voxel_m
        fits = wide & (np.abs(sides_a - sides_b) < self._voxel_m).all(axis=1)
        # Wide triangles determine the pose best.
        order = np.argsort(-sides_a[fits].min(axis=1), kind='stable')[:PROPOSED]
        rows = np.flatnonzero(fits)[order]
        return _fitted(a[rows], b[rows])


def _cloud(
    points: Points, voxel_m: float, normals: Points | None = None
) -> o3d.geometry.PointCloud:
    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(np.asarray(points, np.float64)))
    if normals is not None:
        cloud.normals = o3d.utility.Vector3dVector(normals)
        return cloud.voxel_down_sample(voxel_m)
    cloud = cloud.voxel_down_sample(voxel_m / 2)
    around = o3d.geometry.KDTreeSearchParamHybrid(radius=1.5 * voxel_m, max_nn=30)
    cloud.estimate_normals(around)
    cloud.orient_normals_consistent_tangent_plane(12)
    return cloud.voxel_down_sample(voxel_m)


def _features(cloud: o3d.geometry.PointCloud, voxel_m: float) -> NDArray[np.float64]:
    around = o3d.geometry.KDTreeSearchParamHybrid(radius=5 * voxel_m, max_nn=100)
    feature = o3d.pipelines.registration.compute_fpfh_feature(cloud, around)
    return np.asarray(feature.data, dtype=np.float64).T


def _fitted(a: NDArray[np.float64], b: NDArray[np.float64]) -> Poses:
    """(H, 4, 4) least squares poses that map triples a to b, both (H, 3, 3) (Kabsch)."""
    centre_a, centre_b = a.mean(axis=1), b.mean(axis=1)
    covariance = np.einsum('hki,hkj->hij', a - centre_a[:, None], b - centre_b[:, None])
    u, _, vt = np.linalg.svd(covariance)
    turned = np.linalg.det(np.einsum('hji,hkj->hik', vt, u))
    vt[:, 2] *= turned[:, None]
    poses = np.tile(np.eye(4), (len(a), 1, 1))
    poses[:, :3, :3] = np.einsum('hji,hkj->hik', vt, u)
    poses[:, :3, 3] = centre_b - np.einsum('hij,hj->hi', poses[:, :3, :3], centre_a)
    return poses
