"""How much single points of a scan scatter: estimated from the scan itself.

In small patches the deviations of a smooth surface hardly change; what they scatter is noise.
The median absolute deviation is not impressed by outliers. Range sensors scatter more where they
look along the surface: the dependence on the angle is fitted over all patches.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from inspection_cell.geometry import Points
from inspection_cell.surface.deviation import Deviations
from inspection_cell.surface.patches import Patch

_MAD_TO_SIGMA = 1.4826
_FLATTEST_COS = 0.15
_SMOOTH_COS = 0.9  # directions within a patch that has no edge


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard deviation of single points, one sigma.

    Attributes:
        facing_mm: where the surface faces the sensor, or everywhere when it is not known.
        grazing_mm: added per unit of 1 / cosine of the incidence, less one.
    """

    facing_mm: float
    grazing_mm: float = 0.0

    def sigma_mm(self, cosines: NDArray[np.floating] | None, count: int) -> NDArray[np.float64]:
        """(N,) of points seen under angles with these cosines; None: not known."""
        if cosines is None:
            return np.full(count, self.facing_mm)
        flat = 1.0 / np.maximum(np.abs(cosines), _FLATTEST_COS) - 1.0
        sigma: NDArray[np.float64] = self.facing_mm + self.grazing_mm * flat
        return sigma


def estimate_noise(
    deviations: Deviations, patches: tuple[Patch, ...], sensor: Points | None
) -> Noise:
    """Noise of a registered scan.

    Args:
        deviations: of its points.
        patches: of the same points.
        sensor: (3,) where the scanner stood, part frame; None: not known.
    """
    sigmas, flats = [], []
    for patch in patches:
        rows = patch.rows
        outward = np.median(deviations.outward[rows], axis=0)
        length = float(np.linalg.norm(outward))
        smooth = deviations.outward[rows] @ outward > _SMOOTH_COS * max(length, 1e-9)
        if length < _SMOOTH_COS or np.mean(smooth) < _SMOOTH_COS:
            continue
        sigmas.append(_scatter_mm(deviations, rows[smooth], outward / length))
        flats.append(_flatness(deviations.points[rows], outward / length, sensor))
    if not sigmas:
        spread = np.median(np.abs(deviations.signed_mm)) if len(deviations.points) else 0.0
        return Noise(_MAD_TO_SIGMA * float(spread))
    if sensor is None or np.ptp(flats) < 0.1:
        return Noise(float(np.median(sigmas)))
    # The middle half of the residuals decides: a patch on a defect is no noise.
    columns, values = np.column_stack([np.ones(len(flats)), flats]), np.array(sigmas)
    solution, _ = nnls(columns, values)
    error = np.abs(values - columns @ solution)
    usual = error <= np.percentile(error, 75)
    solution, _ = nnls(columns[usual], values[usual])
    return Noise(float(solution[0]), float(solution[1]))


def _scatter_mm(
    deviations: Deviations, rows: NDArray[np.intp], outward: NDArray[np.floating]
) -> float:
    """Of the deviations about their plane: a pose that is a little off tilts them."""
    points, signed_mm = deviations.points[rows], deviations.signed_mm[rows]
    along = points - points.mean(axis=0)
    along -= (along @ outward)[:, None] * outward
    scale = max(float(np.abs(along).max()), 1e-9)
    columns = np.column_stack([np.ones(len(rows)), along / scale])
    usual = np.abs(signed_mm - np.median(signed_mm)) <= 5 * max(
        float(np.median(np.abs(signed_mm - np.median(signed_mm)))), 1e-6
    )
    plane = np.linalg.lstsq(columns[usual], signed_mm[usual], rcond=None)[0]
    residual = signed_mm - columns @ plane
    return _MAD_TO_SIGMA * float(np.median(np.abs(residual - np.median(residual))))


def _flatness(
    points: NDArray[np.floating], outward: NDArray[np.floating], sensor: Points | None
) -> float:
    """1 / cosine of the incidence, less one."""
    if sensor is None:
        return 0.0
    sight = sensor - points.mean(axis=0)
    cosine = abs(float(sight @ outward)) / float(np.linalg.norm(sight))
    return 1.0 / max(cosine, _FLATTEST_COS) - 1.0
