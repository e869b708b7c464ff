"""Ways along the surface: straight on a face, round edges, never through material."""

import numpy as np
import pytest

from inspection_cell.fusion.surface_paths import SurfacePaths

UP = np.array([0.0, 0.0, 1.0])


@pytest.fixture(scope='module')
def paths(world):
    return SurfacePaths(world.reference)  # 100 x 60 x 4 mm


def way_mm(paths, one_mm, other_mm, normals=(None, None)):
    places = np.array([one_mm, other_mm]) / 1000.0
    return paths.between(places, normals, np.full(len(places), 0.5))[0, 1] * 1000.0


def test_on_one_face_the_way_is_the_straight_line_and_little_more(paths):
    for other in ((20, 10, 2), (-30, 5, 2), (5, -20, 2)):
        straight = np.linalg.norm(np.subtract(other, (0, 0, 2)))
        found = way_mm(paths, (0, 0, 2), other, (UP, UP))
        assert straight <= found <= 1.12 * straight + paths.spacing_m * 1000.0


def test_front_and_back_of_a_plate_are_as_far_as_the_way_round_the_nearest_edge(paths):
    found = way_mm(paths, (0, 20, 2), (0, 20, -2), (UP, -UP))
    assert found == pytest.approx(10 + 4 + 10, rel=0.15)
    assert way_mm(paths, (0, 0, 2), (0, 0, -2), (UP, -UP)) > 55


def test_it_is_symmetric_and_zero_to_itself(paths):
    generator = np.random.default_rng(5)
    places = np.column_stack(
        [generator.uniform(-45, 45, 8), generator.uniform(-25, 25, 8), np.full(8, 2.0)]
    )
    ways = paths.between(places / 1000.0, [UP] * 8, np.full(8, 0.5))
    assert np.allclose(ways, ways.T)
    assert (np.diag(ways) == 0).all()


def test_beyond_the_reach_nothing_is_looked_for(paths):
    places = np.array([[-0.04, 0.0, 0.002], [0.04, 0.0, 0.002]])
    assert np.isinf(paths.between(places, [UP, UP], np.full(2, 0.02))[0, 1])
