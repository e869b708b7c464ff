"""The rows by name; each is a module that is imported only when it is measured."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module

from inspection_cell.bench.result import Result, Settings, not_measured
from inspection_cell.errors import InspectionCellError


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its name and where `measure` is; torch and Open3D take seconds to import."""

    name: str
    bar: str
    module: str = ''


ROWS = (
    Row('verdict', 'p95 at most 300 ms after the last frame, aim 150 ms', 'verdict'),
    Row(
        'detection',
        'at least 5 times faster than predict on the .pt, 1.25 times than on the OpenVINO export',
        'detection',
    ),
    Row('surface', 'at least 8 times faster than the peer; same to 20 µm (p99)', 'surface'),
    Row('transport', 'no image lost under load; idle median at most 6 ms', 'transport'),
    Row('release', 'p99 at most 10 ms', 'release'),
)
NAMES = tuple(row.name for row in ROWS)


def measure_rows(names: Sequence[str], settings: Settings) -> Iterator[Result]:
    """Measure rows one after the other; a row that cannot be measured says why."""
    for row in ROWS:
        if row.name in names:
            yield _measured(row, settings)


def _measured(row: Row, settings: Settings) -> Result:
    if not row.module:
        return not_measured(row.name, row.bar, 'not in this version')
    module = import_module(f'inspection_cell.bench.{row.module}')
    try:
        result: Result = module.measure(settings, row.bar)
    except InspectionCellError as error:
        return not_measured(row.name, row.bar, str(error))
    return result
