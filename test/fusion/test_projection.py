"""A box in an image is found again on the part, at the surface that it really shows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_cell.findings import Finding
from inspection_cell.fusion.projection import length_mm, locate


def placed(world, name, points_mm, margin_m=0.006):
    view = world.camera(name)
    finding = world.seen(name, 'scratch', points_mm)
    (found,) = locate(world.reference, view, [finding], view.transform_part_to_sensor, margin_m)
    return found


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-45, 40),
    st.floats(-25, 22),
    st.floats(0.5, 5),
    st.sampled_from(['left', 'right', 'below']),
)
def test_any_mark_on_a_face_is_placed_where_it_is(world, x_mm, y_mm, size_mm, name):
    z_mm = -2 if name == 'below' else 2
    found = placed(world, name, [(x_mm, y_mm, z_mm), (x_mm + size_mm, y_mm, z_mm)])
    truth = np.array([x_mm + size_mm / 2, y_mm, z_mm]) / 1000.0
    assert np.linalg.norm(found.position_m - truth) < 4e-4
    assert found.normal == pytest.approx([0, 0, np.sign(z_mm)])


def test_the_extent_lies_on_the_surface_and_measures_the_mark(world):
    found = placed(world, 'left', [(-15, 3, 2), (15, 3, 2)])
    assert found.extent_m[:, 2] == pytest.approx(0.002, abs=1e-5)
    assert length_mm([found.extent_m]) == pytest.approx(30.0, abs=1.5)


def test_hits_far_behind_the_mark_do_not_lengthen_it(world):
    found = placed(world, 'left', [(48, 0, 2), (49.9, 0, 2), (49.9, 1, -2)])
    assert length_mm([found.extent_m]) < 8.0


def test_a_box_beside_the_part_is_off_it_and_one_at_its_outline_is_not(world):
    assert placed(world, 'left', [(70, 0, 2), (72, 1, 2)]).off_part
    near = placed(world, 'left', [(52, 0, 2), (54, 1, 2)])
    assert not near.off_part
    assert near.position_m is not None


def test_a_finding_that_knows_its_place_keeps_it(world):
    here = np.array([0.01, 0.02, 0.002])
    view = world.scan()
    (found,) = locate(world.reference, view, [Finding('dent', 1.0, position_m=here)], None, 0.006)
    assert np.array_equal(found.position_m, here)


def test_nothing_has_no_length():
    assert length_mm([]) == 0.0
    assert length_mm([np.zeros((1, 3))]) == 0.0
