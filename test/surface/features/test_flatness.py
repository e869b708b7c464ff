"""Flatness of known shapes under noise: filter, minimum zone, and the noise that is taken off."""

import numpy as np
import pytest

from inspection_cell.surface.features.areal_filter import GaussianSurface, Grid
from inspection_cell.surface.features.flatness import flatness
from inspection_cell.surface.features.measured import UnmeasurableError
from inspection_cell.surface.features.minimum_zone import minimum_zone_m

NOISE_M, CUTOFF_M = 3e-5, 8e-3


def places(random, size_m=(0.05, 0.04), density=20e6):
    return random.uniform(0.0, size_m, (int(size_m[0] * size_m[1] * density), 2))


def test_the_minimum_zone_of_a_tilted_saddle_is_its_range_without_the_tilt():
    x, y = (grid.reshape(-1) for grid in np.meshgrid(*[np.linspace(-1.0, 1.0, 21)] * 2))
    points = np.column_stack([x, y, 5e-5 * x * y + 3e-3 * x - 2e-3 * y + 1.0])
    assert minimum_zone_m(points) == pytest.approx(1e-4, abs=1e-8)


def test_the_minimum_zone_is_narrower_than_the_range_about_the_least_squares_plane():
    corner = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 1e-4], [0.5, 0.5, 0]], dtype=float)
    assert minimum_zone_m(corner) == pytest.approx(5e-5, rel=1e-3)


def test_the_minimum_zone_of_a_plane_is_nothing():
    random = np.random.default_rng(1)
    plane = random.random((50, 2))
    points = np.column_stack([plane, plane @ [1e-3, 2e-3]])
    assert minimum_zone_m(points) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ('wave_mm', 'passed'), [(8.0, 0.5), (16.0, 0.5**0.25), (12.0, 0.5 ** (8.0 / 12.0) ** 2)]
)
def test_the_filter_passes_half_of_the_amplitude_at_its_cutoff(wave_mm, passed):
    in_plane = places(np.random.default_rng(8), density=150e6)
    grid = Grid.over(in_plane, CUTOFF_M / 8.0)
    surface = GaussianSurface(grid, np.ones(len(in_plane)), CUTOFF_M)
    phase = 2.0 * np.pi / wave_mm * 1e3
    filtered = surface.values(np.cos(phase * in_plane[:, 0]))[15:-15, 15:-15]
    expected = passed * np.cos(phase * grid.middles_m()[15:-15, 15:-15, 0])
    np.testing.assert_allclose(filtered, expected, atol=0.02)


def test_a_slope_is_kept_up_to_the_border():
    random = np.random.default_rng(2)
    in_plane = places(random)
    grid = Grid.over(in_plane, CUTOFF_M / 8.0)
    surface = GaussianSurface(grid, np.ones(len(in_plane)), CUTOFF_M)
    filtered = surface.values(1e-3 * in_plane[:, 0])
    expected = 1e-3 * (grid.middles_m()[..., 0] + in_plane[:, 0].min())
    assert np.abs(filtered - expected)[surface.known].max() < 0.5e-6


def test_a_flat_surface_is_flat_though_its_points_are_noisy():
    random = np.random.default_rng(3)
    in_plane = places(random)
    found = flatness(in_plane, random.normal(0.0, NOISE_M, len(in_plane)), CUTOFF_M)
    assert found.with_noise_m > 5e-6  # what the filter leaves of the noise
    assert found.value_m < found.with_noise_m
    assert found.value_m <= found.uncertainty_m
    assert found.noise_m == pytest.approx(NOISE_M, rel=0.03)


def test_without_a_filter_the_noise_of_single_points_is_taken_off():
    random = np.random.default_rng(4)
    in_plane = places(random)
    dome = -5e-4 * (((in_plane / [0.05, 0.04] - 0.5) * 2.0) ** 2).sum(axis=1) / 2.0
    found = flatness(in_plane, dome + random.normal(0.0, NOISE_M, len(in_plane)), None)
    assert found.with_noise_m > 6e-4
    assert found.value_m == pytest.approx(5e-4, abs=found.uncertainty_m)
    assert found.value_m < found.with_noise_m


def test_flying_points_are_left_out_and_a_burr_is_not():
    random = np.random.default_rng(5)
    in_plane = places(random)
    heights = random.normal(0.0, NOISE_M, len(in_plane))
    flying = random.random(len(in_plane)) < 0.02
    heights[flying] += random.uniform(-1e-3, 1e-3, flying.sum())
    plain = flatness(in_plane, heights, CUTOFF_M)
    burr = np.linalg.norm(in_plane - [0.02, 0.02], axis=1) < 4e-3
    heights[burr] += 0.5e-3
    with_burr = flatness(in_plane, heights, CUTOFF_M)
    assert plain.value_m < 15e-6
    assert plain.points < 0.99 * len(in_plane)
    assert with_burr.value_m > 0.3e-3


def test_noise_that_neighbours_share_makes_the_value_less_certain():
    random = np.random.default_rng(6)
    in_plane = places(random)
    alone = random.normal(0.0, NOISE_M, len(in_plane))
    alone -= 1e-4 * np.square(in_plane[:, 0] / 0.025 - 1.0)
    cells = (in_plane / 1.5e-3).astype(int)
    shared = random.normal(0.0, NOISE_M / 2.0, cells.max(axis=0) + 1)[tuple(cells.T)]
    assert (
        flatness(in_plane, alone + shared, CUTOFF_M).uncertainty_m
        > 1.3 * flatness(in_plane, alone, CUTOFF_M).uncertainty_m
    )


def test_a_surface_smaller_than_the_filter_is_not_measured():
    random = np.random.default_rng(7)
    in_plane = random.uniform(0.0, 2e-3, (200, 2))
    with pytest.raises(UnmeasurableError, match='a cutoff of 8 mm needs at least 16'):
        flatness(in_plane, np.zeros(200), CUTOFF_M)
