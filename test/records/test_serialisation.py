"""A verdict survives JSON exactly; what is no verdict is refused by name."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from inspection_cell.errors import DataError
from inspection_cell.findings import (
    Contribution,
    Coverage,
    Decision,
    Defect,
    EvidenceFile,
    Finding,
    Presence,
    PresenceStatus,
    Reason,
    Source,
    Verdict,
    ViewFindings,
    ViewStatus,
    ZoneCoverage,
)
from inspection_cell.geometry import Intrinsics, from_rpy
from inspection_cell.observations import ViewKey
from inspection_cell.records.serialisation import verdict_from_json, verdict_to_json

LEFT, SCANNER = ViewKey('top', 'left'), ViewKey('top', 'scanner')
FULL = Verdict(
    'i1',
    'part 7 “ü”',
    'plate',
    Decision.REJECT,
    (Reason('defect', 'scratch', 12.4, 3.0, Decision.REJECT),),
    (
        Defect(
            'scratch',
            0.81,
            np.array([0.1, 0.2, 1 / 3]),
            np.array([0.0, 0.0, 1.0]),
            sources=(Source(LEFT, 'scratch', 0.81),),
            position_sigma_mm=0.4,
            reach_mm=5.0,
            contributions=(Contribution(LEFT, 1.4), Contribution(SCANNER, -0.2)),
        ),
    ),
    Coverage(0.95, 0.9, ('rim',), (ZoneCoverage('rim', 0.7, 0.8),)),
    (
        ViewFindings(
            'i1',
            LEFT,
            ViewStatus.OK,
            presence=Presence(PresenceStatus.PRESENT, 'screws', 1.0),
            findings=(
                Finding(
                    'scratch',
                    0.81,
                    box_px=np.array([1.5, 2, 3, 4]),
                    polygon_px=np.array([[1, 2], [3, 4], [5, 6.0]]),
                    not_judged='80% of it in mask clamp_marks',
                    shots=('bright', 'dark'),
                ),
            ),
            evidence=(EvidenceFile('evidence/i1/a.jpg', 'ab12', 'image', 'host'),),
            stamp_ns=1_700_000_000_123_456_789,
            transform_part_to_sensor=from_rpy((0.1, 0.2, 0.3), (0.4, 0.5, 0.6)),
            transform_sensor_to_cell=from_rpy((0.3, 0.1, 0.2), (0.6, 0.4, 0.5)),
            intrinsics=Intrinsics(10, 8, 5.0, 5.0, 4.5, 3.5, distortion=(0.1, 0.0, 0.0, 0.0)),
            model_hash='model',
        ),
        ViewFindings('i1', SCANNER, ViewStatus.OK, seen=np.arange(13) % 3 == 0),
    ),
    5,
    'recipe',
    'cell',
    '0.1.0',
    'model',
    0.9,
    (Contribution(LEFT, 2.0),),
)


def same(one, other):
    """Equality of values that hold arrays."""
    if dataclasses.is_dataclass(one):
        fields = [field.name for field in dataclasses.fields(one)]
        return type(one) is type(other) and all(
            same(getattr(one, name), getattr(other, name)) for name in fields
        )
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and np.array_equal(one, other)
    return type(one) is type(other) and one == other


def test_a_full_verdict_comes_back_equal():
    assert same(verdict_from_json(verdict_to_json(FULL)), FULL)


def test_an_empty_verdict_comes_back_equal_and_unknown():
    empty = Verdict('i', 'p', 't')
    assert same(verdict_from_json(verdict_to_json(empty)), empty)


def test_a_record_from_before_verdicts_named_their_model_still_loads():
    content = json.loads(verdict_to_json(FULL))
    del content['model_hash']
    loaded = verdict_from_json(json.dumps(content))
    assert (loaded.model_hash, loaded.views[0].model_hash) == ('', 'model')
    assert same(dataclasses.replace(loaded, model_hash='model'), FULL)


def test_a_record_from_before_views_told_where_their_sensor_was_still_loads():
    content = json.loads(verdict_to_json(FULL))
    for view in content['views']:
        del view['transform_sensor_to_cell']
    loaded = verdict_from_json(json.dumps(content))
    assert {view.transform_sensor_to_cell for view in loaded.views} == {None}


@given(
    hnp.arrays(np.float64, 3, elements=st.floats(-1e6, 1e6)),
    hnp.arrays(np.bool_, st.integers(1, 40)),
    st.floats(0, 1),
    st.text(),
)
def test_any_numbers_and_words_come_back_bit_by_bit(position, seen, score, words):
    view = ViewFindings('i', LEFT, ViewStatus.OK, reason=words, seen=seen)
    defect = Defect('stain', score, position)
    verdict = Verdict('i', words, 't', defects=(defect,), views=(view,))
    assert same(verdict_from_json(verdict_to_json(verdict)), verdict)


def without_decision(content):
    del content['decision']


def with_unknown_key(content):
    content['views'][0]['mood'] = 'good'


def with_other_format(content):
    content['format'] = 2


def with_unknown_decision(content):
    content['decision'] = 'PERHAPS'


def with_text_for_a_number(content):
    content['defects'][0]['probability'] = 'high'


def with_impossible_probability(content):
    content['defects'][0]['probability'] = 1.5


@pytest.mark.parametrize(
    ('damage', 'named'),
    [
        (without_decision, 'decision'),
        (with_unknown_key, 'mood'),
        (with_other_format, 'format 1'),
        (with_unknown_decision, 'PERHAPS'),
        (with_text_for_a_number, r'defects\[0\].probability'),
        (with_impossible_probability, '1.5'),
    ],
)
def test_what_is_no_verdict_is_refused_by_name(damage, named):
    content = json.loads(verdict_to_json(FULL))
    damage(content)
    with pytest.raises(DataError, match=named):
        verdict_from_json(json.dumps(content))


def test_text_that_is_no_json_is_refused():
    with pytest.raises(DataError, match='expected JSON'):
        verdict_from_json('{')


def test_a_record_of_the_first_version_is_read_with_what_it_meant():
    content = json.loads(verdict_to_json(FULL))
    content.pop('model_hash')
    for view in content['views']:
        for finding in view['findings']:
            finding.pop('not_judged')
            finding.pop('shots')
    old = verdict_from_json(json.dumps(content))
    assert old.model_hash == ''
    assert old.views[0].findings[0].not_judged == ''
    assert old.views[0].findings[0].shots == ()
