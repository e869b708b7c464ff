"""Random interleavings of parts, frames and faults: the gate never pairs the wrong ones.

The world below knows the true begin of every exposure; the gate sees only stamps and arrivals
that are off by as much as the sensor's declaration allows, and the faults on top.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_cell.capture.gate import CaptureRequest, Frame, FrameGate
from inspection_cell.cell import Stamp, StampMeaning

MS = 1_000_000
ROS_EPOCH = 1_790_000_000_000 * MS
EXPOSURE_MS, LATENCY_MS, UNCERTAINTY_MS = 20.0, 15.0, 2.0
FAULTS = ('none', 'old', 'repeated', 'future', 'late', 'unstamped')


@dataclass(frozen=True, slots=True)
class Shot:
    """What was really exposed, and when."""

    number: int
    true_begin_ns: int


@dataclass(frozen=True, slots=True)
class Event:
    """At a moment, either the robot settles with a new part or the camera exposes."""

    wait_ms: float
    new_part: bool
    request_delay_ms: float
    clock_error: float  # share of the declared uncertainty, -1 to 1
    latency: float  # share of the declared latency
    transport_ms: float
    fault: str


class World:
    """Plays events against a gate and keeps the truth."""

    def __init__(self, meaning: StampMeaning) -> None:
        self.gate: FrameGate[Shot] = FrameGate(
            Stamp(
                meaning=meaning,
                exposure_ms=EXPOSURE_MS,
                latency_ms=LATENCY_MS,
                uncertainty_ms=UNCERTAINTY_MS,
            )
        )
        self.meaning = meaning
        self.requests: list[CaptureRequest] = []
        self.sent: list[Frame[Shot]] = []
        self.captures = []
        self.failures = []

    def play(self, events) -> None:
        """Deliver requests and frames in the order of their arrival."""
        now_ns, deliveries = 0, []
        for number, event in enumerate(events):
            now_ns += round(event.wait_ms * MS)
            if event.new_part:
                arrival_ns = now_ns + round(event.request_delay_ms * MS)
                deliveries.append((arrival_ns, number, self._request(number, now_ns)))
            else:
                frame = self._frame(number, now_ns, event)
                deliveries.append((frame.arrival_ns - ROS_EPOCH, number, frame))
        for arrival_ns, _, message in sorted(deliveries, key=lambda item: item[:2]):
            self._deliver(message, arrival_ns)
        self._expire(10**18)

    def _request(self, number, settled_ns):
        return CaptureRequest(f'i{number}', 'top', ROS_EPOCH + settled_ns, settled_ns + 300 * MS)

    def _frame(self, number, begin_ns, event):
        end_ns = begin_ns + round(EXPOSURE_MS * MS)
        driver_ns = end_ns + round(LATENCY_MS * event.latency * MS)
        arrival_ns = driver_ns + round(event.transport_ms * MS)
        if event.fault == 'late':
            arrival_ns += 2_000 * MS
        error_ns = round(event.clock_error * UNCERTAINTY_MS * MS)
        stamp_ns = ROS_EPOCH + error_ns
        stamp_ns += {
            StampMeaning.EXPOSURE_START: begin_ns,
            StampMeaning.EXPOSURE_END: end_ns,
            StampMeaning.ARRIVAL: driver_ns,
        }[self.meaning]
        shot = Shot(number, ROS_EPOCH + begin_ns)
        if event.fault == 'old':
            stamp_ns, shot = stamp_ns - 900 * MS, Shot(number, shot.true_begin_ns - 900 * MS)
        if event.fault == 'future':
            stamp_ns += 5_000 * MS
        if event.fault == 'unstamped':
            stamp_ns = 0
        if event.fault == 'repeated' and self.sent:
            last = self.sent[-1]
            return Frame(last.payload, last.stamp_ns, ROS_EPOCH + arrival_ns, arrival_ns)
        frame = Frame(shot, stamp_ns, ROS_EPOCH + arrival_ns, arrival_ns)
        self.sent.append(frame)
        return frame

    def _deliver(self, message, now_ns):
        self._expire(now_ns)
        if isinstance(message, CaptureRequest):
            self.requests.append(message)
            captured = self.gate.expect(message)
        else:
            captured = self.gate.offer(message)
        if captured is not None:
            self.captures.append((captured, len(self.requests)))

    def _expire(self, now_ns):
        while failure := self.gate.expire(now_ns):
            self.failures.append(failure)

    def wrong(self):
        """Captures that break rule 3."""
        numbers, wrong = set(), []
        for captured, open_since in self.captures:
            shot = captured.frame.payload
            moved_on = captured.request != self.requests[open_since - 1]
            early = shot.true_begin_ns < captured.request.settled_ns
            late = captured.frame.arrival_steady_ns > captured.request.deadline_steady_ns
            if moved_on or early or late or shot.number in numbers:
                wrong.append(captured)
            numbers.add(shot.number)
        return wrong


def assert_sound(world: World) -> None:
    """No wrong pair, and every request has exactly one answer."""
    assert world.wrong() == []
    answered = [captured.request for captured, _ in world.captures]
    answered += [failure.request for failure in world.failures]
    assert sorted(answered, key=repr) == sorted(world.requests, key=repr)


def times_ms(upper):
    return st.floats(0.0, upper, allow_nan=False)


EVENTS = st.lists(
    st.builds(
        Event,
        wait_ms=times_ms(80.0),
        new_part=st.booleans(),
        request_delay_ms=times_ms(60.0),
        clock_error=st.floats(-1.0, 1.0),
        latency=st.floats(0.0, 1.0),
        transport_ms=times_ms(40.0),
        fault=st.sampled_from(FAULTS),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(events=EVENTS, meaning=st.sampled_from(list(StampMeaning)))
def test_a_captured_frame_was_exposed_after_settling_and_is_used_once(events, meaning):
    world = World(meaning)
    world.play(events)
    assert_sound(world)


@pytest.mark.parametrize('meaning', list(StampMeaning))
def test_no_wrong_pair_in_twenty_thousand_triggers_with_faults(meaning):
    rng = np.random.default_rng(20_261)
    world = World(meaning)
    world.play(
        Event(
            wait_ms=rng.uniform(0, 40),
            new_part=rng.random() < 0.25,
            request_delay_ms=rng.exponential(20),
            clock_error=rng.uniform(-1, 1),
            latency=rng.random(),
            transport_ms=rng.exponential(10),
            fault='none' if rng.random() < 0.6 else rng.choice(FAULTS),
        )
        for _ in range(80_000)
    )
    assert_sound(world)
    assert len(world.requests) > 19_500
    assert len(world.captures) > 3_000  # the gate is no wall
