"""Lighting sequences: which frame is of which shot, and when a view has all of them."""

from dataclasses import replace

import numpy as np
import pytest

from inspection_cell.capture.gate import CaptureRequest, Frame, FrameGate, trigger_spare_ns
from inspection_cell.capture.series import ShotCollector, whole_series
from inspection_cell.cell import Camera, Cell, CellFile, Stamp, StampMeaning
from inspection_cell.errors import DataError
from inspection_cell.findings import ViewFindings, ViewStatus
from inspection_cell.observations import Image, ImageSeries, Observation, ShotImage, ViewKey

MS = 1_000_000
ROBOT = 1_790_000_000_000 * MS  # ROS clock, when the robot had settled
STEADY = 5_000 * MS
START = Stamp(uncertainty_ms=1.0)
ARRIVAL = Stamp(
    meaning=StampMeaning.ARRIVAL, exposure_ms=20.0, latency_ms=30.0, uncertainty_ms=1.0
)


def request(shot, lit_ms, inspection_id='i1', **more):
    deadline_ns = STEADY + 2_000 * MS
    return CaptureRequest(inspection_id, 'top', ROBOT + lit_ms * MS, deadline_ns, shot, **more)


def frame(stamp_ms, arrival_ms=None):
    arrival_ns = round((stamp_ms + 5.0 if arrival_ms is None else arrival_ms) * MS)
    stamp_ns = ROBOT + round(stamp_ms * MS)
    return Frame(stamp_ms, stamp_ns, ROBOT + arrival_ns, STEADY + arrival_ns)


def test_a_frame_of_the_shot_before_is_refused_for_the_next_light():
    gate = FrameGate(START)
    gate.expect(request('ring', 30))
    assert gate.offer(frame(32.0)).request.shot == 'ring'
    gate.expect(request('bar', 90))
    assert gate.offer(frame(40.0, arrival_ms=95.0)) is None  # came late, under the ring light
    assert gate.offer(frame(90.9)) is None  # may have begun before the bar light was steady
    taken = gate.offer(frame(91.0))
    assert (taken.request.shot, taken.frame.payload) == ('bar', 91.0)


def test_a_shot_without_its_frame_is_named_with_what_was_wrong():
    gate = FrameGate(START)
    gate.expect(request('bar', 90))
    gate.offer(frame(40.0, arrival_ms=95.0))
    answer = gate.expire(STEADY + 2_001 * MS)
    assert answer.status is ViewStatus.REFUSED
    assert answer.reason.startswith('shot bar: 1 refused (1 exposed before its light had settled)')
    assert 'the light of shot bar had settled at 1790000000.090 s' in answer.reason


def test_a_shot_without_any_frame_is_missing_and_named():
    gate = FrameGate(START)
    gate.expect(request('ring', 30))
    answer = gate.expire(STEADY + 2_001 * MS)
    assert answer.status is ViewStatus.MISSING
    assert answer.reason.startswith('shot ring: no frame came after its light had settled at 17')


def test_the_exposure_time_of_a_shot_counts_not_that_of_the_sensor():
    long = FrameGate(ARRIVAL)
    long.expect(request('bar', 0, exposure_ns=100 * MS))
    assert long.offer(frame(130.0, arrival_ms=130.0)) is None  # begin 100 + 30 ms before
    assert long.offer(frame(131.0, arrival_ms=131.0)).exposure_start_ns == ROBOT + MS


@pytest.mark.parametrize('stamp', [START, ARRIVAL])
@pytest.mark.parametrize('latency_ms', [0.0, 12.0, 30.0])
def test_a_frame_that_is_triggered_after_the_spare_time_always_counts(stamp, latency_ms):
    gate = FrameGate(stamp)
    gate.expect(request('bar', 50))
    trigger_ms = 50.0 + trigger_spare_ns(stamp) / MS
    stamp_ms = trigger_ms + (20.0 + latency_ms if stamp is ARRIVAL else 0.0)
    assert gate.offer(frame(stamp_ms, arrival_ms=stamp_ms)) is not None


def captured(shot, inspection_id='i1'):
    gate = FrameGate(START)
    gate.expect(request(shot, 0, inspection_id))
    return gate.offer(frame(5.0))


def test_a_view_is_whole_when_all_its_shots_are_there_in_the_order_of_the_cell():
    collector = ShotCollector(['ring', 'bar'])
    assert collector.add(captured('bar')) == ()
    whole = collector.add(captured('ring'))
    assert [one.request.shot for one in whole] == ['ring', 'bar']


def test_shots_of_two_inspections_never_make_one_view():
    collector = ShotCollector(['ring', 'bar'])
    assert collector.add(captured('ring', 'i1')) == ()
    assert collector.add(captured('bar', 'i2')) == ()
    assert collector.add(captured('bar', 'i1')) == ()
    whole = collector.add(captured('ring', 'i1'))
    assert {one.request.inspection_id for one in whole} == {'i1'}
    assert collector.add(captured('bar', 'i1')) == ()  # the next view begins anew


IMAGE = Image(np.zeros((4, 4), dtype=np.uint8))
CELL = Cell(
    'cell.yaml',
    'hash',
    CellFile.model_validate(
        {
            'format': 1,
            'name': 'lit',
            'lights': {
                'ring': {'topic': 'ring', 'settle_ms': 5},
                'bar': {'topic': 'bar', 'settle_ms': 5},
            },
            'sensors': {
                'left': {
                    'kind': 'camera',
                    'topic': 'left',
                    'camera_info_topic': 'info',
                    'pose': {'position_mm': (0, 0, 1), 'look_at_mm': (0, 0, 0)},
                    'shots': {'ring': {'lights': ('ring',)}, 'bar': {'lights': ('bar',)}},
                }
            },
        }
    ),
)
VIEW = ViewKey('top', 'left')


def observed(data):
    return Observation('i1', VIEW, 5, data, np.eye(4), np.eye(4))


@pytest.mark.parametrize(
    ('data', 'why'),
    [
        (ImageSeries((ShotImage('ring', IMAGE),)), 'no image of shot bar came'),
        (IMAGE, 'no image of shot ring, bar came'),
        (
            ImageSeries(tuple(ShotImage(name, IMAGE) for name in ('ring', 'bar', 'blue'))),
            'images of unknown shots blue came',
        ),
        (ImageSeries((ShotImage('ring', IMAGE), ShotImage('bar', IMAGE))), ''),
    ],
)
def test_a_view_without_one_of_its_shots_is_missing_and_says_which(data, why):
    ok = ViewFindings('i1', VIEW, ViewStatus.OK)
    (view,) = whole_series(CELL, {VIEW: observed(data)}, [ok])
    assert (view.status, view.reason) == (ViewStatus.MISSING if why else ViewStatus.OK, why)


def test_a_view_of_one_image_is_whole():
    plain = replace(
        CELL,
        file=CELL.file.model_copy(
            update={'sensors': {'left': _without_shots(CELL.cameras['left'])}}
        ),
    )
    ok = ViewFindings('i1', VIEW, ViewStatus.OK)
    assert whole_series(plain, {VIEW: observed(IMAGE)}, [ok]) == [ok]


def _without_shots(camera: Camera) -> Camera:
    return camera.model_copy(update={'shots': {}})


def test_a_series_needs_shots_with_different_names():
    for names in ((), ('ring', 'ring')):
        with pytest.raises(DataError, match='different names'):
            ImageSeries(tuple(ShotImage(name, IMAGE) for name in names))
