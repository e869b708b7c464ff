"""Coverage is what valid views really saw: angle, occlusion, image, registration."""

import numpy as np
import pytest

from inspection_cell.findings import Presence, PresenceStatus, ViewStatus
from inspection_cell.fusion.fuse import fuse

# The plate of 100 x 60 x 4 mm: a face is 6000 mm² of 13280 mm².
FACE = 6000 / 13280


def coverage(world, *views):
    return fuse(world.recipe, world.cell, world.reference, views).coverage


def test_a_camera_above_covers_the_upper_face_and_not_the_lower(world):
    assert coverage(world, world.camera('left')).share == pytest.approx(FACE, abs=0.03)


def test_cameras_on_both_sides_cover_both_faces(world):
    share = coverage(world, world.camera('left'), world.camera('below')).share
    assert share == pytest.approx(2 * FACE, abs=0.04)


def test_seeing_the_same_face_twice_covers_it_once(world):
    one = coverage(world, world.scan()).share
    assert coverage(world, world.scan(), world.camera('left')).share < one + 0.03


@pytest.mark.parametrize(
    'change',
    [
        {'status': ViewStatus.ERROR},
        {'presence': Presence()},
        {'presence': Presence(PresenceStatus.ABSENT)},
        {'transform_part_to_sensor': None},
        {'intrinsics': None},
    ],
)
def test_a_view_that_proves_nothing_covers_nothing(world, change):
    assert coverage(world, world.camera('left', **change)).share == 0.0


def test_a_registered_scan_lets_the_camera_beside_it_count(world):
    unjudged = world.camera('below', presence=Presence())
    assert coverage(world, unjudged).share == 0.0
    assert coverage(world, unjudged, world.scan()).share == pytest.approx(2 * FACE, abs=0.04)


def test_a_scan_that_speaks_of_other_samples_covers_nothing(world):
    assert coverage(world, world.scan(seen=np.ones(10, dtype=bool))).share == 0.0


def test_a_part_outside_the_image_is_not_covered(world):
    aside = world.part_to_sensor('left').copy()
    aside[0, 3] += 1.0
    assert coverage(world, world.camera('left', transform_part_to_sensor=aside)).share == 0.0


def test_only_the_sensors_that_the_recipe_names_count(world):
    scanned = world.with_recipe(coverage={'minimum': 0.9, 'by': 'scanner'})
    pictured = world.with_recipe(coverage={'minimum': 0.9, 'by': 'camera'})
    assert coverage(scanned, scanned.camera('below')).share == 0.0
    assert coverage(pictured, pictured.scan()).share == 0.0


def test_more_views_never_cover_less(world):
    views, last = [], 0.0
    for view in world.all_clean():
        views.append(view)
        share = coverage(world, *views).share
        assert share >= last
        last = share
    assert last > 0.9


def test_what_falls_short_is_named(world):
    short = coverage(world, world.scan(), world.camera('below', status=ViewStatus.MISSING))
    assert short.unseen == ('below at top',)
