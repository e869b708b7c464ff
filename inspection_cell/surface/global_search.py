"""Where a scan lies on the reference when nothing is known: several hypotheses, or a refusal.

Feature matches (Rusu et al., "Fast Point Feature Histograms", 2009) propose poses from random
triples; each is scored, the best are refined exactly, and two different poses that explain the
scan equally well are no answer. The same seed gives the same answer.
"""

from dataclasses import dataclass

import numpy as np
import open3d as o3d
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from inspection_cell.geometry import Points, Transform, invert, rigid, transform_points
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.registration import MIN_POINTS, refine, thinned

TRIPLES = 60_000
SCORED = 1500  # triples that fit in size are scored, at most
REFINED = 12
_VOXELS_ALONG = 45.0  # the part's diagonal in voxels of the features
_MATCHES = 5  # reference features tried for each scan feature
_WORTH_COMPARING = 0.5  # share explained below which there is no answer to be unsure about
_EQUALLY_GOOD = 1.25  # ratio of the residuals of two hypotheses that cannot be told apart


@dataclass(frozen=True, slots=True)
class Found:
    """The best pose, or why there is none."""

    transform_scan_to_part: Transform
    explained: float = 0.0
    reason: str = ''


@dataclass(frozen=True, slots=True)
class _Hypothesis:
    pose: Transform
    explained: float
    residual_m: float


def search_pose(
    points: NDArray[np.floating], field: DeviationField, inlier_mm: float, seed: int
) -> Found:
    """Search `transform_scan_to_part` for (N, 3) points, metres, without a first guess."""
    if len(points) < MIN_POINTS:
        reason = f'the scan has {len(points)} points; at least {MIN_POINTS} are needed'
        return Found(np.eye(4), reason=reason)
    generator = np.random.default_rng(seed)
    sample = thinned(points, 3000)
    tree = cKDTree(field.reference.samples)
    proposals = np.concatenate(
        [_proposals(points, field, sign, generator) for sign in (1.0, -1.0)]
    )
    if len(proposals) == 0:
        return Found(np.eye(4), reason='no pose found: no three features of the scan fit the part')
    best = _best(proposals, sample, tree, field.reference.diagonal_m)
    refined = [_refined(pose, sample, field, inlier_mm / 1e3) for pose in best]
    refined.sort(key=lambda hypothesis: (-round(hypothesis.explained, 2), hypothesis.residual_m))
    first = refined[0]
    for other in refined[1:] if first.explained > _WORTH_COMPARING else ():
        if _as_good(other, first) and not _same_shape(other, first, field, inlier_mm / 1e3):
            reason = (
                f'two different poses explain the scan equally well: {first.explained:.1%} at '
                f'{first.residual_m * 1e3:.3f} mm and {other.explained:.1%} at '
                f'{other.residual_m * 1e3:.3f} mm; give an initial pose'
            )
            return Found(first.pose, first.explained, reason)
    return Found(first.pose, first.explained)


def _proposals(
    points: NDArray[np.floating],
    field: DeviationField,
    sign: float,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    """(H, 4, 4) poses from triples of matching features; normals of the scan times `sign`."""
    voxel_m = field.reference.diagonal_m / _VOXELS_ALONG
    reference = _cloud(field.reference.samples, voxel_m, field.reference.sample_normals)
    scan = _cloud(points, voxel_m)
    if len(scan.points) < 10:
        return np.empty((0, 4, 4))
    scan.normals = o3d.utility.Vector3dVector(sign * np.asarray(scan.normals))
    targets = np.asarray(reference.points)
    matches = cKDTree(_features(reference, voxel_m)).query(_features(scan, voxel_m), k=_MATCHES)[1]
    sources = np.asarray(scan.points)
    triples = generator.integers(0, len(sources), (TRIPLES, 3))
    choice = generator.integers(0, _MATCHES, (TRIPLES, 3))
    a, b = sources[triples], targets[np.asarray(matches)[triples, choice]]
    sides_a = np.linalg.norm(a - np.roll(a, 1, axis=1), axis=2)
    sides_b = np.linalg.norm(b - np.roll(b, 1, axis=1), axis=2)
    wide = sides_a.min(axis=1) > 5 * voxel_m
    fits = wide & (np.abs(sides_a - sides_b) < voxel_m).all(axis=1)
    # Wide triangles determine the pose best.
    order = np.flatnonzero(fits)[np.argsort(-sides_a[fits].min(axis=1), kind='stable')][:SCORED]
    return _fitted(a[order], b[order])


def _cloud(
    points: NDArray[np.floating], voxel_m: float, normals: Points | None = None
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


def _fitted(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
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


def _best(
    poses: NDArray[np.float64], sample: Points, tree: cKDTree, diagonal_m: float
) -> list[Transform]:
    """The best different ones of (H, 4, 4) poses by how near they bring the points."""
    few = thinned(sample, 250)
    reach_m = diagonal_m / _VOXELS_ALONG
    moved = np.einsum('hij,nj->hni', poses[:, :3, :3], few) + poses[:, None, :3, 3]
    distances, _ = tree.query(moved.reshape(-1, 3), distance_upper_bound=2 * reach_m)
    shares = np.exp(-((np.asarray(distances).reshape(len(poses), -1) / reach_m) ** 2)).mean(axis=1)
    kept: list[int] = []
    for index in np.argsort(-shares, kind='stable'):
        apart = [np.linalg.norm(moved[index] - moved[k], axis=1).mean() for k in kept]
        if min(apart, default=np.inf) > 0.1 * diagonal_m:
            kept.append(int(index))
        if len(kept) == REFINED:
            break
    return [poses[k] for k in kept]


def _refined(
    pose: Transform, sample: Points, field: DeviationField, inlier_m: float
) -> _Hypothesis:
    rotation_u, _, rotation_vt = np.linalg.svd(pose[:3, :3])
    start = rigid(rotation_u @ rotation_vt, pose[:3, 3])
    refined = refine(transform_points(start, sample), np.eye(4), field) @ start
    distances = np.abs(field.measure(transform_points(refined, sample)).signed_m)
    residual_m = float(np.sqrt(np.mean(np.minimum(distances, inlier_m) ** 2)))
    return _Hypothesis(refined, float(np.mean(distances <= inlier_m)), residual_m)


def _as_good(other: _Hypothesis, first: _Hypothesis) -> bool:
    near = other.explained > first.explained - 0.02
    return near and other.residual_m < _EQUALLY_GOOD * first.residual_m


def _same_shape(
    other: _Hypothesis, first: _Hypothesis, field: DeviationField, inlier_m: float
) -> bool:
    """Whether the poses differ only by a symmetry of the reference, or not at all."""
    moved = transform_points(first.pose @ invert(other.pose), field.reference.samples)
    distances = np.abs(field.measure(moved).signed_m)
    return float(np.percentile(distances, 99)) <= inlier_m
