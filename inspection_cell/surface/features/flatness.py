"""Flatness after ISO 12781: filter, minimum zone, and the share of the noise taken off."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt

from inspection_cell.surface.features.areal_filter import (
    CELLS_PER_CUTOFF,
    GaussianSurface,
    Grid,
)
from inspection_cell.surface.features.measured import UnmeasurableError
from inspection_cell.surface.features.minimum_zone import least_squares_range, minimum_zone_m
from inspection_cell.surface.features.robust import Floats, design_effect, scale_of

_OUTLIER = 4.0  # standard deviations from the neighbourhood's median
_NEIGHBOURS = 16  # points that a neighbourhood has on average
_FULL = 5  # points that a neighbourhood must have to be asked
_DRAWS = 32
_SEED = 16610  # the same scan gives the same value
_MIN_CELLS = 16


@dataclass(frozen=True, slots=True)
class FlatnessValue:
    """Flatness of one surface, metres.

    Attributes:
        value_m: width of the minimum zone without the noise's share.
        with_noise_m: the same with it, as the filtered points give it.
        uncertainty_m: expanded, k = 2.
        noise_m: standard deviation of single points.
        points: used, outliers taken off.
    """

    value_m: float
    with_noise_m: float
    uncertainty_m: float
    noise_m: float
    points: int


def flatness(in_plane_m: Floats, heights_m: Floats, cutoff_m: float | None) -> FlatnessValue:
    """Flatness of points over their plane.

    Args:
        in_plane_m: (N, 2) places in the plane.
        heights_m: (N,) over the least squares plane.
        cutoff_m: of the areal Gaussian filter; None: the points are taken as they are.

    Raises:
        UnmeasurableError: when the points span too few cells of the filter.
    """
    deviations = _from_neighbours(in_plane_m, heights_m)
    kept = np.abs(deviations) <= _OUTLIER * scale_of(deviations)
    in_plane_m, heights_m = in_plane_m[kept], heights_m[kept]
    noise_m = _noise_m(in_plane_m, heights_m)
    generator = np.random.default_rng(_SEED)
    if cutoff_m is None:
        draws = generator.normal(0.0, noise_m, (_DRAWS // 4, len(heights_m)))
        return _without_noise(in_plane_m, heights_m, draws, noise_m, len(heights_m))
    grid = Grid.over(in_plane_m, cutoff_m / CELLS_PER_CUTOFF)
    surface = GaussianSurface(grid, np.ones(len(heights_m)), cutoff_m)
    known = surface.known
    if known.sum() < _MIN_CELLS or min(grid.shape) < 2:
        raise UnmeasurableError(
            f'the surface seen spans {grid.shape[0]} x {grid.shape[1]} cells of '
            f'{grid.cell_m * 1e3:.2g} mm; a cutoff of {cutoff_m * 1e3:g} mm needs '
            f'at least {_MIN_CELLS}',
            len(heights_m),
        )
    filtered = surface.values(heights_m)[known]
    correlated = _correlation(grid, heights_m, surface.values(heights_m))
    sums = generator.normal(0.0, noise_m, (_DRAWS, *grid.shape)) * np.sqrt(surface.count)
    draws = surface.of_sums(sums)[:, known]
    return _without_noise(
        grid.middles_m()[known], filtered, draws, noise_m, len(heights_m), correlated
    )


def _without_noise(
    in_plane_m: Floats,
    heights_m: Floats,
    draws_m: Floats,
    noise_m: float,
    points: int,
    correlated: float = 1.0,
) -> FlatnessValue:
    """Extrapolate to a scanner without noise.

    Noise widens the zone of a flat surface by its whole range, that of a sharp peak not at all.
    How much it does here is tried out by adding as much noise again: the square of the range
    grows linearly with the variance in both limits, and is followed back to variance 0 (SIMEX;
    Cook and Stefanski, "Simulation-extrapolation estimation in parametric measurement error
    models", 1994). Beside the scatter of the draws the whole correction counts as
    uncertain, and no less than a share anywhere between nothing and the range of the noise alone.
    """
    with_noise = minimum_zone_m(np.column_stack([in_plane_m, heights_m]))
    span = float(least_squares_range(heights_m, in_plane_m))
    spans = least_squares_range(heights_m + draws_m, in_plane_m)
    squared = 2.0 * span**2 - float(np.mean(spans**2))
    value = with_noise * np.sqrt(max(squared, 0.0)) / max(span, 1e-12)
    scatter = float(np.std(spans)) * np.sqrt(correlated)
    most = float(least_squares_range(draws_m, in_plane_m).mean())
    share = max(with_noise - value, most / np.sqrt(3.0))
    uncertainty = 2.0 * np.hypot(scatter, 0.5 * share * np.sqrt(correlated))
    return FlatnessValue(float(value), with_noise, float(uncertainty), noise_m, points)


def _from_neighbours(in_plane_m: Floats, heights_m: Floats) -> Floats:
    """(N,) height of each point over the median of its neighbourhood.

    A neighbourhood is a few points wide: flying points differ from it, a burr or dent does not.
    """
    grid = _neighbourhoods(in_plane_m)
    count = grid.shape[0] * grid.shape[1]
    points = np.bincount(grid.index, minlength=count)
    # One sort of heights by cell: cells are farther apart than any heights.
    low, reach = float(heights_m.min()), float(np.ptp(heights_m)) + 1e-9
    ordered = np.sort(grid.index * reach * 2.0 + (heights_m - low))
    first = np.concatenate([[0], np.cumsum(points)[:-1]])
    middle = (first + points // 2).clip(max=len(ordered) - 1)
    medians = ordered[middle] - np.arange(count) * reach * 2.0 + low
    medians[points < min(_FULL, int(points.max()))] = np.nan  # too few to ask
    filled = _filled(medians.reshape(grid.shape))
    deviations: Floats = heights_m - filled.reshape(-1)[grid.index]
    return deviations


def _neighbourhoods(in_plane_m: Floats) -> Grid:
    spans = np.maximum(np.ptp(in_plane_m, axis=0), 1e-9)
    return Grid.over(
        in_plane_m, float(np.sqrt(spans[0] * spans[1] * _NEIGHBOURS / len(in_plane_m)))
    )


def _noise_m(in_plane_m: Floats, heights_m: Floats) -> float:
    """Standard deviation of points without outliers about the means of their neighbourhoods."""
    grid = _neighbourhoods(in_plane_m)
    count = grid.sums(np.ones(len(heights_m))).reshape(-1)
    means = grid.sums(heights_m).reshape(-1) / np.maximum(count, 1.0)
    away = heights_m - means[grid.index]
    freedom = max(1.0, len(heights_m) - float((count > 0.0).sum()))
    return float(np.sqrt(away @ away / freedom))


def _filled(medians: Floats) -> Floats:
    """Medians with each unknown one taken from the nearest known cell."""
    nearest = distance_transform_edt(
        np.isnan(medians), return_distances=False, return_indices=True
    )
    filled: Floats = medians[tuple(nearest)]
    return filled


def _correlation(grid: Grid, heights_m: Floats, filtered: Floats) -> float:
    """How many points err alike: residuals of neighbours about the filtered surface."""
    residuals = heights_m - filtered.reshape(-1)[grid.index]
    return design_effect(residuals, np.ones(len(residuals)), grid.index)
