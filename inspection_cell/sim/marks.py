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
        bend: how far a scratch leaves the straight line, share of its length.
        gaps: where a scratch is broken: from and to, shares of its length from its middle.
        wobble: of a stain's outline: its strength at three and at seven waves a turn.
        turn_rad: phase of the outline's waves.
        softness: width of a stain's soft edge, share of its radius.
    """

    position_m: NDArray[np.float64]
    normal: NDArray[np.float64]
    tangent: NDArray[np.float64]
    length_m: float
    width_m: float
    gain: float
    round: bool
    bend: float = 0.02
    gaps: tuple[tuple[float, float], ...] = ()
    wobble: tuple[float, float] = (0.06, 0.04)
    turn_rad: float = 0.0
    softness: float = 0.15

    def paint(
        self,
        light: NDArray[np.float32],
        points: NDArray[np.float32],
        normals: NDArray[np.float32],
        pixel_m: float,
    ) -> None:
        """Change `light` (N, 3) of surface points (N, 3) in place; soft over about a pixel."""
        near, factors = self.factors(points, normals, pixel_m)
        light[near] *= factors[:, None]

    def factors(
        self, points: NDArray[np.float32], normals: NDArray[np.float32], pixel_m: float
    ) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
        """Which of the points (N, 3) the mark may cover, and the factor on the light of each."""
        near = np.flatnonzero(self._near(points, normals))
        offsets = points[near] - self.position_m
        u = offsets @ self.tangent
        v = offsets @ np.cross(self.normal, self.tangent)
        if self.round:
            outside = self._outside_stain(u, v)
            soft = max(pixel_m, self.softness * self.length_m / 2)
        else:
            outside = self._outside_scratch(u, v)
            soft = pixel_m
        share = np.clip(0.5 - outside / soft, 0, 1)
        factors: NDArray[np.float32] = (1 + (self.gain - 1) * share).astype(np.float32)
        return near, factors

    def outside_m(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Distance (N,) of points (N, 3) to the outline on the surface, metres; negative inside.

        Points that lie off its tangent plane are infinitely far away.
        """
        offsets = points - self.position_m
        u, v = offsets @ self.tangent, offsets @ np.cross(self.normal, self.tangent)
        outside = self._outside_stain(u, v) if self.round else self._outside_scratch(u, v)
        flat = np.abs(offsets @ self.normal) < REACH_M
        distance: NDArray[np.float64] = np.where(flat, outside, np.inf)
        return distance

    def _outside_stain(
        self, u: NDArray[np.float64], v: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Distance (N,) of points to the outline, metres; negative inside."""
        v = v * (self.length_m / self.width_m)
        angle = np.arctan2(v, u) + self.turn_rad
        coarse, fine = self.wobble
        waves = 1 + coarse * np.sin(3 * angle + 1) + fine * np.sin(7 * angle)
        outside: NDArray[np.float64] = np.hypot(u, v) - self.length_m / 2 * waves
        return outside

    def _outside_scratch(
        self, u: NDArray[np.float64], v: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        v = v - self._bent(u)
        beyond = np.maximum(np.abs(u) - self.length_m / 2, 0)
        for low, high in self.gaps:
            within = np.minimum(u - low * self.length_m, high * self.length_m - u)
            beyond = np.maximum(beyond, within)
        outside: NDArray[np.float64] = np.hypot(beyond, v) - self.width_m / 2
        return outside

    def _bent(self, u: NDArray[np.float64]) -> NDArray[np.float64]:
        """How far the middle line of a scratch lies from its tangent, metres."""
        bent: NDArray[np.float64] = self.bend * self.length_m * np.sin(u / self.length_m * 4)
        return bent

    def footprint(self) -> Points:
        """Points (K, 3) over the mark on its tangent plane, outline included."""
        across = np.cross(self.normal, self.tangent)
        if self.round:
            angles = np.arange(16) * (np.pi / 8)
            rings = [
                r * np.column_stack([np.cos(angles), np.sin(angles)]) for r in (0.0, 0.5, 1.0)
            ]
            uv = np.concatenate(rings) * (np.array([self.length_m, self.width_m]) / 2)
        else:
            u = np.linspace(-0.5, 0.5, 13) * self.length_m
            v = self._bent(u)
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
