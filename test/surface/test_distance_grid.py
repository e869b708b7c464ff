import numpy as np
import pytest

from inspection_cell.locations import cache_folder
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.distance_grid import DistanceGrid
from inspection_cell.surface.grid_building import load_or_build

COARSE_M = 1e-3  # spacing of a grid that is quickly made


def beside(part, count, reach_m, seed):
    generator = np.random.default_rng(seed)
    rows = generator.integers(0, len(part.samples), count)
    return part.samples[rows] + generator.uniform(-reach_m, reach_m, (count, 3))


def test_trusted_cells_are_exact_to_micrometres_and_hold_most_points(field, part):
    points = beside(part, 40_000, 0.2e-3, seed=1)
    looked, exact = field.grid.look_up(points), field.measure(points)
    error_m = np.abs(looked.signed_m - exact.signed_m)[looked.trusted]
    assert looked.trusted.mean() > 0.6
    assert np.percentile(error_m, 99) < 3e-6
    assert error_m.max() < 30e-6


def test_divided_cells_leave_fewer_points_to_be_measured_and_are_as_exact(field, part):
    points = beside(part, 40_000, 0.1e-3, seed=5)
    grid = field.grid
    plain = DistanceGrid(grid.origin_m, grid.spacing_m, grid.nodes, grid.trusted)
    undivided, looked = plain.look_up(points).trusted, grid.look_up(points)
    assert not (undivided & ~looked.trusted).any()
    assert np.mean(~looked.trusted) < 0.5 * np.mean(~undivided)
    more = looked.trusted & ~undivided
    exact = field.measure(points[more])
    assert np.percentile(np.abs(looked.signed_m[more] - exact.signed_m), 99) < 4e-6
    assert np.median(np.einsum('ij,ij->i', looked.gradient[more], exact.outward)) > 0.999


def test_beside_edges_the_grid_errs_and_does_not_claim_otherwise(field):
    edge = np.column_stack(
        [np.linspace(-0.02, 0.02, 200), np.full(200, -0.03), np.full(200, 0.02)]
    )
    points = edge + np.random.default_rng(2).uniform(-0.2e-3, 0.2e-3, (200, 3))
    looked, exact = field.grid.look_up(points), field.measure(points)
    error_m = np.abs(looked.signed_m - exact.signed_m)
    assert error_m.max() > 20e-6
    assert error_m[looked.trusted].max(initial=0.0) < 10e-6
    assert looked.trusted.mean() < 0.5


def test_the_gradient_points_where_the_distance_grows(field, part):
    points = beside(part, 5000, 0.2e-3, seed=3)
    looked = field.grid.look_up(points)
    gradient = looked.gradient[looked.trusted]
    assert np.median(np.linalg.norm(gradient, axis=1)) == pytest.approx(1.0, abs=1e-3)
    exact = field.measure(points[looked.trusted])
    assert np.median(np.einsum('ij,ij->i', gradient, exact.outward)) > 0.999


@pytest.mark.parametrize('point', [(9.0, 0, 0), (0, -1e9, 0), (0, 0, 0.5)])
def test_far_away_it_says_nothing_and_is_not_trusted(field, point):
    looked = field.grid.look_up(np.array([point, (0.0, -0.02, 0.0201)]))
    assert np.isnan(looked.signed_m[0])
    assert not looked.trusted[0]
    assert np.isfinite(looked.signed_m[1])


def test_comparing_gives_the_exact_deviations_everywhere(field, part):
    points = beside(part, 20_000, 3e-3, seed=4).astype(np.float32)
    compared, exact = field.compare(points), field.measure(points)
    error_m = np.abs(compared.signed_m - exact.signed_m)
    assert np.percentile(error_m, 99) < 3e-6
    assert error_m.max() < 30e-6


def test_a_kept_grid_is_the_same_and_a_damaged_one_is_computed_again(part, field, tmp_path):
    first = load_or_build(field, tmp_path, COARSE_M)
    (path,) = tmp_path.iterdir()
    kept = load_or_build(_Refuses(part), tmp_path, COARSE_M)
    assert np.array_equal(first.nodes, kept.nodes, equal_nan=True)
    assert np.array_equal(first.trusted, kept.trusted)
    assert np.array_equal(first.divided.cells, kept.divided.cells)
    assert np.array_equal(first.divided.nodes, kept.divided.nodes, equal_nan=True)
    assert np.array_equal(first.divided.trusted, kept.divided.trusted)
    path.write_bytes(path.read_bytes()[:1000])
    again = load_or_build(field, tmp_path, COARSE_M)
    assert np.array_equal(first.nodes, again.nodes, equal_nan=True)


def test_another_mesh_is_not_taken_for_this_one(field, part, stepless_part, tmp_path):
    own = load_or_build(field, tmp_path, COARSE_M)
    other = DeviationField(stepless_part, tmp_path, COARSE_M)
    top = np.array([[0.02, 0.0, 0.0352]])  # on the step that the other part lacks
    assert abs(float(own.look_up(top).signed_m[0])) < 1e-3
    assert not other.grid.look_up(top).trusted[0]


def test_grids_are_kept_in_the_data_folder_unless_the_environment_says_otherwise(
    tmp_path, monkeypatch
):
    monkeypatch.delenv('INSPECTION_CELL_CACHE')
    assert cache_folder(tmp_path) == tmp_path / 'cache'
    monkeypatch.setenv('INSPECTION_CELL_CACHE', str(tmp_path / 'elsewhere'))
    assert cache_folder(tmp_path) == tmp_path / 'elsewhere'


class _Refuses:
    """A part whose distances must not be measured again."""

    def __init__(self, part):
        self.reference = part

    def signed_m(self, points):
        raise AssertionError('expected the kept grid, it was computed again')
