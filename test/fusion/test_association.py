"""Association is a matter of distance and side, never of order."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_cell.findings import Finding
from inspection_cell.fusion.association import associate
from inspection_cell.fusion.projection import Located
from inspection_cell.observations import ViewKey

UP = np.array([0.0, 0.0, 1.0])


def located(x_mm, y_mm=0.0, normal=UP, score=0.5, sensor='left'):
    position = np.array([x_mm, y_mm, 0.0]) / 1000.0
    finding = Finding('stain', score)
    return Located(ViewKey('top', sensor), finding, position[None], position, normal)


def shape(groups):
    return sorted(sorted(found.position_m[0] for found in group) for group in groups)


def test_nothing_gives_nothing():
    assert associate([], 0.006) == []


def test_near_findings_are_one_and_far_findings_two():
    assert len(associate([located(0), located(5), located(20)], 0.006)) == 2


def test_opposite_faces_are_two_and_findings_round_an_edge_one():
    assert len(associate([located(0), located(1, normal=-UP)], 0.006)) == 2
    assert len(associate([located(0), located(1, normal=np.array([1.0, 0, 0]))], 0.006)) == 1


def test_a_finding_without_a_normal_joins_by_distance():
    assert len(associate([located(0), located(1, normal=None)], 0.006)) == 1


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=1, max_size=12, unique=True), st.randoms())
def test_groups_do_not_depend_on_order_and_lose_nothing(places, random):
    findings = [located(x) for x in places]
    expected = associate(findings, 0.006)
    random.shuffle(findings)
    groups = associate(findings, 0.006)
    assert shape(groups) == shape(expected)
    assert sum(len(group) for group in groups) == len(places)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=2, max_size=12, unique=True))
def test_findings_of_different_groups_are_farther_apart_than_the_limit(places):
    groups = associate([located(x) for x in places], 0.006)
    for i, one in enumerate(groups):
        for other in groups[i + 1 :]:
            gaps = [np.linalg.norm(a.position_m - b.position_m) for a in one for b in other]
            assert min(gaps) > 0.006
