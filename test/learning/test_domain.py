"""Domain randomisation: the cell's own look stays, the rest is drawn from seeds."""

import numpy as np
import pytest

from inspection_cell.geometry import Intrinsics
from inspection_cell.learning.domain import OWN_LOOK_SHARE, Domain
from inspection_cell.sim.defects import DefectKind, TrueDefect
from inspection_cell.sim.lighting import panels_above
from inspection_cell.sim.marks import Mark
from inspection_cell.sim.renderer import BACKGROUND

LIGHTING = panels_above(np.array([0.0, 0.0, 0.3]))
CAMERA = Intrinsics(64, 48, 100.0, 100.0, 31.5, 23.5)
PIXELS = np.random.default_rng(1).integers(0, 255, (48, 64, 3)).astype(np.uint8)


def scratch() -> TrueDefect:
    up, along = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0])
    mark = Mark(np.zeros(3), up, along, 0.01, 0.0003, 0.5, round=False)
    return TrueDefect(DefectKind.SCRATCH, np.zeros(3), up, 10.0, 10.0, mark)


def domain(seed: int, own_look: bool) -> Domain:
    return Domain(np.random.default_rng(seed), own_look)


def test_the_own_look_changes_nothing():
    own, defects = domain(0, own_look=True), (scratch(),)
    assert own.lighting(LIGHTING) is LIGHTING
    assert own.background(CAMERA) is None
    assert own.defects(defects) == defects
    assert own.developed(PIXELS) is PIXELS


def test_some_parts_keep_the_own_look_and_all_do_that_are_not_varied():
    varied = [Domain.draw(np.random.default_rng(n), varied=True).own_look for n in range(400)]
    assert np.mean(varied) == pytest.approx(OWN_LOOK_SHARE, abs=0.08)
    assert all(Domain.draw(np.random.default_rng(n), varied=False).own_look for n in range(20))


def test_a_varied_mark_stays_in_its_place_with_its_size_and_sign():
    gains, bends = [], []
    for seed in range(60):
        (found,) = domain(seed, own_look=False).defects([scratch()])
        mark = found.cause
        assert isinstance(mark, Mark)
        assert (mark.length_m, found.size_mm) == (0.01, 10.0)
        assert np.array_equal(mark.position_m, np.zeros(3))
        assert all(-0.5 < low < high < 0.5 for low, high in mark.gaps)
        gains.append(mark.gain)
        bends.append(mark.bend)
    assert 0.1 <= min(gains) < 0.5 < max(gains) < 1.0
    assert min(bends) < 0 < max(bends)


def test_the_same_seed_draws_the_same_look_and_another_seed_another():
    first, again, other = (domain(seed, own_look=False) for seed in (3, 3, 4))
    lights = [one.lighting(LIGHTING) for one in (first, again, other)]
    assert lights[0] == lights[1] != lights[2]
    pictures = [one.background(CAMERA) for one in (first, again, other)]
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[0], pictures[2])


def test_backgrounds_range_from_darker_than_the_own_to_many_times_brighter():
    means = [domain(seed, own_look=False).background(CAMERA).mean() for seed in range(60)]
    assert min(means) < BACKGROUND < 3 * BACKGROUND < max(means)
