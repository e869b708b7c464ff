"""Quantities of a recording against signals whose answer is known; bad data is told by name."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from inspection_cell.errors import DataError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import PresenceStatus, ViewStatus
from inspection_cell.observations import Image, Observation, Signal, ViewKey
from inspection_cell.recipe import Recipe, RecipeFile
from inspection_cell.sections.process import MeasureLimit
from inspection_cell.signal_files import read_signal
from inspection_cell.views.process import ProcessInspector, measure

RATE_HZ = 1000.0
TIME_S = np.arange(2000) / RATE_HZ
POSE = {'position_mm': (0, 0, 0), 'rpy_deg': (0, 0, 0)}
SENSIBLE = st.floats(-1e6, 1e6, width=32)


def recipe(*limits, **changes):
    section = {
        'unit': 'N',
        'min_duration_s': 1.0,
        'limits': limits or ({'measure': 'peak', 'high': 10.0},),
    }
    content = {
        'format': 1,
        'part_type': 'plate',
        'reference': 'none',
        'presentations': {'press': {'pose': POSE, 'sensors': ('force',)}},
        'process': {'force': {**section, **changes}},
    }
    return Recipe(Path('recipe.yaml'), 'r', RecipeFile.model_validate(content))


def signal(values, rate_hz=RATE_HZ, unit='N'):
    return Signal(np.asarray(values, np.float32), rate_hz, unit)


def tone(amplitude, frequency_hz):
    return amplitude * np.sin(2 * np.pi * frequency_hz * TIME_S)


def seen(data):
    return Observation('i1', ViewKey('press', 'force'), 7, data, np.eye(4), np.eye(4))


@pytest.fixture
def inspect(tmp_path):
    def inspected(data, *limits, **changes):
        inspector = ProcessInspector(recipe(*limits, **changes), EvidenceFolder(tmp_path))
        return inspector.inspect(seen(data)).view_findings

    return inspected


@pytest.mark.parametrize(
    ('name', 'expected'),
    [('peak', 7.0), ('rms', 14.4**0.5), ('minimum', -7.0), ('maximum', 5.0), ('mean', 0.0)],
)
def test_each_measure_is_the_known_one(name, expected):
    values = [5.0, -7.0, 3.0, 5.0, -5.0, 1.0, 1.0, -3.0, 0.0, 0.0]
    limit = MeasureLimit(measure=name, high=0.0)
    assert measure(signal(values), limit) == pytest.approx(expected)


@pytest.mark.parametrize(
    ('band_hz', 'expected'),
    [((40, 60), 3.0), ((100, 100), 2.0), ((110, 130), 0.0), ((0, 10), 8.0), ((30, 500), 13**0.5)],
)
def test_the_rms_of_a_band_is_that_of_the_tones_inside(band_hz, expected):
    mixed = signal(8.0 + tone(3 * 2**0.5, 50.0) + tone(2 * 2**0.5, 100.0))
    limit = MeasureLimit.model_construct(measure='band_rms', band_hz=band_hz, low=None, high=1.0)
    assert measure(mixed, limit) == pytest.approx(expected, abs=1e-5)


@given(npst.arrays(np.float32, st.integers(2, 60), elements=SENSIBLE))
def test_the_band_up_to_half_the_rate_holds_the_whole_rms(values):
    whole = MeasureLimit(measure='band_rms', band_hz=(0.0, 500.0), high=1.0)
    rms = measure(signal(values), MeasureLimit(measure='rms', high=1.0))
    if len(values) % 2:  # the highest frequency lies below half the rate
        whole = MeasureLimit(measure='band_rms', band_hz=(0.0, 499.99), high=1.0)
    assert measure(signal(values), whole) == pytest.approx(rms, rel=1e-6, abs=1e-9)


def test_a_recording_within_its_limits_is_ok_without_findings_or_presence(inspect):
    found = inspect(signal(tone(9.0, 50.0)), {'measure': 'peak', 'low': 5.0, 'high': 10.0})
    assert (found.status, found.reason, found.findings) == (ViewStatus.OK, '', ())
    assert found.presence.status is PresenceStatus.UNKNOWN
    assert (found.inspection_id, found.view, found.stamp_ns) == (
        'i1',
        ViewKey('press', 'force'),
        7,
    )


def test_each_measure_out_of_its_limits_is_a_finding_with_value_limit_and_unit(inspect):
    found = inspect(
        signal(np.full(2000, 12.0)),
        {'measure': 'peak', 'high': 10.0},
        {'measure': 'mean', 'low': 0.0, 'high': 12.5},
        {'measure': 'minimum', 'low': 15.0},
        {'measure': 'band_rms', 'band_hz': (10.0, 20.0), 'low': 0.5},
    )
    told = [(f.label, f.score, round(f.value, 6), f.limit, f.unit) for f in found.findings]
    assert told == [
        ('process_peak', 1.0, 12.0, 10.0, 'N'),
        ('process_minimum', 1.0, 12.0, 15.0, 'N'),
        ('process_band_rms', 1.0, 0.0, 0.5, 'N'),
    ]


@pytest.mark.parametrize(
    ('data', 'limit', 'expected'),
    [
        (signal(np.zeros(999)), {'measure': 'peak', 'high': 1.0}, '999 samples at 1000 Hz'),
        (signal([]), {'measure': 'peak', 'high': 1.0}, 'got 0 s'),
        (signal(TIME_S, unit='kN'), {'measure': 'peak', 'high': 1.0}, "in N, got 'kN'"),
        (
            signal(TIME_S),
            {'measure': 'band_rms', 'band_hz': (100.0, 501.0), 'high': 1.0},
            'needs 1002 samples per second, got 1000',
        ),
        (
            signal(TIME_S),
            {'measure': 'band_rms', 'band_hz': (10.1, 10.2), 'high': 1.0},
            'too narrow for a recording of 2 s',
        ),
        (Image(np.zeros((4, 4), np.uint8)), {'measure': 'peak', 'high': 1.0}, 'got Image'),
    ],
)
def test_what_cannot_be_judged_is_malformed_with_the_reason(inspect, data, limit, expected):
    found = inspect(data, limit)
    assert found.status is ViewStatus.MALFORMED
    assert expected in found.reason
    assert found.findings == ()


def test_the_recording_is_kept_as_evidence_that_can_be_replayed(inspect, tmp_path):
    recorded = signal(tone(1.0, 3.0) + 0.1)
    (file,) = inspect(recorded).evidence
    assert file.kind == 'signal'
    kept = read_signal(tmp_path / file.name)
    assert (kept.values.tobytes(), kept.rate_hz) == (recorded.values.tobytes(), RATE_HZ)


def test_a_recipe_or_sensor_without_limits_is_refused(tmp_path):
    file = recipe().file.model_copy(update={'process': {}})
    with pytest.raises(DataError, match='section `process`'):
        ProcessInspector(Recipe(Path('r.yaml'), 'r', file), EvidenceFolder(tmp_path))
    sound = Observation('i1', ViewKey('press', 'sound'), 7, signal([1.0]), np.eye(4), np.eye(4))
    with pytest.raises(DataError, match=r'no section process\.sound, only force'):
        ProcessInspector(recipe(), EvidenceFolder(tmp_path)).inspect(sound)
