"""Findings, defects and verdicts: nothing that was never filled in passes a part."""

import numpy as np
import pytest

from inspection_cell.errors import DataError
from inspection_cell.findings import (
    Coverage,
    Decision,
    Defect,
    Finding,
    Presence,
    PresenceStatus,
    Verdict,
    ViewFindings,
    ViewStatus,
)
from inspection_cell.observations import ViewKey

VIEW = ViewKey('top', 'left')
NAN = float('nan')


def test_values_that_were_never_filled_in_are_unknown_and_no_evidence():
    assert Verdict('i1', 'p1', 'bracket').decision is Decision.UNKNOWN
    assert Decision(0) is Decision.UNKNOWN
    assert ViewStatus(0) is ViewStatus.UNKNOWN
    assert PresenceStatus(0) is PresenceStatus.UNKNOWN
    assert not ViewFindings('i1', VIEW).is_evidence


@pytest.mark.parametrize('status', list(ViewStatus))
@pytest.mark.parametrize('presence', list(PresenceStatus))
def test_only_an_inspected_view_with_the_part_in_it_is_evidence(status, presence):
    view = ViewFindings('i1', VIEW, status=status, presence=Presence(presence))
    good = status is ViewStatus.OK and presence is PresenceStatus.PRESENT
    assert view.is_evidence == good


@pytest.mark.parametrize('score', [-0.1, 1.1, NAN])
def test_scores_and_probabilities_outside_zero_to_one_are_refused(score):
    with pytest.raises(DataError, match='scratch'):
        Finding('scratch', score)
    with pytest.raises(DataError, match='scratch'):
        Defect('scratch', score)


@pytest.mark.parametrize('name', ['value', 'limit', 'area_mm2', 'length_mm', 'peak_mm'])
@pytest.mark.parametrize('kind', [Finding, Defect])
def test_a_measure_that_is_not_a_number_is_refused_because_it_exceeds_no_limit(kind, name):
    with pytest.raises(DataError, match=name):
        kind('scratch', 0.9, **{name: NAN})


@pytest.mark.parametrize(('share', 'minimum'), [(NAN, 0.9), (1.2, 0.9), (0.9, NAN), (-0.1, 0.0)])
def test_a_coverage_that_no_minimum_could_judge_is_refused(share, minimum):
    with pytest.raises(DataError, match='coverage'):
        Coverage(share, minimum)


def test_arrays_of_findings_are_checked_and_frozen_copies():
    box = np.array([1.0, 2.0, 3.0, 4.0])
    finding = Finding('scratch', 0.9, box_px=box, position_m=[0.0, 0.0, 0.1])
    box[0] = 9.0
    assert finding.box_px.tolist() == [1.0, 2.0, 3.0, 4.0]
    assert not finding.position_m.flags.writeable
    with pytest.raises(DataError, match="'scratch': box_px"):
        Finding('scratch', 0.9, box_px=[1.0, 2.0, 3.0])
    with pytest.raises(DataError, match="'scratch': position_m"):
        Defect('scratch', 0.9, position_m=[0.0, NAN, 0.0])


def test_a_view_names_itself_when_its_pose_is_not_rigid():
    with pytest.raises(DataError, match='left at top: transform_part_to_sensor'):
        ViewFindings('i1', VIEW, transform_part_to_sensor=2 * np.eye(4))
