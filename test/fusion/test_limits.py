"""What a defect measures decides by its gravest quantity."""

from dataclasses import replace

import numpy as np
import pytest

from inspection_cell.findings import Finding
from inspection_cell.fusion.limits import class_limit, exceeds, longest_mm, worst_measure
from inspection_cell.fusion.projection import Located
from inspection_cell.observations import ViewKey


def located(label, length_mm=0.0, sensor='left', **values):
    extent = np.array([[0.0, 0, 0], [length_mm / 1000.0, 0, 0]])
    finding = Finding(label, **{'score': 0.9, **values})
    return Located(ViewKey('top', sensor), finding, extent, extent[0])


@pytest.mark.parametrize(
    ('value', 'limit', 'beyond'),
    [
        (3.1, 3.0, True),
        (3.0, 3.0, False),
        (0.0, 0.0, True),
        (-0.3, -0.2, True),
        (-0.1, -0.2, False),
        (0.5, -0.2, False),
    ],
)
def test_limits_bound_from_the_side_of_their_sign_and_zero_allows_none(value, limit, beyond):
    assert exceeds(value, limit) is beyond


def test_a_class_that_the_recipe_does_not_name_is_not_allowed(world):
    assert class_limit(world.recipe, 'missing_screw').max_length_mm == 0.0
    assert class_limit(world.recipe, 'scratch').max_length_mm == 3.0


def test_a_short_scratch_is_measured_and_within_its_limit(world):
    measure = worst_measure(world.recipe, [], [located('scratch', 2.5)])
    assert (measure.value, measure.limit) == (pytest.approx(2.5), 3.0)


def test_the_longest_view_counts(world):
    both = [located('scratch', 2.5), located('scratch', 4.0, 'right')]
    assert worst_measure(world.recipe, [], both).value == pytest.approx(4.0)


def test_what_reaches_out_of_an_image_is_as_long_as_all_views_show_it(world):
    camera = world.cell.cameras['left'].intrinsics.value()
    whole, cut = np.array([100.0, 100, 150, 120]), np.array([1229.0, 100, 1279, 120])
    values = {}
    for name, box in (('whole', whole), ('cut', cut)):
        one = replace(located('scratch', 2.6, box_px=box), camera=camera)
        other = replace(located('scratch', 2.6, 'right', box_px=whole), camera=camera)
        other = replace(other, extent_m=np.add(other.extent_m, (0.0022, 0, 0)))
        values[name] = worst_measure(world.recipe, [], [one, other]).value
        assert longest_mm([one, other]) == values[name]  # what severity rules judge
    assert values == {'whole': pytest.approx(2.6), 'cut': pytest.approx(4.8)}


def test_what_is_beyond_its_limit_speaks_before_what_is_stronger(world):
    weak = located('stain', 1.0, score=0.5)
    measure = worst_measure(world.recipe, [], [located('scratch', 2.0, score=0.95), weak])
    assert measure.label == 'stain'


def test_a_measured_region_speaks_before_a_detected_class(world):
    dent = located('dent', sensor='scanner', score=1.0, value=-0.5, limit=-0.2, unit='mm')
    measure = worst_measure(world.recipe, [dent], [located('stain', 1.0)])
    assert (measure.label, measure.value, measure.limit) == ('dent', -0.5, -0.2)


def test_a_region_without_a_judged_value_is_held_against_the_tolerance(world):
    dent = located('dent', sensor='scanner', score=1.0, peak_mm=-0.5)
    measure = worst_measure(world.recipe, [dent], [])
    assert (measure.value, measure.limit, measure.unit) == (-0.5, -0.2, 'mm')
