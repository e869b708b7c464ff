"""The fused probability is bounded and moves the right way."""

from math import log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_cell.fusion import probability as fused
from inspection_cell.fusion.probability import (
    any_of,
    beyond_probability,
    contributions,
    miss_of,
    probability,
)
from inspection_cell.observations import ViewKey

SHARES = st.floats(0, 1)
LISTS = st.lists(SHARES, max_size=5)
RATE = ((5.0, 0.1), (20.0, 0.5), (80.0, 0.9))
LEFT, RIGHT, SCANNER = (ViewKey('top', name) for name in ('left', 'right', 'scanner'))


@given(LISTS, LISTS, LISTS)
def test_it_is_a_probability(cameras, scans, misses):
    assert 0.0 <= probability(cameras, scans, misses) <= 1.0


@given(LISTS, LISTS, LISTS, SHARES)
def test_one_more_clean_view_never_raises_it(cameras, scans, misses, miss):
    before = probability(cameras, scans, misses)
    assert probability(cameras, scans, [*misses, miss]) <= before + 1e-12


@given(LISTS, LISTS, LISTS, SHARES)
def test_one_more_view_that_saw_it_never_lowers_it(cameras, scans, misses, score):
    before = probability(cameras, scans, misses)
    assert probability([*cameras, score], scans, misses) >= before - 1e-12
    assert probability(cameras, [*scans, score], misses) >= before - 1e-12


@given(LISTS)
def test_what_a_scan_measured_is_never_doubted_by_cameras(misses):
    assert probability([], [1.0], misses) >= 0.99


def test_one_view_alone_is_believed_as_it_scores():
    assert probability([0.7], []) == pytest.approx(0.7)


def test_two_views_that_agree_are_noisy_or():
    assert probability([0.7, 0.6], []) == pytest.approx(1 - 0.3 * 0.4)


def test_the_clean_view_that_would_have_seen_it_best_multiplies_the_odds():
    odds = 0.7 / 0.3 * 0.2
    assert probability([0.7], [], [0.2, 0.5]) == pytest.approx(odds / (1 + odds))


def test_nobody_saw_anything_is_zero():
    assert probability([], []) == 0.0


@given(LISTS)
def test_any_of_several_is_at_least_the_most_probable_and_at_most_one(each):
    assert max(each, default=0.0) - 1e-12 <= any_of(each) <= 1.0


def test_contributions_are_the_log_odds_that_each_view_adds():
    said = fused.Testimony({LEFT: 0.8}, {}, {RIGHT: 0.5})
    found = contributions(
        said.views, said.probability, lambda view: said.without(view).probability
    )
    by_view = {one.view: one.log_odds for one in found}
    assert by_view[RIGHT] == pytest.approx(log(0.5))
    assert by_view[LEFT] > 5.0  # without it there is nothing
    assert SCANNER not in by_view


@given(st.floats(0.1, 500), st.floats(0.1, 500))
def test_a_larger_defect_is_never_missed_more_easily(one, other):
    small, large = sorted((one, other))
    assert 0.0 <= miss_of(RATE, large) <= miss_of(RATE, small) <= 1.0


def test_the_rate_of_misses_goes_through_the_measured_points():
    assert [miss_of(RATE, size) for size, _ in RATE] == pytest.approx([0.9, 0.5, 0.1])
    assert miss_of(RATE, 10.0) == pytest.approx(0.7)
    assert miss_of(RATE, 1000.0) == pytest.approx(0.1)


def test_a_value_at_its_limit_is_as_likely_beyond_as_within():
    assert beyond_probability(-0.2, -0.2, 0.05) == pytest.approx(0.5)
    assert beyond_probability(-0.25, -0.2, 0.05) == pytest.approx(0.977, abs=0.01)
    assert beyond_probability(0.15, 0.2, 0.05) == pytest.approx(0.023, abs=0.01)
    assert beyond_probability(0.3, 0.2, 0.0) == 1.0
