import numpy as np
import pytest

from inspection_cell.surface.patches import patches_of, spacing_m


@pytest.mark.parametrize('step_m', [0.1e-3, 0.4e-3])
def test_the_spacing_of_a_square_grid_is_its_step(step_m):
    grid = np.stack(np.meshgrid(np.arange(200), np.arange(150), [0.0]), -1).reshape(-1, 3) * step_m
    assert spacing_m(grid, patches_of(grid)) == pytest.approx(step_m, rel=0.15)


def test_a_repeated_point_is_no_neighbour(part_points):
    single = spacing_m(part_points, patches_of(part_points))
    tripled = np.repeat(part_points, 3, axis=0)
    assert spacing_m(tripled, patches_of(tripled)) == pytest.approx(single, rel=0.1)


def test_patches_are_small_pieces_of_neighbours(part_points):
    patches = patches_of(part_points)
    assert len(patches) > 20
    for patch in patches:
        assert np.ptp(part_points[patch.rows], axis=0).max() < 0.01
        assert len(np.unique(patch.rows)) == len(patch.rows) >= 10


def test_the_same_cloud_gives_the_same_patches(part_points):
    first, second = patches_of(part_points), patches_of(part_points.copy())
    assert all(np.array_equal(a.rows, b.rows) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize('count', [0, 1, 9])
def test_too_few_points_have_no_patches_and_no_spacing(count):
    points = np.random.default_rng(0).random((count, 3))
    assert patches_of(points) == ()
    assert spacing_m(points, ()) == 0.0
