import numpy as np
import pytest

from inspection_cell.recipe import Recipe
from inspection_cell.sim.body import Body, Bump
from inspection_cell.sim.parts import PART_TYPES, reference_body
from inspection_cell.sim.shapes import Variant

PLACE = np.array([0.0, 0.030, 0.014])  # on the bracket's base
UP = np.array([0.0, 0.0, 1.0])


def heights(body: Body, offsets_mm: np.ndarray, tilt: float = 0.0) -> np.ndarray:
    """z in mm of the surface where slanted rays from above meet it, aimed at base points."""
    targets = PLACE + offsets_mm / 1000.0
    direction = np.array([tilt, 0.0, -1.0]) / np.hypot(tilt, 1.0)
    rays = np.empty((len(targets), 6), dtype=np.float32)
    rays[:, :3], rays[:, 3:] = targets - 0.2 * direction, direction
    hits = body.cast(rays)
    assert len(hits.rows) == len(rays)
    return hits.points[:, 2] * 1000.0


def bumped(height_mm: float, radius_mm: float = 3.0) -> Body:
    solid = PART_TYPES['bracket'].build(Variant())
    bump = Bump(PLACE, UP, height_mm / 1000.0, radius_mm / 1000.0)
    return Body('bracket', solid.vertices / 1000.0, solid.triangles, bumps=[bump])


@pytest.mark.parametrize('height_mm', [-2.5, -0.25, 0.25, 2.5])
def test_a_bump_has_its_height_in_the_middle_and_ends_at_its_rim(height_mm: float) -> None:
    body = bumped(height_mm)
    offsets = np.array([[0.0, 0, 0], [1.5, 0, 0], [0, -3.1, 0], [6.0, 0, 0]])
    expected = 14.0 + height_mm * np.array([1.0, 0.5625, 0.0, 0.0])
    assert heights(body, offsets) == pytest.approx(expected, abs=0.01)


def test_slanted_rays_meet_the_bottom_of_a_dent_where_geometry_says() -> None:
    tilt = 0.6
    aim = np.array([[-1.0 * tilt, 0.0, 0.0]])  # passes the base plane before the dent's middle
    assert heights(bumped(-1.0), aim, tilt) == pytest.approx([13.0], abs=0.02)


def test_normals_follow_the_slope_of_a_dent() -> None:
    rays = np.array([[0.0012, 0.030, 0.1, 0, 0, -1]], dtype=np.float32)
    hits = bumped(-1.0).cast(rays)
    slope = 4 * 1.0 / 3.0 * 0.4 * (1 - 0.4**2)  # of 1·(1 - (r/3)²)² at r = 1.2 mm
    expected = np.array([-slope, 0.0, 1.0]) / np.hypot(slope, 1.0)
    assert hits.normals[0] == pytest.approx(expected, abs=0.02)


def test_rays_that_miss_the_part_are_left_out(bracket: Recipe) -> None:
    rays = np.array([[0, 0.03, 1, 0, 0, -1], [1, 1, 1, 0, 0, -1]], dtype=np.float32)
    assert reference_body(bracket).cast(rays).rows.tolist() == [0]
