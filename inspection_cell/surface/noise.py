"""How much single points of a scan scatter: estimated from the scan itself.

In small patches the deviations of a smooth surface hardly change; what they scatter is noise.
The median absolute deviation is not impressed by outliers. Range sensors scatter more where they
look along the surface: the dependence on the angle is fitted over all patches.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.surface.deviation import Deviations
from inspection_cell.surface.patches import Patch

_MAD_TO_SIGMA = 1.4826
_FLATTEST_COS = 0.15
_SMOOTH_COS = 0.9  # directions within a patch that has no edge
_EACH = 48  # points of a patch that are asked
_OUTLIER_MADS = 5.0

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard deviation of single points, one sigma.

    Attributes:
        facing_mm: where the surface faces the sensor, or everywhere when it is not known.
        grazing_mm: added per unit of 1 / cosine of the incidence, less one.
        least_mm: under any angle.
    """

    facing_mm: float
    grazing_mm: float = 0.0
    least_mm: float = 0.0

    def sigma_mm(self, cosines: NDArray[np.floating] | None, count: int) -> Array:
        """(N,) of points seen under angles with these cosines; None: not known."""
        if cosines is None:
            return np.full(count, self.facing_mm)
        fitted = self.facing_mm + self.grazing_mm * _flatness(cosines)
        return np.maximum(fitted, self.least_mm)


def estimate_noise(
    deviations: Deviations, patches: tuple[Patch, ...], sensors: NDArray[np.floating] | None
) -> Noise:
    """Noise of a registered scan.

    Args:
        deviations: of its points.
        patches: of the same points.
        sensors: (1, 3) or (N, 3) where the scanner of each point stood, part frame; None: not
            known.
    """
    rows = _rows(patches)
    outward = deviations.outward[rows].astype(np.float64)  # (P, K, 3)
    towards = np.median(outward, axis=1)
    length = np.linalg.norm(towards, axis=1)
    alike = np.einsum('pki,pi->pk', outward, towards) > _SMOOTH_COS * length[:, None]
    smooth = (length >= _SMOOTH_COS) & (alike.mean(axis=1) >= _SMOOTH_COS)
    if not smooth.any():
        spread = np.median(np.abs(deviations.signed_mm)) if len(deviations.points) else 0.0
        return Noise(_MAD_TO_SIGMA * float(spread))
    points, outward = deviations.points[rows[smooth]].astype(np.float64), towards[smooth]
    signed_mm = deviations.signed_m[rows[smooth]].astype(np.float64) * 1e3
    outward /= length[smooth, None]
    sigmas_mm = _scatter_mm(points, outward, signed_mm, alike[smooth])
    if sensors is None:
        return Noise(float(np.median(sigmas_mm)))
    stood = sensors[rows[smooth][:, _EACH // 2]] if len(sensors) > 1 else sensors
    sight = stood - points.mean(axis=1)
    along = np.einsum('pi,pi->p', sight, outward)
    cosines = along / np.linalg.norm(sight, axis=1)
    return _fitted(sigmas_mm, _flatness(cosines))


def _rows(patches: tuple[Patch, ...]) -> NDArray[np.intp]:
    """(P, K) the points that are asked."""
    spread = [np.linspace(0, len(patch.rows) - 1, _EACH).astype(np.intp) for patch in patches]
    chosen = [patch.rows[places] for patch, places in zip(patches, spread, strict=True)]
    return np.array(chosen, dtype=np.intp).reshape(-1, _EACH)


def _scatter_mm(
    points: Array, outward: Array, signed_mm: NDArray[np.floating], alike: NDArray[np.bool_]
) -> Array:
    """(P,) about each patch's own plane of deviations: a pose a little off tilts them."""
    along = points - points.mean(axis=1, keepdims=True)
    # Across the surface alone: along its normal every deviation is explained.
    along -= np.einsum('pki,pi->pk', along, outward)[:, :, None] * outward[:, None]
    along /= np.maximum(np.abs(along).max(axis=(1, 2), keepdims=True), 1e-9)
    columns = np.concatenate([np.ones_like(along[:, :, :1]), along], axis=2)  # (P, K, 4)
    away = np.abs(signed_mm - np.median(signed_mm, axis=1, keepdims=True))
    usual = alike & (away <= _OUTLIER_MADS * np.median(away, axis=1, keepdims=True) + 1e-9)
    fitted = np.linalg.pinv(columns * usual[:, :, None], rcond=1e-6)
    planes = np.einsum('pck,pk->pc', fitted, signed_mm * usual)
    residual = signed_mm - np.einsum('pkc,pc->pk', columns, planes)
    residual -= np.median(residual, axis=1, keepdims=True)
    scatter: Array = _MAD_TO_SIGMA * np.median(np.abs(residual), axis=1)
    return scatter


def _fitted(sigmas_mm: Array, flatness: Array) -> Noise:
    """The dependence on the angle; patches on defects are no noise and are left out."""
    columns = np.column_stack([np.ones(len(flatness)), flatness])
    usual = np.ones(len(flatness), dtype=np.bool_)
    for _ in range(2):
        line = np.linalg.lstsq(columns[usual], sigmas_mm[usual], rcond=None)[0]
        error = np.abs(sigmas_mm - columns @ line)
        usual = error <= np.percentile(error, 75)
    least_mm, most_mm = np.percentile(sigmas_mm, [10, 90])
    return Noise(float(np.clip(line[0], least_mm, most_mm)), float(line[1]), float(least_mm))


def _flatness(cosines: NDArray[np.floating]) -> Array:
    """1 / cosine of the incidence, less one."""
    flatness: Array = 1.0 / np.maximum(np.abs(cosines), _FLATTEST_COS) - 1.0
    return flatness
