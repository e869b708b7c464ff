"""Scans wait for the others of their part, no longer than needed and no more than allowed."""

import numpy as np
import pytest

from inspection_cell.findings import ViewFindings, ViewStatus
from inspection_cell.observations import Observation, Scan, ViewKey
from inspection_cell.views.waiting_scans import WaitingScans

REQUIRED = tuple(ViewKey(name, 'scanner') for name in ('top', 'side', 'back'))
POINTS = np.zeros((3, 3), dtype=np.float32)


def scan(view, inspection_id='i1'):
    return Observation(inspection_id, view, 5, Scan(POINTS), np.eye(4), np.eye(4))


def said(view, inspection_id='i1', status=ViewStatus.OK):
    return ViewFindings(inspection_id, view, status)


@pytest.fixture
def waiting():
    return WaitingScans(2)


def come(waiting, view, inspection_id='i1', status=ViewStatus.OK):
    waiting.keep(scan(view, inspection_id), REQUIRED, 'judge')
    return waiting.said(said(view, inspection_id, status), REQUIRED)


@pytest.mark.parametrize('order', [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_last_scan_brings_all_of_them_in_the_order_of_the_recipe(waiting, order):
    *before, last = [come(waiting, REQUIRED[i]) for i in order]
    assert before == [None, None]
    assert tuple(one.view for one in last.scans.taking_part) == REQUIRED
    assert last.judge == 'judge'
    assert len(waiting) == 0


def test_a_view_without_a_scan_completes_its_part_too(waiting):
    come(waiting, REQUIRED[0])
    come(waiting, REQUIRED[1], status=ViewStatus.NOT_REGISTERED)
    last = waiting.said(said(REQUIRED[2], status=ViewStatus.MISSING), REQUIRED)
    assert [one.view for one in last.scans.taking_part] == [REQUIRED[0]]


def test_without_any_scan_nobody_has_to_judge(waiting):
    for view in REQUIRED:
        last = waiting.said(said(view, status=ViewStatus.MISSING), REQUIRED)
    assert last.judge is None
    assert last.scans.nothing().status is ViewStatus.MISSING


def test_parts_do_not_mix(waiting):
    for view in REQUIRED[:2]:
        assert come(waiting, view, 'i1') is None
        assert come(waiting, view, 'i2') is None
    last = come(waiting, REQUIRED[2], 'i2')
    assert {one.inspection_id for one in last.scans.taking_part} == {'i2'}
    assert len(waiting) == 1


def test_a_part_that_is_forgotten_keeps_nothing_and_takes_nothing_more(waiting):
    come(waiting, REQUIRED[0])
    waiting.forget('i1')
    assert len(waiting) == 0
    assert [come(waiting, view) for view in REQUIRED] == [None, None, None]
    assert len(waiting) == 0


def test_the_oldest_of_too_many_parts_is_let_go(waiting):
    for inspection_id in ('i1', 'i2'):
        assert waiting.keep(scan(REQUIRED[0], inspection_id), REQUIRED, 'judge') == []
    (dropped,) = waiting.keep(scan(REQUIRED[0], 'i3'), REQUIRED, 'judge')
    assert dropped.inspection_id == 'i1'
    assert len(waiting) == 2


def test_views_that_are_not_judged_with_others_are_no_matter(waiting):
    assert waiting.said(said(ViewKey('top', 'other')), ()) is None
    assert len(waiting) == 0
