"""The fused probability is bounded and moves the right way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_cell.fusion.probability import probability

SHARES = st.floats(0, 1)
LISTS = st.lists(SHARES, max_size=5)


@given(LISTS, LISTS, SHARES, LISTS)
def test_it_is_a_probability(cameras, scans, miss_rate, clean):
    assert 0.0 <= probability(cameras, scans, miss_rate, clean) <= 1.0


@given(LISTS, LISTS, SHARES, LISTS, SHARES)
def test_one_more_clean_view_never_raises_it(cameras, scans, miss_rate, clean, weight):
    before = probability(cameras, scans, miss_rate, clean)
    assert probability(cameras, scans, miss_rate, [*clean, weight]) <= before + 1e-12


@given(LISTS, LISTS, SHARES, LISTS, SHARES)
def test_one_more_view_that_saw_it_never_lowers_it(cameras, scans, miss_rate, clean, score):
    before = probability(cameras, scans, miss_rate, clean)
    assert probability([*cameras, score], scans, miss_rate, clean) >= before - 1e-12
    assert probability(cameras, [*scans, score], miss_rate, clean) >= before - 1e-12


@given(LISTS, SHARES)
def test_what_a_scan_measured_is_never_doubted_by_cameras(clean, miss_rate):
    assert probability([], [1.0], miss_rate, clean) >= 0.99


def test_one_view_alone_is_believed_as_it_scores():
    assert probability([0.7], [], 0.2, []) == pytest.approx(0.7)


def test_two_views_that_agree_are_noisy_or():
    assert probability([0.7, 0.6], [], 0.2, []) == pytest.approx(1 - 0.3 * 0.4)


def test_a_well_placed_clean_view_multiplies_the_odds_by_the_miss_rate():
    odds = 0.7 / 0.3 * 0.2
    assert probability([0.7], [], 0.2, [1.0, 0.5]) == pytest.approx(odds / (1 + odds))


def test_nobody_saw_anything_is_zero():
    assert probability([], [], 0.2, []) == 0.0
