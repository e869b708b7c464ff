"""Makes verdicts durable before anybody learns of them; what is not durable is no ACCEPT."""

from inspection_cell.cell import Cell
from inspection_cell.disposition import Disposition
from inspection_cell.errors import StoreError
from inspection_cell.findings import Decision, Verdict
from inspection_cell.nodes.diagnosis import Reading
from inspection_cell.nodes.run import Logger
from inspection_cell.records.store import RecordStore, free_disk_mb
from inspection_cell.verdict import withhold


class Journal:
    """The record store, seen from a node that must go on when the disk does not."""

    def __init__(self, store: RecordStore, cell: Cell, logger: Logger) -> None:
        """Take an open store."""
        self._store = store
        self._minimum_mb = cell.file.limits.min_free_disk_mb
        self._logger = logger
        self._problem = ''
        self._early: dict[str, Disposition] = {}

    @property
    def reading(self) -> Reading:
        """What /diagnostics shows: free disk, and what could not be written last."""
        try:
            free_mb = free_disk_mb(self._store.path.parent)
        except StoreError as error:
            return Reading('records', str(error))
        problem = self._disk_problem(free_mb) or self._problem
        return Reading('records', problem, {'free_mb': f'{free_mb:.0f}'})

    def record(self, verdict: Verdict) -> Verdict:
        """Write a verdict; return what may be told: never ACCEPT unless it is on the disk."""
        problem = ''
        try:
            too_full = self._disk_problem(free_disk_mb(self._store.path.parent))
            if too_full and verdict.decision is Decision.ACCEPT:
                verdict = withhold(verdict, 'disk_full', too_full)
            self._store.add(verdict)
        except StoreError as error:
            problem = str(error)
        self._problem = problem
        if problem:
            self._logger.error(f'VERDICT NOT RECORDED, the part is not accepted: {problem}')
            return withhold(verdict, 'not_recorded', problem)
        if early := self._early.pop(verdict.inspection_id, None):
            self.dispose(early)
        return verdict

    def _disk_problem(self, free_mb: float) -> str:
        if free_mb >= self._minimum_mb:
            return ''
        return f'{free_mb:.0f} MB of disk free; at least {self._minimum_mb:.0f} MB'

    def dispose(self, disposition: Disposition) -> None:
        """Write what was done with a part; one that had no verdict yet is kept until it has."""
        inspection_id = disposition.command.inspection_id
        try:
            self._store.set_disposition(disposition)
        except StoreError as error:
            self._early[inspection_id] = disposition
            problem = str(error)
        else:
            return
        self._logger.error(f'disposition not recorded: {problem}')
