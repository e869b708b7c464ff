"""Scans by ray casting: range noise, lost points, and mixed points at depth edges."""

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Intrinsics, Transform
from inspection_cell.observations import Scan
from inspection_cell.sections.simulation import Simulation
from inspection_cell.sim.body import Body
from inspection_cell.sim.renderer import pixel_rays, rays_in_part

GRAZING_COS = np.cos(np.deg2rad(80.0))  # nothing comes back beyond
WEAK_COS = np.cos(np.deg2rad(65.0))  # points begin to get lost
EDGE_STEP_M = 0.0015


def scan(
    body: Body | None,
    transform_scanner_to_part: Transform,
    intrinsics: Intrinsics,
    simulation: Simulation,
    generator: np.random.Generator,
) -> Scan:
    """One scan in the scanner's optical frame, metres; without points when there is no part."""
    if body is None:
        return Scan(np.zeros((0, 3), dtype=np.float32))
    directions = pixel_rays(intrinsics).reshape(-1, 3)
    hits = body.cast(rays_in_part(transform_scanner_to_part, directions))
    depth = np.full(len(directions), np.inf, dtype=np.float32)
    depth[hits.rows] = hits.ranges
    towards = rays_in_part(transform_scanner_to_part, directions[hits.rows])[:, 3:]
    facing = np.zeros(len(directions), dtype=np.float32)
    facing[hits.rows] = -np.einsum('ij,ij->i', towards, hits.normals)
    chance = generator.random(len(directions), dtype=np.float32)
    weak = np.clip((WEAK_COS - facing) / (WEAK_COS - GRAZING_COS), 0, 1)
    kept = np.isfinite(depth) & (facing > GRAZING_COS)
    kept &= chance > simulation.dropout_share + (1 - simulation.dropout_share) * weak
    shape = (intrinsics.height, intrinsics.width)
    mixed = _mixed(depth.reshape(shape), simulation.edge_outlier_share, generator).ravel()
    noise = generator.standard_normal(len(directions), dtype=np.float32)
    noise *= np.float32(simulation.range_noise_mm / 1000.0) * (1 + 0.5 * (1 - facing))
    ranges = np.where(np.isfinite(mixed), mixed, depth) + noise
    return Scan(np.ascontiguousarray((directions * ranges[:, None])[kept]))


def _mixed(
    depth: NDArray[np.float32], share: float, generator: np.random.Generator
) -> NDArray[np.float32]:
    """Ranges between two surfaces for a share of the pixels at depth edges; inf elsewhere."""
    mixed = np.full(depth.shape, np.inf, dtype=np.float32)
    chosen = generator.random(depth.shape, dtype=np.float32) < share
    blend = generator.random(depth.shape, dtype=np.float32)
    for axis in (0, 1):
        other = np.roll(depth, -1, axis=axis)
        with np.errstate(invalid='ignore'):
            step = np.abs(other - depth)
            edge = chosen & np.isfinite(step) & (step > EDGE_STEP_M)
            between = depth + blend * (other - depth)
        mixed[edge] = between[edge]
    return mixed
