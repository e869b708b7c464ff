"""Whatever the views found: order does not matter, clean views calm, missing ones do not."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_cell.findings import ViewStatus
from inspection_cell.fusion.fuse import Fuser

CAMERAS = ('left', 'right')
MARKS = st.lists(
    st.tuples(
        st.sampled_from(CAMERAS),
        st.sampled_from(['scratch', 'stain']),
        st.floats(-40, 40),
        st.floats(-24, 24),
        st.floats(2, 14),
        st.floats(0.3, 0.99),
    ),
    max_size=6,
)


def views_of(world, marks, names=('left', 'right', 'below', 'scanner')):
    views = []
    for name in names:
        found = [
            world.seen(name, label, [(x, y, 2), (x + size, y, 2)], score)
            for camera, label, x, y, size, score in marks
            if camera == name
        ]
        views.append(world.scan() if name == 'scanner' else world.camera(name, *found))
    return views


def told(fused):
    return [
        (defect.label, round(defect.probability, 9), None if defect.position_m is None
         else tuple(defect.position_m.round(9)), defect.sources)
        for defect in fused.defects
    ]  # fmt: skip


@pytest.fixture(scope='module')
def fuser(world):
    return Fuser(world.recipe, world.cell, world.reference)


@settings(max_examples=30, deadline=None)
@given(marks=MARKS, random=st.randoms())
def test_the_order_of_arrival_changes_nothing_and_probabilities_are_probabilities(
    world, fuser, marks, random
):
    views = views_of(world, marks)
    expected = fuser.fuse(views)
    shuffled = [replace(view, findings=tuple(random.sample(view.findings, len(view.findings))))
                for view in random.sample(views, len(views))]  # fmt: skip
    again = fuser.fuse(shuffled)
    assert told(again) == told(expected)
    assert again.bad_probability == pytest.approx(expected.bad_probability)
    everything = [expected.bad_probability, *(d.probability for d in expected.defects)]
    assert all(0.0 <= one <= 1.0 for one in everything)


@settings(max_examples=30, deadline=None)
@given(marks=MARKS)
def test_a_clean_view_never_raises_a_probability_and_losing_it_never_lowers_one(
    world, fuser, marks
):
    found = [mark for mark in marks if mark[0] == 'left']
    without = fuser.fuse(views_of(world, found, ('left', 'below', 'scanner')))
    with_clean = fuser.fuse(views_of(world, found, ('left', 'right', 'below', 'scanner')))
    lost = replace(world.camera('right'), status=ViewStatus.MISSING, findings=())
    missing = fuser.fuse([*views_of(world, found, ('left', 'below', 'scanner')), lost])
    assert with_clean.bad_probability <= without.bad_probability + 1e-9
    for calm, alone in zip(
        sorted(d.probability for d in with_clean.defects),
        sorted(d.probability for d in without.defects),
        strict=True,
    ):
        assert calm <= alone + 1e-9
    assert told(missing) == told(without)


@settings(max_examples=20, deadline=None)
@given(marks=MARKS)
def test_contributions_name_only_views_that_spoke_and_sum_up_what_one_view_alone_says(
    world, fuser, marks
):
    fused = fuser.fuse(views_of(world, marks))
    speaking = {c.view for d in fused.defects for c in d.contributions}
    assert {one.view for one in fused.contributions} == speaking
    assert all(np.isfinite(one.log_odds) for one in fused.contributions)


def test_scratches_on_both_sides_of_a_2_mm_plate_at_the_same_place_are_two(world):
    thin = world.thinner(0.002)
    fuser = Fuser(thin.recipe, thin.cell, thin.reference)
    for at in ((0, 0), (30, 10), (44, 0)):  # in the middle, and 6 mm from the rim
        top = [(at[0] - 5, at[1], 1), (at[0] + 5, at[1], 1)]
        bottom = [(x, y, -1) for x, y, _ in top]
        views = [
            world.camera('left', world.seen('left', 'scratch', top)),
            world.camera('right', world.seen('right', 'scratch', top)),
            world.camera('below', world.seen('below', 'scratch', bottom)),
        ]
        found = fuser.fuse(views).defects
        assert sorted(np.sign(defect.normal[2]) for defect in found) == [-1.0, 1.0]
        assert all(defect.position_m[:2] * 1e3 == pytest.approx(at, abs=1.0) for defect in found)
