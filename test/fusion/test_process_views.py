"""Process signals reject by themselves, are demanded, and prove nothing about the part."""

from dataclasses import replace

import numpy as np
import pytest

from inspection_cell.cell import CellFile
from inspection_cell.findings import (
    Decision,
    Finding,
    Presence,
    PresenceStatus,
    ViewFindings,
    ViewStatus,
)
from inspection_cell.fusion.admission import admit
from inspection_cell.fusion.fuse import fuse
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import check_fit
from inspection_cell.verdict import judge

PRESENT = Presence(PresenceStatus.PRESENT, 'a lie', 1.0)
FORCE = ViewFindings('i1', ViewKey('top', 'force'), ViewStatus.OK)
TOO_HIGH = Finding('process_peak', 1.0, 12.34, 10.0, 'N')
LIMITS = {
    'unit': 'N',
    'min_duration_s': 0.5,
    'limits': ({'measure': 'peak', 'low': 5.0, 'high': 10.0},),
}


def with_force(world, sensors, **sections):
    """The world with a force sensor in the cell, and a recipe with these sensors."""
    force = {'kind': 'process', 'topic': 'force', 'unit': 'N'}
    content = world.cell.file.model_dump()
    content['sensors']['force'] = force
    cell = replace(world.cell, file=CellFile.model_validate(content))
    top = {'pose': {'position_mm': (0, 0, 0), 'rpy_deg': (0, 0, 0)}, 'sensors': sensors}
    changed = replace(world, cell=cell).with_recipe(
        presentations={'top': top}, process={'force': LIMITS}, **sections
    )
    check_fit(changed.recipe, changed.cell)
    return changed


@pytest.fixture
def pressed(world):
    return with_force(world, ('left', 'right', 'below', 'scanner', 'force'))


def verdict(world, views):
    reference = world.reference if world.recipe.mesh_path else None
    fused = fuse(world.recipe, world.cell, reference, views)
    return judge(
        world.recipe, fused, views, inspection_id='i1', part_id='p', stamp_ns=1, cell_hash='c'
    )


def codes(result):
    return [reason.code for reason in result.reasons]


def test_a_good_signal_needs_no_presence_for_a_good_part_to_be_accepted(pressed):
    result = verdict(pressed, [*pressed.all_clean(), FORCE])
    assert result.decision is Decision.ACCEPT
    assert codes(result) == ['accepted']


def test_a_value_beyond_its_limit_rejects_by_itself_in_words(pressed):
    views = [*pressed.all_clean(), replace(FORCE, findings=(TOO_HIGH,))]
    result = verdict(pressed, views)
    assert result.decision is Decision.REJECT
    text = 'process_peak of force at top: 12.34 N; at most 10 N'
    assert (codes(result), result.reasons[0].text) == (['defect'], text)


@pytest.mark.parametrize(('value', 'limit'), [(3.0, 5.0), (-1.0, 0.0), (-9.0, -5.0), (0.0, 0.1)])
def test_a_value_below_its_lower_limit_rejects_too(pressed, value, limit):
    low = Finding('process_minimum', 1.0, value, limit, 'N')
    result = verdict(pressed, [*pressed.all_clean(), replace(FORCE, findings=(low,))])
    assert result.decision is Decision.REJECT
    assert f'at least {limit:g} N' in result.reasons[0].text


def test_several_values_beyond_limits_stay_several_defects_without_a_place(pressed):
    placed = replace(TOO_HIGH, position_m=np.array([0.0, 0.0, 0.002]), label='process_rms')
    views = [*pressed.all_clean(), replace(FORCE, findings=(TOO_HIGH, placed))]
    defects = verdict(pressed, views).defects
    assert [d.label for d in defects] == ['process_peak', 'process_rms']
    assert all(d.position_m is None for d in defects)


@pytest.mark.parametrize(
    'force',
    [
        None,
        replace(FORCE, status=ViewStatus.MALFORMED, reason='too short'),
        replace(FORCE, status=ViewStatus.MISSING, findings=(TOO_HIGH,)),
        replace(FORCE, inspection_id='i0'),
    ],
)
def test_without_a_valid_signal_no_part_is_accepted(pressed, force):
    views = pressed.all_clean() + ([force] if force else [])
    assert verdict(pressed, views).decision is Decision.UNKNOWN


def claiming(world):
    """A force view that claims all that would make it a witness of the part."""
    scan = world.scan()
    return replace(
        FORCE,
        presence=PRESENT,
        transform_part_to_sensor=scan.transform_part_to_sensor,
        transform_part_to_cell_refined=scan.transform_part_to_cell_refined,
        intrinsics=world.camera('left').intrinsics,
        seen=np.ones(len(world.reference.samples), dtype=np.bool_),
        reference_hash=world.reference.sha256,
    )


def test_a_signal_that_claims_presence_grants_none_to_cameras_of_its_presentation(pressed):
    unjudged = pressed.camera('left', presence=Presence())
    left, *_, force = admit(pressed.recipe, 'i1', [unjudged, claiming(pressed)])
    assert left.presence == Presence()
    assert force.presence == Presence()
    assert force.transform_part_to_cell_refined is None


def test_a_registered_scan_does_not_make_a_signal_a_witness(pressed):
    *_, force = admit(pressed.recipe, 'i1', [pressed.scan(), FORCE])
    assert not force.is_evidence


def test_a_signal_that_claims_to_have_seen_the_part_covers_nothing(pressed):
    fused = fuse(pressed.recipe, pressed.cell, pressed.reference, [claiming(pressed)])
    assert fused.coverage.share == 0.0
    assert 'force at top' not in fused.coverage.unseen


@pytest.mark.parametrize('reference', ['mesh', 'none'])
def test_signals_alone_never_lead_to_accept(world, reference):
    sections = {'coverage': {'minimum': 0.0}}
    if reference == 'none':
        sections |= {'reference': 'none', 'surface': None}
    alone = with_force(world, ('force',), **sections)
    for force in (FORCE, claiming(world)):
        result = verdict(alone, [force])
        assert result.decision is Decision.UNKNOWN
        assert 'no_part' in codes(result)


def test_without_a_reference_only_views_of_the_part_count_as_coverage(world):
    pair = with_force(world, ('left', 'force'), reference='none', surface=None, coverage={})
    left = pair.camera('left')
    assert verdict(pair, [left, FORCE]).coverage.share == 1.0
    assert verdict(pair, [left, FORCE]).decision is Decision.ACCEPT
    assert fuse(pair.recipe, pair.cell, None, [FORCE]).coverage.share == 0.0
