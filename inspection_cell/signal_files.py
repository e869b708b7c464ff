"""Recordings of process sensors in files: csv (ours, exact) and wav.

A csv has the rate in Hz and the unit in its first line (`1000,N`) and then one value per line.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import wavfile

from inspection_cell.errors import DataError
from inspection_cell.observations import Signal

SIGNAL_SUFFIXES = ('.csv', '.wav')
FULL_SCALE = 'FS'  # unit of sound: 1 is the greatest value that the file could hold


def signal_csv(signal: Signal) -> bytes:
    """The content of a csv from which `read_signal` gives exactly the same signal."""
    values = map('%.9g'.__mod__, signal.values.tolist())  # 9 digits tell any two float32 apart
    return '\n'.join([f'{signal.rate_hz!r},{signal.unit}', *values, '']).encode()


def read_signal(path: Path) -> Signal:
    """Read csv or wav (one channel; scaled to ±1, unit FS).

    Raises:
        DataError: for anything else, naming the file.
    """
    read = _read_wav if path.suffix == '.wav' else _read_csv
    try:
        return read(path)
    except DataError as error:
        raise DataError(f'{path}: {error}') from error


def _read_csv(path: Path) -> Signal:
    try:
        first, *lines = path.read_text(encoding='utf-8').splitlines() or ['']
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f'expected lines of text: {error}') from error
    rate, _, unit = first.partition(',')
    if not unit.strip():
        raise DataError(f'line 1: expected <rate in Hz>,<unit>, got {first[:60]!r}')
    numbers = [_number(line, index) for index, line in enumerate(lines, start=2)]
    with np.errstate(over='ignore'):  # infinity is refused by Signal
        values = np.array(numbers, dtype=np.float64).astype(np.float32)
    return Signal(values, _number(rate, 1), unit.strip())


def _number(text: str, line: int) -> float:
    try:
        return float(text)
    except ValueError:
        raise DataError(f'line {line}: expected a number, got {text[:60]!r}') from None


def _read_wav(path: Path) -> Signal:
    try:
        rate_hz, samples = wavfile.read(path)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f'expected a wav file: {error}') from error
    if samples.ndim != 1:
        raise DataError(f'expected one channel, got {samples.shape[1]}')
    return Signal(_scaled(samples), float(rate_hz), FULL_SCALE)


def _scaled(samples: NDArray[np.generic]) -> NDArray[np.float32]:
    """Samples in ±1; 24 bit samples come in the upper bytes of 32."""
    if samples.dtype == np.uint8:  # the one format with its zero in the middle
        return ((samples.astype(np.float64) - 128.0) / 128.0).astype(np.float32)
    if np.issubdtype(samples.dtype, np.signedinteger):
        full_scale = 2.0 ** (8 * samples.dtype.itemsize - 1)
        return (samples.astype(np.float64) / full_scale).astype(np.float32)
    return samples.astype(np.float32)
