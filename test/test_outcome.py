import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_cell.errors import DataError
from inspection_cell.outcome import (
    DefectOutcome,
    Outcome,
    PartOrder,
    Truth,
    outcome_from_json,
    outcome_to_json,
    read_orders,
    write_orders,
)
from inspection_cell.outcome_summary import summarise, summary_to_json

TRUTHS = st.none() | st.builds(Truth, st.booleans(), st.tuples(st.text(max_size=8)))
DECISIONS = st.sampled_from(['ACCEPT', 'REJECT', 'REVIEW', 'UNKNOWN'])
TIMES = st.floats(0, 1e4)
OUTCOMES = st.builds(
    Outcome,
    part_id=st.text(max_size=8),
    part_type=st.just('ring'),
    truth=TRUTHS,
    decision=DECISIONS,
    reasons=st.tuples(st.text(max_size=8)),
    defects=st.tuples(st.builds(DefectOutcome, st.text(max_size=8), st.floats(0, 1))),
    verdict_latency_ms=st.none() | TIMES,
    cycle_s=TIMES,
    release_latency_ms=st.none() | TIMES,
)


def outcome(decision, good):
    return Outcome('p', 'ring', None if good is None else Truth(good), decision)


@given(OUTCOMES)
def test_an_outcome_survives_its_line_of_json(given_outcome):
    line = outcome_to_json(given_outcome)
    assert '\n' not in line
    assert outcome_from_json(line) == given_outcome


def test_orders_survive_the_parts_file(tmp_path):
    orders = (PartOrder('a', 'ring', Truth(False, ('dent',))), PartOrder('b', 'bracket'))
    write_orders(tmp_path / 'run' / 'parts.jsonl', orders)
    assert read_orders(tmp_path / 'run' / 'parts.jsonl') == orders


def test_a_damaged_parts_file_is_refused_with_its_line(tmp_path):
    path = tmp_path / 'parts.jsonl'
    path.write_text('{"part_id": "a", "part_type": "ring"}\n{"part_id": 3}\n')
    with pytest.raises(DataError, match=r'parts\.jsonl, line 2'):
        read_orders(path)


def test_only_an_accepted_defective_part_is_an_escape():
    cases = [('ACCEPT', False), ('REJECT', False), ('REVIEW', False), ('ACCEPT', True)]
    summary = summarise([outcome(*case) for case in cases])
    assert (summary.good, summary.defective, summary.escapes) == (1, 3, 1)


@pytest.mark.parametrize('decision', ['REJECT', 'REVIEW', 'UNKNOWN'])
def test_any_other_decision_than_accept_on_a_good_part_is_a_false_reject(decision):
    summary = summarise([outcome(decision, True), outcome('ACCEPT', True)])
    assert (summary.false_rejects, summary.escapes) == (1, 0)


def test_without_truth_nothing_is_claimed_about_escapes():
    summary = summarise([outcome('ACCEPT', None), outcome('REVIEW', None)])
    assert (summary.good, summary.escapes, summary.false_rejects) == (None, None, None)
    assert (summary.parts, summary.review, summary.unknown) == (2, 1, 0)


def test_the_summary_has_exactly_the_promised_keys():
    promised = (
        'parts good defective escapes false_rejects review unknown verdict_latency_ms cycle_s '
        'release_latency_ms inspections'
    )
    values = summary_to_json(summarise([outcome('ACCEPT', True)]))
    assert list(values) == promised.split()
    assert list(values['inspections'][0]) == ['part_id', 'good', 'decision', 'reasons', 'defects']
    assert values['release_latency_ms'] == {'p99': None}
