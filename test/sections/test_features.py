"""What a recipe may say of features, and what is refused with its reason."""

import pytest
from pydantic import TypeAdapter, ValidationError

from inspection_cell.sections.features import (
    Angle,
    Bore,
    Distance,
    Flatness,
    SurfaceFeature,
    feature_problems,
)

ANY = TypeAdapter(SurfaceFeature)
FLATNESS = {
    'kind': 'flatness',
    'zone': 'top',
    'tolerance_mm': 0.05,
    'filter': {'kind': 'gaussian', 'cutoff_mm': 8},
}
BORE = {
    'kind': 'bore',
    'axis_point_mm': (0, 0, 20),
    'direction': (0, 0, -1),
    'diameter_mm': 8,
    'depth_mm': 10,
    'tolerance_mm': (0, 0.015),
}
DISTANCE = {
    'kind': 'distance',
    'between': ('top', 'hole'),
    'nominal_mm': 8,
    'tolerance_mm': (-0.1, 0.1),
}
ANGLE = {'kind': 'angle', 'between': ('top', 'side'), 'nominal_deg': 90, 'tolerance_deg': (-1, 1)}


@pytest.mark.parametrize(
    ('entry', 'kind'), [(FLATNESS, Flatness), (BORE, Bore), (DISTANCE, Distance), (ANGLE, Angle)]
)
def test_the_kind_says_what_is_measured(entry, kind):
    assert isinstance(ANY.validate_python(entry), kind)


def test_flatness_may_be_taken_without_a_filter_when_the_recipe_says_so():
    assert ANY.validate_python(FLATNESS | {'filter': 'none'}).filter == 'none'


@pytest.mark.parametrize(
    ('entry', 'changes', 'words'),
    [
        (FLATNESS, {'tolerance_mm': 0}, 'greater than 0'),
        (FLATNESS, {'filter': {'kind': 'gaussian', 'cutoff_mm': 0}}, 'greater than 0'),
        (FLATNESS, {'filter': {'kind': 'spline', 'cutoff_mm': 8}}, "'gaussian'"),
        (FLATNESS, {'cutoff_mm': 8}, 'Extra inputs'),
        (FLATNESS, {'kind': 'roundness'}, "'flatness', 'bore', 'distance', 'angle'"),
        (BORE, {'direction': (0, 0, 0)}, 'direction must not be'),
        (BORE, {'tolerance_mm': (0.1, -0.1)}, r'\[smallest, greatest\]'),
        (BORE, {'tolerance_mm': (-9, 0)}, 'must be greater than 0'),
        (BORE, {'position_tolerance_mm': 0}, 'greater than 0'),
        (DISTANCE, {'between': ('top', 'top')}, 'two different ones'),
        (DISTANCE, {'tolerance_mm': (0.1, 0.1)}, r'\[smallest, greatest\]'),
        (ANGLE, {'nominal_deg': 270}, 'less than or equal to 180'),
    ],
)
def test_a_feature_that_cannot_be_measured_is_refused_with_its_reason(entry, changes, words):
    with pytest.raises(ValidationError, match=words):
        ANY.validate_python(entry | changes)


def test_flatness_without_a_named_filter_is_refused():
    entry = {key: value for key, value in FLATNESS.items() if key != 'filter'}
    with pytest.raises(ValidationError, match='Field required'):
        ANY.validate_python(entry)


def problems(zones=('top', 'side'), **entries):
    features = {name: ANY.validate_python(entry) for name, entry in entries.items()}
    return [str(problem) for problem in feature_problems(features, dict.fromkeys(zones))]


def test_features_that_name_zones_and_bores_of_the_recipe_are_accepted():
    assert problems(flat=FLATNESS, hole=BORE, height=DISTANCE, corner=ANGLE) == []


def test_every_unknown_name_is_told_with_what_there_is():
    found = problems(zones=('side',), flat=FLATNESS, height=DISTANCE)
    assert found == [
        'surface.features.flat.zone: top: a zone of this recipe: side',
        'surface.features.height.between.0: top: a zone of this recipe: side; '
        'or a bore of surface.features: there is none',
        'surface.features.height.between.1: hole: a zone of this recipe: side; '
        'or a bore of surface.features: there is none',
    ]


def test_a_distance_to_a_feature_that_is_neither_plane_nor_bore_is_refused():
    found = problems(flat=FLATNESS, hole=BORE, height=DISTANCE | {'between': ('flat', 'hole')})
    assert [line.split(':')[0] for line in found] == ['surface.features.height.between.0']


def test_a_bore_named_like_a_zone_is_refused():
    (found,) = problems(zones=('top', 'side', 'hole'), hole=BORE)
    assert found.startswith('surface.features.hole: hole: a name that no zone has')


def test_a_feature_named_like_the_position_of_a_bore_is_refused():
    bore = BORE | {'position_tolerance_mm': 0.1}
    (found,) = problems(hole=bore, hole_position=FLATNESS)
    assert 'the position of hole is measured as hole_position' in found
