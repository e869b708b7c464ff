"""Association is a matter of place, certainty and side, never of order."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_cell.findings import Finding
from inspection_cell.fusion.association import associate
from inspection_cell.fusion.projection import Located, locate
from inspection_cell.fusion.surface_paths import SurfacePaths
from inspection_cell.observations import ViewKey
from inspection_cell.reference import ReferenceMesh

UP = np.array([0.0, 0.0, 1.0])


def located(x_mm, y_mm=0.0, z_mm=0.0, normal=UP, sensor='left', sigma_mm=0.0, label='stain'):
    position = np.array([x_mm, y_mm, z_mm]) / 1000.0
    view = ViewKey('top', sensor)
    return Located(
        view, Finding(label, 0.5), position[None], position, normal, sigma_m=sigma_mm / 1000.0
    )


def shape(groups):
    return sorted(
        sorted((found.position_m[0], found.view.sensor) for found in group) for group in groups
    )


def test_nothing_gives_nothing():
    assert associate([], 0.006) == []


def test_near_findings_of_several_views_are_one_and_far_ones_two():
    findings = [located(0), located(5, sensor='right'), located(20, sensor='right')]
    assert len(associate(findings, 0.006)) == 2


def test_what_is_uncertain_joins_over_a_longer_gap():
    apart = [located(0), located(8, sensor='right')]
    assert len(associate(apart, 0.006)) == 2
    vague = [located(0, sigma_mm=2.0), located(8, sensor='right')]
    assert len(associate(vague, 0.006)) == 1


def test_what_one_view_shows_apart_stays_two_though_another_finding_lies_between():
    apart = [located(0), located(8), located(4, sensor='right')]
    groups = associate(apart, 0.006)
    assert sorted(len(group) for group in groups) == [1, 2]


def test_another_view_that_shows_both_as_one_thing_joins_what_one_view_shows_in_pieces():
    whole = located(10, sensor='right')
    whole = replace(whole, finding=replace(whole.finding, length_mm=24.0))
    assert len(associate([located(0), located(20), whole], 0.006)) == 1


def test_opposite_faces_are_two_and_findings_round_an_edge_one():
    assert len(associate([located(0), located(1, normal=-UP, sensor='right')], 0.006)) == 2
    side = located(1, normal=np.array([1.0, 0, 0]), sensor='right')
    assert len(associate([located(0), side], 0.006)) == 1


def test_a_finding_without_a_normal_joins_by_distance():
    assert len(associate([located(0), located(1, normal=None, sensor='right')], 0.006)) == 1


def pocketed(wall_mm):
    """A floor of 80 x 40 mm with a wall of this thickness and 20 mm height across its middle."""
    half = wall_mm / 2
    profile = [
        (-40, -5),
        (40, -5),
        (40, 0),
        (half, 0),
        (half, 20),
        (-half, 20),
        (-half, 0),
        (-40, 0),
    ]
    count = len(profile)
    vertices = [(x, y, z) for y in (-20, 20) for x, z in profile]
    triangles = []
    for i in range(count):
        j = (i + 1) % count
        triangles += [(i, j, count + j), (i, count + j, count + i)]
    return ReferenceMesh(np.array(vertices) / 1000.0, np.array(triangles)[:, ::-1])


@pytest.mark.parametrize('wall_mm', [2.0, 4.0])
def test_two_floors_with_a_wall_between_them_are_two_places(wall_mm):
    paths = SurfacePaths(pocketed(wall_mm))
    apart = [located(-wall_mm / 2 - 1), located(wall_mm / 2 + 1, sensor='right')]
    assert len(associate(apart, 0.008, paths)) == 2
    assert len(associate(apart, 0.008)) == 1
    beside = [located(-10), located(-14, sensor='right')]
    assert len(associate(beside, 0.008, paths)) == 1


def test_a_small_stain_in_the_corner_of_a_long_scratchs_box_is_another_defect(world):
    scratch = world.seen('left', 'scratch', [(-20, -15, 2), (20, 15, 2)])
    stain = world.seen('right', 'stain', [(16, -14, 2), (18, -12, 2)])
    places = [
        found
        for name, finding in (('left', scratch), ('right', stain))
        for found in locate(
            world.reference, world.camera(name), [finding], world.part_to_sensor(name), 0.006
        )
    ]
    assert len(associate(places, 0.006)) == 2


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-50, 50), st.sampled_from(['left', 'right', 'front'])),
        min_size=1,
        max_size=12,
        unique=True,
    ),
    st.randoms(),
)
def test_groups_do_not_depend_on_order_and_lose_nothing(places, random):
    findings = [located(x, sensor=sensor) for x, sensor in places]
    expected = associate(findings, 0.006)
    random.shuffle(findings)
    groups = associate(findings, 0.006)
    assert shape(groups) == shape(expected)
    assert sum(len(group) for group in groups) == len(places)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=2, max_size=12, unique=True))
def test_findings_of_different_views_in_different_groups_are_farther_apart_than_the_limit(places):
    groups = associate([located(x, sensor=f's{i}') for i, x in enumerate(places)], 0.006)
    for i, one in enumerate(groups):
        for other in groups[i + 1 :]:
            gaps = [np.linalg.norm(a.position_m - b.position_m) for a in one for b in other]
            assert min(gaps) > 0.006


def test_front_and_back_of_a_thin_plate_stay_two_though_its_rim_is_marked_too():
    findings = [
        located(0, z_mm=1, sensor='above'),
        located(1, sensor='beside', normal=np.array([1.0, 0.0, 0.0])),
        located(0, z_mm=-1, sensor='below', normal=-UP),
    ]
    for order in (findings, findings[::-1]):
        groups = associate(order, 0.006)
        sides = [{found.view.sensor for found in group} for group in groups]
        assert all(not {'above', 'below'} <= own for own in sides)
