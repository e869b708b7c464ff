"""Robust scale and weights, and how many independent points a residual is worth."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TUKEY = 4.685  # 95 % efficiency on normal noise
_NORMAL = 1.4826  # median absolute deviation to standard deviation


def scale_of(residuals: Floats) -> float:
    """Standard deviation of the normal core of (N,) residuals; outliers do not count."""
    return max(float(_NORMAL * np.median(np.abs(residuals))), 1e-12)


def tukey_weights(residuals: Floats, scale: float) -> Floats:
    """(N,) Tukey's biweight in [0, 1], 0 for outliers.

    Beaton and Tukey, "The fitting of power series", Technometrics 16, 1974.
    """
    scaled = residuals / (_TUKEY * scale)
    weights: Floats = np.square(np.clip(1.0 - scaled * scaled, 0.0, None))
    return weights


def design_effect(residuals: Floats, weights: Floats, cells: NDArray[np.intp]) -> float:
    """How many points count as one because neighbours err alike; at least 1.

    Compares the scatter of cell means with what independent points would give (Kish, "Survey
    sampling", 1965). Form that the fit does not model counts too: it moves the fit as well.

    Args:
        residuals: (N,) of a fit.
        weights: (N,) in [0, 1].
        cells: (N,) the neighbourhood that each point lies in, counted from 0.
    """
    count = np.bincount(cells, weights)
    used = count > 0.0
    total = float(count.sum())
    variance = float(np.square(residuals) @ weights) / max(total, 1e-12)
    sums = np.bincount(cells, weights * residuals)[used]
    if variance <= 0.0 or used.sum() < 2:
        return 1.0
    between = float(np.square(sums) @ (1.0 / count[used])) / float(used.sum())
    return max(1.0, between / variance)
