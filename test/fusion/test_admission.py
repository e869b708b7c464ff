"""Every required view is spoken for exactly once; presence is granted, never invented."""

from dataclasses import replace

import pytest

from inspection_cell.findings import Presence, PresenceStatus, ViewStatus
from inspection_cell.fusion.admission import admit, grant_presence, required_views
from inspection_cell.observations import ViewKey

UNJUDGED = Presence()
ABSENT = Presence(PresenceStatus.ABSENT, 'no screw')


def test_what_was_not_delivered_is_missing_in_the_order_of_the_recipe(world):
    admitted = admit(world.recipe, 'i1', [world.scan(), world.camera('right')])
    assert tuple(view.view for view in admitted) == required_views(world.recipe)
    statuses = [view.status for view in admitted]
    missing, ok = ViewStatus.MISSING, ViewStatus.OK
    assert statuses == [missing, ok, missing, ok]


def test_findings_of_another_inspection_are_refused_by_name(world):
    other = replace(world.camera('left'), inspection_id='i0')
    left = admit(world.recipe, 'i1', [other])[0]
    assert left.status is ViewStatus.REFUSED
    assert 'i0' in left.reason


def test_the_same_view_twice_is_refused(world):
    assert admit(world.recipe, 'i1', [world.scan(), world.scan()])[3].status is ViewStatus.REFUSED


def test_views_that_nobody_asked_for_are_left_out(world):
    extra = replace(world.camera('left'), view=ViewKey('elsewhere', 'left'))
    assert all(view.status is ViewStatus.MISSING for view in admit(world.recipe, 'i1', [extra]))


def test_a_registered_scan_proves_presence_for_cameras_that_could_not_judge(world):
    left, _ = grant_presence([world.camera('left', presence=UNJUDGED), world.scan()])
    assert left.is_evidence
    assert 'scanner' in left.presence.evidence


def test_absent_stays_absent(world):
    left, _ = grant_presence([world.camera('left', presence=ABSENT), world.scan()])
    assert left.presence == ABSENT


@pytest.mark.parametrize(
    'change',
    [
        {'status': ViewStatus.NOT_REGISTERED},
        {'presence': UNJUDGED},
        {'transform_part_to_cell_refined': None},
        {'view': ViewKey('bottom', 'scanner')},
    ],
)
def test_a_scan_that_did_not_register_here_grants_nothing(world, change):
    left, _ = grant_presence([world.camera('left', presence=UNJUDGED), world.scan(**change)])
    assert left.presence == UNJUDGED


def test_a_failed_view_is_granted_nothing(world):
    failed = world.camera('left', presence=UNJUDGED, status=ViewStatus.ERROR)
    assert grant_presence([failed, world.scan()])[0].presence == UNJUDGED
