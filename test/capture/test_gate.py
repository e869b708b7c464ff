"""The frame gate, one rule at a time, with injected clocks."""

import pytest

from inspection_cell.capture.gate import CaptureRequest, Frame, FrameGate
from inspection_cell.cell import Stamp, StampMeaning
from inspection_cell.findings import ViewStatus

MS = 1_000_000
SETTLED = 1_790_000_000_000 * MS  # ROS clock
STEADY = 5_000 * MS  # steady clock at the same moment
DEADLINE = STEADY + 2_000 * MS

START = Stamp(uncertainty_ms=1.0)
END = Stamp(meaning=StampMeaning.EXPOSURE_END, exposure_ms=20.0, uncertainty_ms=1.0)
ARRIVAL = Stamp(
    meaning=StampMeaning.ARRIVAL, exposure_ms=20.0, latency_ms=30.0, uncertainty_ms=1.0
)


def request(inspection_id='i1', settled_ns=SETTLED, deadline_steady_ns=DEADLINE):
    return CaptureRequest(inspection_id, 'top', settled_ns, deadline_steady_ns)


def frame(stamp_ms, arrival_ms=None, payload='frame'):
    """A frame stamped and arrived so many ms after the robot had settled."""
    arrival_ms = stamp_ms + 60.0 if arrival_ms is None else arrival_ms
    arrival_ns = round(arrival_ms * MS)
    return Frame(
        payload, SETTLED + round(stamp_ms * MS), SETTLED + arrival_ns, STEADY + arrival_ns
    )


def refusal(gate, *frames):
    assert gate.expect(request()) is None
    assert all(gate.offer(one) is None for one in frames)
    answer = gate.expire(DEADLINE + 1)
    assert gate.expire(DEADLINE + 1) is None
    return answer


@pytest.mark.parametrize(('stamp', 'first_good_ms'), [(START, 1.0), (END, 21.0), (ARRIVAL, 51.0)])
def test_a_frame_counts_from_the_first_exposure_that_surely_began_after_settling(
    stamp, first_good_ms
):
    gate = FrameGate(stamp)
    assert gate.expect(request()) is None
    assert gate.offer(frame(first_good_ms - 0.001)) is None
    captured = gate.offer(frame(first_good_ms))
    assert captured.exposure_start_ns == SETTLED + MS
    assert captured.request == request()


def test_transport_time_never_makes_an_old_frame_young():
    gate = FrameGate(ARRIVAL)
    answer = refusal(gate, frame(stamp_ms=10.0, arrival_ms=900.0))
    assert answer.status is ViewStatus.REFUSED


def test_a_frame_that_came_just_before_its_request_counts():
    gate = FrameGate(START)
    assert gate.offer(frame(-30.0, payload='moving')) is None
    assert gate.offer(frame(5.0, payload='settled')) is None
    assert gate.expect(request()).frame.payload == 'settled'
    assert gate.expire(DEADLINE + 1) is None


def test_only_a_handful_of_frames_is_kept():
    gate = FrameGate(START)
    for number in range(1000):
        gate.offer(frame(float(number)))
    first = gate.expect(request(settled_ns=SETTLED))
    assert first.frame.stamp_ns == SETTLED + 996 * MS


@pytest.mark.parametrize(
    ('bad', 'words'),
    [
        (
            frame(-120.0, 10.0),
            ['exposed before', '1789999999.880 s', '1790000000.000 s', '0.121 s'],
        ),
        (frame(500.0, 100.0), ['future', '1790000000.500 s', '1790000000.100 s', '0.400 s']),
        (frame(50.0, 2_250.0), ['after the deadline', '7.250 s', '7.000 s', '0.250 s']),
        (Frame('x', 0, SETTLED + MS, STEADY + MS), ['without a stamp', '0.000 s']),
    ],
)
def test_a_refusal_names_both_times_and_their_difference(bad, words):
    answer = refusal(FrameGate(START), bad)
    assert answer.status is ViewStatus.REFUSED
    for word in words:
        assert word in answer.reason


def test_an_exposure_end_in_the_future_is_refused_although_its_begin_is_not():
    answer = refusal(FrameGate(END), frame(stamp_ms=70.0, arrival_ms=60.0))
    assert 'stamped in the future' in answer.reason


def test_a_used_frame_and_older_ones_are_refused_for_the_next_part():
    gate = FrameGate(START)
    gate.expect(request())
    used = frame(10.0)
    assert gate.offer(used)
    # A clock set back: the next part settles "before" the frame already used.
    gate.expect(request('i2', settled_ns=SETTLED - 100 * MS))
    assert gate.offer(used) is None
    assert gate.offer(frame(9.0)) is None
    answer = gate.expire(DEADLINE + 1)
    assert answer.request.inspection_id == 'i2'
    assert '2 not newer than one already used' in answer.reason


def test_all_refused_frames_are_counted_by_what_was_wrong():
    answer = refusal(FrameGate(START), frame(-20.0, 5.0), frame(-9.0, 6.0), frame(900.0, 7.0))
    assert '3 refused (2 exposed before the robot had settled, 1 stamped in' in answer.reason


def test_nothing_within_the_deadline_is_missing_not_refused():
    gate = FrameGate(START)
    gate.offer(frame(-500.0, -480.0))  # of the time before: nobody's fault
    assert gate.expect(request()) is None
    assert gate.expire(DEADLINE) is None
    answer = gate.expire(DEADLINE + 1)
    assert answer.status is ViewStatus.MISSING
    assert '1790000000.000 s' in answer.reason
    assert '1789999999.500 s' in answer.reason


def test_a_new_request_replaces_the_open_one_which_is_answered():
    gate = FrameGate(START)
    gate.expect(request('i1'))
    gate.expect(request('i2', settled_ns=SETTLED + 50 * MS))
    captured = gate.offer(frame(60.0))
    assert captured.request.inspection_id == 'i2'
    answer = gate.expire(STEADY)
    assert answer.request.inspection_id == 'i1'
    assert answer.status is ViewStatus.MISSING
    assert 'i2' in answer.reason
    assert gate.expire(DEADLINE + 1) is None


def test_without_a_request_no_frame_is_captured():
    assert FrameGate(START).offer(frame(10.0)) is None
    assert FrameGate(START).expire(DEADLINE) is None
