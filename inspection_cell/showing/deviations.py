"""Deviations as the reports colour them: against the limits that rule where each point is."""

from dataclasses import dataclass

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from inspection_cell.showing.deviation_colours import SCALE_TOLERANCES, scale_ticks_mm
from inspection_cell.surface_files import SurfaceResult


@dataclass(frozen=True, slots=True)
class ShownDeviations:
    """The compared points of a result with the limits there.

    Attributes:
        deviation_mm: (N,) signed.
        low_mm, high_mm: (N,) the limits.
        tolerance_mm: lower and upper limit that the colour scale steps at.
        varies: whether some limits are others than these.
    """

    deviation_mm: NDArray[np.floating]
    low_mm: NDArray[np.floating]
    high_mm: NDArray[np.floating]
    tolerance_mm: tuple[float, float]
    varies: bool

    @property
    def limit_mm(self) -> NDArray[np.floating]:
        """(N,) the limit on the side of the deviation."""
        return np.where(self.deviation_mm < 0, self.low_mm, self.high_mm)

    @property
    def beyond(self) -> NDArray[np.bool_]:
        """(N,) which points lie outside their limits."""
        outside: NDArray[np.bool_] = (self.deviation_mm < self.low_mm) | (
            self.deviation_mm > self.high_mm
        )
        return outside

    @property
    def on_scale_mm(self) -> NDArray[np.floating]:
        """(N,) where on the colour scale: at its own limit a point is where the scale steps."""
        if not self.varies:
            return self.deviation_mm
        low, high = self.tolerance_mm
        steps_at_mm = np.where(self.deviation_mm < 0, low, high)
        return np.asarray(self.deviation_mm / self.limit_mm * steps_at_mm)

    @property
    def tick_words(self) -> list[str]:
        """The ticks of the scale: millimetres, or multiples of limits that differ by place."""
        if not self.varies:
            return [f'{tick:+g}' if tick else '0' for tick in scale_ticks_mm(self.tolerance_mm)]
        most = f'{SCALE_TOLERANCES:g} ×'
        return [f'-{most}', '-1 ×', '0', '+1 ×', f'+{most}']

    @property
    def scale_words(self) -> str:
        """What the scale shows."""
        if self.varies:
            return 'deviation in multiples of the limit at its place'
        low, high = self.tolerance_mm
        return f'deviation, mm; tolerance {low:+g} … {high:+g}'


def shown_deviations(result: SurfaceResult) -> ShownDeviations:
    """The limits at every compared point of a result."""
    low, high = result.tolerance_mm
    count = len(result.points_part)
    lows, highs = np.full(count, low), np.full(count, high)
    if result.limits is not None and count:
        query = np.ascontiguousarray(result.points_part, dtype=np.float32)
        nearest = result.reference.scene.compute_closest_points(o3d.core.Tensor.from_numpy(query))
        closest = nearest['points'].numpy().astype(np.float64)
        limits = result.limits.at(closest, nearest['primitive_ids'].numpy().astype(np.intp))
        lows, highs = limits.low_mm, limits.high_mm
    varies = bool(np.any(lows != low) or np.any(highs != high))
    return ShownDeviations(result.deviation_mm, lows, highs, result.tolerance_mm, varies)


def zone_words(result: SurfaceResult, name: str) -> str:
    """A zone by its name, with what is allowed there where that differs."""
    if result.limits is None:
        return f'zone {name}'
    if any(mask.name == name for mask in result.limits.masks):
        return f'zone {name}, not judged'
    for zone, (low, high) in result.limits.zones:
        if zone.name == name:
            return f'zone {name}, {low:+g} … {high:+g} mm'
    return f'zone {name}'
