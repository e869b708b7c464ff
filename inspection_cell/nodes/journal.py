"""Makes verdicts durable before anybody learns of them; what is not durable is no ACCEPT."""

import threading

from inspection_cell.cell import Cell
from inspection_cell.disposition import Disposition
from inspection_cell.errors import StoreError
from inspection_cell.findings import Decision, Verdict
from inspection_cell.nodes.diagnosis import Reading
from inspection_cell.nodes.run import Logger
from inspection_cell.records.store import RecordStore, free_disk_mb
from inspection_cell.verdict import withhold

WAITING = 64  # dispositions that wait to be written: of parts whose verdict could not be


class Journal:
    """The record store, seen from a node that must go on when the disk does not."""

    def __init__(self, store: RecordStore, cell: Cell, logger: Logger) -> None:
        """Take an open store."""
        self._store = store
        self._minimum_mb = cell.file.limits.min_free_disk_mb
        self._logger = logger
        self._problem = ''
        self._lock = threading.Lock()
        self._waiting: dict[str, Disposition] = {}  # not written: no verdict yet, or no disk

    @property
    def reading(self) -> Reading:
        """What /diagnostics shows: free disk, and what could not be written last."""
        try:
            free_mb = free_disk_mb(self._store.path.parent)
        except StoreError as error:
            return Reading('records', str(error))
        problem = self._disk_problem(free_mb) or self._problem
        if self._waiting and not problem:
            problem = f'{len(self._waiting)} dispositions are not recorded yet'
        return Reading('records', problem, {'free_mb': f'{free_mb:.0f}'})

    def record(self, verdict: Verdict) -> Verdict:
        """Write a verdict; return what may be told: never ACCEPT unless it is on the disk."""
        problem = ''
        try:
            too_full = self._disk_problem(free_disk_mb(self._store.path.parent))
            if too_full and verdict.decision is Decision.ACCEPT:
                verdict = withhold(verdict, 'disk_full', too_full)
            with self._lock:  # a disposition comes before or after, never in between
                self._store.add(verdict)
        except StoreError as error:
            problem = str(error)
        self._problem = problem
        if problem:
            self._logger.error(f'VERDICT NOT RECORDED, the part is not accepted: {problem}')
            return withhold(verdict, 'not_recorded', problem)
        with self._lock:
            self._catch_up()
        return verdict

    def _disk_problem(self, free_mb: float) -> str:
        if free_mb >= self._minimum_mb:
            return ''
        return f'{free_mb:.0f} MB of disk free; at least {self._minimum_mb:.0f} MB'

    def dispose(self, disposition: Disposition) -> None:
        """Write what was done with a part; what cannot be written now is, with a later verdict."""
        inspection_id = disposition.command.inspection_id
        with self._lock:
            problem = self._unwritten(disposition)
            if problem:
                self._waiting[inspection_id] = disposition
            if len(self._waiting) > WAITING:
                del self._waiting[next(iter(self._waiting))]
        if problem:
            self._logger.error(f'disposition not recorded yet: {problem}')

    def _catch_up(self) -> None:
        """Write the dispositions that wait; only while the store is known to take something."""
        for inspection_id, disposition in list(self._waiting.items()):
            if not self._unwritten(disposition):
                del self._waiting[inspection_id]

    def _unwritten(self, disposition: Disposition) -> str:
        """Write a disposition; why it could not be, empty when it could."""
        try:
            self._store.set_disposition(disposition)
        except StoreError as error:
            return str(error)
        return ''
