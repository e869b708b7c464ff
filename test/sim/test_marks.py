import numpy as np
import pytest

from inspection_cell.sim.marks import Mark

ORIGIN, UP, ALONG = np.zeros(3), np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0])


def painted(mark: Mark, points_mm: list[tuple[float, float, float]]) -> np.ndarray:
    points = np.array(points_mm, dtype=np.float32) / 1000.0
    light = np.ones((len(points), 3), dtype=np.float32)
    normals = np.tile(UP.astype(np.float32), (len(points), 1))
    mark.paint(light, points, normals, pixel_m=1e-4)
    return light[:, 0]


def test_a_stain_has_its_contrast_in_the_middle_and_none_outside() -> None:
    stain = Mark(ORIGIN, UP, ALONG, 0.006, 0.006, 0.85, round=True)
    light = painted(stain, [(0, 0, 0), (1, 1, 0), (4, 0, 0), (0, 0, 6)])
    assert light == pytest.approx([0.85, 0.85, 1.0, 1.0])


def test_a_scratch_is_as_long_and_as_narrow_as_it_says() -> None:
    scratch = Mark(ORIGIN, UP, ALONG, 0.010, 0.0002, 0.5, round=False)
    x = np.linspace(-8, 8, 1601)
    bend = 0.02 * 10 * np.sin(x / 10 * 4)
    light = painted(scratch, [(float(u), float(v), 0.0) for u, v in zip(x, bend, strict=True)])
    assert 0.01 * np.count_nonzero(light < 0.75) == pytest.approx(10.2, abs=0.1)
    y = np.linspace(-1, 1, 2001)
    light = painted(scratch, [(0.0, float(v), 0.0) for v in y])
    assert 0.001 * np.count_nonzero(light < 0.75) == pytest.approx(0.2, abs=0.01)


def test_a_broken_scratch_shows_the_surface_in_its_gap() -> None:
    scratch = Mark(
        ORIGIN, UP, ALONG, 0.010, 0.0004, 0.5, round=False, bend=0.0, gaps=((-0.1, 0.2),)
    )
    light = painted(scratch, [(-2, 0, 0), (0, 0, 0), (1, 0, 0), (3, 0, 0)])
    assert light == pytest.approx([0.5, 1.0, 1.0, 0.5])


def test_the_footprint_of_a_bent_scratch_lies_on_it() -> None:
    scratch = Mark(ORIGIN, UP, ALONG, 0.010, 0.0004, 0.5, round=False, bend=0.08)
    middle = scratch.footprint().reshape(2, -1, 3).mean(axis=0) * 1000.0
    assert painted(scratch, [tuple(point) for point in middle]) == pytest.approx(0.5)
    assert np.abs(middle[:, 1]).max() == pytest.approx(0.8, abs=0.02)


def test_a_mark_does_not_shine_through_to_the_other_side() -> None:
    stain = Mark(ORIGIN, UP, ALONG, 0.006, 0.006, 0.5, round=True)
    light = np.ones((1, 3), dtype=np.float32)
    stain.paint(light, np.zeros((1, 3), np.float32), -UP[None].astype(np.float32), 1e-4)
    assert light.tolist() == [[1.0, 1.0, 1.0]]
