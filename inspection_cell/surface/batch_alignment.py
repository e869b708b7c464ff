"""Many poses aligned at once on the coarse field, so that every basin of attraction is tried."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from inspection_cell.geometry import Points
from inspection_cell.surface.coarse_field import CoarseField

_PSI = 1.533751168755204288118041  # root of psi^4 = psi + 4
_DAMPING = 3e-3  # of the normal equations per point, lengths in radii of the part
_AT_ONCE = 400  # poses in one batch: larger ones only leave the processor's caches

Poses = NDArray[np.float64]  # (H, 4, 4)


def even_rotations(count: int) -> NDArray[np.float64]:
    """(count, 3, 3) rotations spread evenly over all there are.

    Super-Fibonacci spirals (Alexa, "Super-Fibonacci Spirals: Fast, Low-Discrepancy Sampling of
    SO(3)", CVPR 2022).
    """
    s = np.arange(count) + 0.5
    inner, outer = np.sqrt(s / count), np.sqrt(1.0 - s / count)
    alpha, beta = 2 * np.pi * s / np.sqrt(2.0), 2 * np.pi * s / _PSI
    quaternions = np.column_stack(
        [inner * np.sin(alpha), inner * np.cos(alpha), outer * np.sin(beta), outer * np.cos(beta)]
    )
    rotations: NDArray[np.float64] = Rotation.from_quat(quaternions).as_matrix()
    return rotations


def align(
    poses: Poses,
    points: Points,
    normals: Points | None,
    field: CoarseField,
    widths_m: Sequence[float],
    scored_m: float,
) -> tuple[Poses, NDArray[np.float64]]:
    """Refine poses (H, 4, 4) point-to-plane, one step per width, and score them.

    Args:
        poses: `transform_scan_to_part` to start from.
        points: (N, 3) of the scan, few hundred.
        normals: (N, 3) towards the sensor, or None when their sides are unknown.
        field: of the reference.
        widths_m: distance beyond which a point hardly counts, for each step.
        scored_m: the same for the score.

    Returns:
        Poses (H, 4, 4) and costs (H,): mean of the squared distances in units of `scored_m`,
        each at most 1. Points whose normal opposes the surface's cost 1.
    """
    aligned, costs = poses.copy(), np.ones(len(poses))
    for begin in range(0, len(poses), _AT_ONCE):
        few = slice(begin, begin + _AT_ONCE)
        aligned[few], costs[few] = _align_few(
            poses[few], points, normals, field, widths_m, scored_m
        )
    return aligned, costs


def _align_few(
    poses: Poses,
    points: Points,
    normals: Points | None,
    field: CoarseField,
    widths_m: Sequence[float],
    scored_m: float,
) -> tuple[Poses, NDArray[np.float64]]:
    centre = points.mean(axis=0)
    lever = (points - centre).astype(np.float32)
    facing = None if normals is None else normals.astype(np.float32)
    rotations = poses[:, :3, :3].copy()
    middles = poses[:, :3, :3] @ centre + poses[:, :3, 3]
    radius_m = field.diagonal_m / 4
    for width_m in widths_m:
        offset, normal, agree, turned = _matched(rotations, middles, lever, facing, field)
        weight = np.exp(-np.einsum('hni,hni->hn', offset, offset) / np.float32(width_m**2))
        weight *= agree
        distance = np.einsum('hni,hni->hn', normal, offset)
        jacobian = np.concatenate([np.cross(turned / np.float32(radius_m), normal), normal], 2)
        weighted = jacobian * weight[..., None]
        total = weight.sum(axis=1)[:, None] + 1e-6
        normal_matrix = (np.swapaxes(weighted, 1, 2) @ jacobian) / total[..., None]
        gradient = np.einsum('hni,hn->hi', weighted, distance) / total
        damped = normal_matrix.astype(np.float64) + _DAMPING * np.eye(6)
        step = -np.linalg.solve(damped, gradient[..., None].astype(np.float64))[..., 0]
        rotations = Rotation.from_rotvec(step[:, :3] / radius_m).as_matrix() @ rotations
        middles = middles + step[:, 3:]
    offset, _, agree, _ = _matched(rotations, middles, lever, facing, field)
    squared = np.einsum('hni,hni->hn', offset, offset) / np.float32(scored_m**2)
    cost = np.where(agree > 0, np.minimum(squared, 1), 1).mean(axis=1).astype(np.float64)
    aligned = np.tile(np.eye(4), (len(poses), 1, 1))
    aligned[:, :3, :3] = rotations
    aligned[:, :3, 3] = middles - rotations @ centre
    return aligned, cost


def _matched(
    rotations: NDArray[np.float64],
    middles: NDArray[np.float64],
    lever: NDArray[np.float32],
    facing: NDArray[np.float32] | None,
    field: CoarseField,
) -> tuple[NDArray[np.float32], ...]:
    """Offsets from the nearest samples, their normals, whether the sides agree, and levers."""
    turning = np.swapaxes(rotations, 1, 2).astype(np.float32)
    turned = lever @ turning
    moved = turned + middles[:, None].astype(np.float32)
    nearest = field.nearest(moved)
    normal = field.normals[nearest]
    offset = moved - field.samples[nearest]
    if facing is None:
        return offset, normal, np.ones(offset.shape[:2], dtype=np.float32), turned
    cosine = np.einsum('hni,hni->hn', facing @ turning, normal)
    return offset, normal, (cosine > 0.3).astype(np.float32), turned


def distinct(
    poses: Poses, costs: NDArray[np.float64], points: Points, apart_m: float, most: int
) -> NDArray[np.intp]:
    """Rows of the best poses that bring the points (N, 3) to different places, best first."""
    few = points[:: max(1, len(points) // 24)]
    moved = np.einsum('hij,nj->hni', poses[:, :3, :3], few) + poses[:, None, :3, 3]
    order = np.argsort(costs, kind='stable')
    kept: list[int] = []
    for row in order:
        if kept:
            apart = np.sqrt(((moved[row] - moved[kept]) ** 2).sum(axis=2).mean(axis=1))
            if apart.min() < apart_m:
                continue
        kept.append(int(row))
        if len(kept) == most:
            break
    return np.array(kept, dtype=np.intp)
