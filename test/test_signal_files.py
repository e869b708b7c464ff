"""Recordings in files: ours come back bit by bit, wav files in ±1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy.io import wavfile

from inspection_cell.errors import DataError
from inspection_cell.observations import Signal
from inspection_cell.signal_files import read_signal, signal_csv

FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(
    npst.arrays(np.float32, st.integers(0, 50), elements=FINITE),
    st.floats(0.001, 1e6),
    st.sampled_from(['N', 'degC', 'N/mm²', 'a,b']),
)
def test_a_written_recording_is_read_back_exactly(tmp_path_factory, values, rate_hz, unit):
    path = tmp_path_factory.mktemp('signal') / 'force.csv'
    path.write_bytes(signal_csv(Signal(values, rate_hz, unit)))
    read = read_signal(path)
    assert (read.rate_hz, read.unit) == (rate_hz, unit)
    assert read.values.tobytes() == values.tobytes()


@pytest.mark.parametrize(
    ('samples', 'expected'),
    [
        (np.array([0, 16384, -32768], np.int16), [0.0, 0.5, -1.0]),
        (np.array([0, 2**30, -(2**31)], np.int32), [0.0, 0.5, -1.0]),
        (np.array([128, 192, 0], np.uint8), [0.0, 0.5, -1.0]),
        (np.array([0.0, 0.5, -1.0], np.float32), [0.0, 0.5, -1.0]),
    ],
)
def test_sound_is_scaled_to_its_full_scale(tmp_path, samples, expected):
    path = tmp_path / 'sound.wav'
    wavfile.write(path, 8000, samples)
    read = read_signal(path)
    assert (read.rate_hz, read.unit) == (8000.0, 'FS')
    assert read.values.tolist() == expected


@pytest.mark.parametrize(
    ('content', 'expected'),
    [
        ('', 'line 1'),
        ('1000\n1\n', 'line 1: expected <rate in Hz>,<unit>'),
        ('fast,N\n1\n', "line 1: expected a number, got 'fast'"),
        ('1000,N\n1\n2;5\n', "line 3: expected a number, got '2;5'"),
        ('1000,N\n1\nnan\n', 'got nan at sample 1'),
        ('1000,N\n1e60\n', 'got inf at sample 0'),
        ('0,N\n1\n', 'rate above 0 Hz, got 0.0'),
        ('-5,N\n1\n', 'rate above 0 Hz, got -5.0'),
    ],
)
def test_a_damaged_recording_is_refused_with_its_file_and_place(tmp_path, content, expected):
    path = tmp_path / 'force.csv'
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        read_signal(path)
    assert str(path) in str(caught.value)
    assert expected in str(caught.value)


def test_stereo_and_what_is_no_wav_are_refused(tmp_path):
    stereo, text = tmp_path / 'stereo.wav', tmp_path / 'text.wav'
    wavfile.write(stereo, 8000, np.zeros((10, 2), np.int16))
    text.write_text('no sound')
    with pytest.raises(DataError, match='one channel, got 2'):
        read_signal(stereo)
    with pytest.raises(DataError, match='expected a wav file'):
        read_signal(text)
