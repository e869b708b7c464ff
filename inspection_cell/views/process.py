"""Inspection of process signals: quantities of a recording against the recipe's limits.

A signal shows that something happened, never that this part was there: its views judge no
presence.
"""

import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

from inspection_cell.errors import DataError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import EvidenceFile, Finding, ViewFindings, ViewStatus
from inspection_cell.observations import Observation, Signal
from inspection_cell.recipe import Recipe
from inspection_cell.sections.process import MeasureLimit, ProcessLimits
from inspection_cell.signal_files import signal_csv


@dataclass(frozen=True, slots=True)
class ProcessInspection:
    """The findings of one recording."""

    view_findings: ViewFindings


class ProcessInspector:
    """Judges the recordings of all process sensors that a recipe names."""

    def __init__(self, recipe: Recipe, evidence: EvidenceFolder) -> None:
        """Take the limits; raises DataError for a recipe without the section `process`."""
        if not recipe.file.process:
            raise DataError(f'{recipe.path}: expected the section `process`, there is none')
        self._recipe = recipe
        self._evidence = evidence

    def inspect(self, observation: Observation) -> ProcessInspection:
        """Judge one recording; bad data becomes MALFORMED with a reason.

        Raises:
            DataError: for a sensor that the recipe does not name.
        """
        begin = time.perf_counter()
        limits = self._limits(observation.view.sensor)
        signal = observation.data
        if not isinstance(signal, Signal):
            reason = f'expected a Signal from {observation.view}, got {type(signal).__name__}'
            return ProcessInspection(_view(observation, reason))
        evidence = self._write(observation, signal)
        reason = _refusal(signal, limits)
        findings = replace(
            _view(observation, reason),
            findings=() if reason else _findings(signal, limits),
            evidence=(evidence,),
            inspect_s=time.perf_counter() - begin,
        )
        return ProcessInspection(findings)

    def _limits(self, sensor: str) -> ProcessLimits:
        limits = self._recipe.file.process.get(sensor)
        if limits is None:
            known = ', '.join(self._recipe.file.process)
            raise DataError(f'{self._recipe.path}: no section process.{sensor}, only {known}')
        return limits

    def _write(self, observation: Observation, signal: Signal) -> EvidenceFile:
        identity, view = observation.inspection_id, observation.view
        return self._evidence.write(identity, view, 'signal', '.csv', signal_csv(signal))


def measure(signal: Signal, limit: MeasureLimit) -> float:
    """The quantity that `limit` limits, in the signal's unit."""
    values = signal.values.astype(np.float64)
    if limit.measure == 'band_rms' and limit.band_hz is not None:
        return _band_rms(signal, limit.band_hz)
    if limit.measure == 'peak':
        return float(np.abs(values).max())
    if limit.measure == 'rms':
        return float(np.sqrt(np.mean(values**2)))
    if limit.measure == 'minimum':
        return float(values.min())
    return float(values.max() if limit.measure == 'maximum' else values.mean())


def _band_rms(signal: Signal, band_hz: tuple[float, float]) -> float:
    """Root mean square of the frequencies in the band, by Parseval's theorem.

    No window: every sample counts the same, so a click at the begin is not missed, and the band
    from 0 to half the rate gives exactly the rms.
    """
    count = len(signal.values)
    power = np.abs(rfft(signal.values.astype(np.float64)) / count) ** 2
    power[1 : (count + 1) // 2] *= 2.0  # stands for the negative frequency too
    return float(np.sqrt(power[_inside(signal, band_hz)].sum()))


def _inside(signal: Signal, band_hz: tuple[float, float]) -> NDArray[np.bool_]:
    """Which frequencies of the signal's spectrum lie in the band."""
    count = len(signal.values)
    frequency_hz = np.arange(count // 2 + 1) * signal.rate_hz / count
    inside: NDArray[np.bool_] = (frequency_hz >= band_hz[0]) & (frequency_hz <= band_hz[1])
    return inside


def _refusal(signal: Signal, limits: ProcessLimits) -> str:
    """Why a recording cannot be judged; empty when it can."""
    if signal.unit != limits.unit:
        return f'expected values in {limits.unit}, got {signal.unit!r}'
    if signal.duration_s < limits.min_duration_s:
        samples = f'{len(signal.values)} samples at {signal.rate_hz:g} Hz'
        shortest = f'{limits.min_duration_s:g} s at least'
        return f'expected {shortest}, got {signal.duration_s:g} s: {samples}'
    for band_hz in (limit.band_hz for limit in limits.limits if limit.band_hz is not None):
        band = f'band_hz [{band_hz[0]:g}, {band_hz[1]:g}]'
        if band_hz[1] > signal.rate_hz / 2.0:
            return f'{band} needs {2 * band_hz[1]:g} samples per second, got {signal.rate_hz:g}'
        if not _inside(signal, band_hz).any():
            return f'{band} is too narrow for a recording of {signal.duration_s:g} s'
    return ''


def _view(observation: Observation, reason: str) -> ViewFindings:
    status = ViewStatus.MALFORMED if reason else ViewStatus.OK
    identity, view = observation.inspection_id, observation.view
    return ViewFindings(identity, view, status, reason, stamp_ns=observation.stamp_ns)


def _findings(signal: Signal, limits: ProcessLimits) -> tuple[Finding, ...]:
    found = (_finding(measure(signal, limit), limit, limits.unit) for limit in limits.limits)
    return tuple(finding for finding in found if finding is not None)


def _finding(value: float, limit: MeasureLimit, unit: str) -> Finding | None:
    if limit.low is not None and value < limit.low:
        broken = limit.low
    elif limit.high is not None and value > limit.high:
        broken = limit.high
    else:
        return None
    return Finding(f'process_{limit.measure}', 1.0, value, broken, unit)
