"""Marks on the surface that change only its look: scratches and stains."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Points

REACH_M = 0.004  # marks lie on the surface within this distance of their tangent plane


@dataclass(frozen=True, slots=True)
class Mark:
    """A scratch or a stain around a surface point, in the part frame.

    Attributes:
        position_m: (3,) centre on the surface.
        normal: (3,) unit, outward.
        tangent: (3,) unit, along the mark.
        length_m: extent along the tangent.
        width_m: extent across.
        gain: factor on the light that comes from the mark: 0.85 is a contrast of 15 %.
        round: a stain's outline; else that of a scratch.
    """

    position_m: NDArray[np.float64]
    normal: NDArray[np.float64]
    tangent: NDArray[np.float64]
    length_m: float
    width_m: float
    gain: float
    round: bool

    def paint(
        self,
        light: NDArray[np.float32],
        points: NDArray[np.float32],
        normals: NDArray[np.float32],
        pixel_m: float,
    ) -> None:
        """Change `light` (N, 3) of surface points (N, 3) in place; soft over about a pixel."""
        near = np.flatnonzero(self._near(points, normals))
        if len(near) == 0:
            return
        offsets = points[near] - self.position_m
        u = offsets @ self.tangent
        v = offsets @ np.cross(self.normal, self.tangent)
        if self.round:
            angle = np.arctan2(v, u)
            wobble = 1 + 0.06 * np.sin(3 * angle + 1) + 0.04 * np.sin(7 * angle)
            outside = np.hypot(u, v) - self.length_m / 2 * wobble
            soft = max(pixel_m, 0.15 * self.length_m / 2)
        else:
            v = v - 0.02 * self.length_m * np.sin(u / self.length_m * 4)  # not quite straight
            ends = np.maximum(np.abs(u) - self.length_m / 2, 0)
            outside = np.hypot(ends, v) - self.width_m / 2
            soft = pixel_m
        share = np.clip(0.5 - outside / soft, 0, 1)
        light[near] *= (1 + (self.gain - 1) * share)[:, None].astype(np.float32)

    def footprint(self) -> Points:
        """Points (K, 3) over the mark on its tangent plane, outline included."""
        across = np.cross(self.normal, self.tangent)
        if self.round:
            angles = np.arange(16) * (np.pi / 8)
            rings = [
                r * np.column_stack([np.cos(angles), np.sin(angles)]) for r in (0.0, 0.5, 1.0)
            ]
            uv = np.concatenate(rings) * (self.length_m / 2)
        else:
            u = np.linspace(-0.5, 0.5, 13) * self.length_m
            v = 0.02 * self.length_m * np.sin(u / self.length_m * 4)
            uv = np.concatenate([np.column_stack([u, v + s * self.width_m / 2]) for s in (-1, 1)])
        points: Points = self.position_m + uv[:, :1] * self.tangent + uv[:, 1:] * across
        return points

    def _near(
        self, points: NDArray[np.float32], normals: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        reach = np.float32(self.length_m * 0.6 + self.width_m + 0.001)
        centre = self.position_m.astype(np.float32)
        near: NDArray[np.bool_] = np.abs(points[:, 0] - centre[0]) < reach
        near &= np.abs(points[:, 1] - centre[1]) < reach
        near &= np.abs(points[:, 2] - centre[2]) < reach
        index = np.flatnonzero(near)
        offsets = points[index] - self.position_m
        flat = np.abs(offsets @ self.normal) < REACH_M
        near[index] = flat & (normals[index] @ self.normal.astype(np.float32) > 0.3)
        return near
