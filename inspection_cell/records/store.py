"""The record store: SQLite, written before a verdict is told to anyone (journal, then publish)."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from sqlite3 import Connection

from sqlalchemy import create_engine, event, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from inspection_cell.disposition import Action, Disposition
from inspection_cell.errors import DataError, StoreError
from inspection_cell.findings import Decision, EvidenceFile, Verdict
from inspection_cell.records.serialisation import verdict_from_json, verdict_to_json
from inspection_cell.records.tables import EvidenceRow, InspectionRow, Table

FILE_NAME = 'records.sqlite'
BUSY_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class RecordedDisposition:
    """What was physically done with the part."""

    action: Action
    bin: str
    confirmed: bool
    reason: str
    latency_s: float


@dataclass(frozen=True, slots=True)
class Record:
    """The durable row of one inspection."""

    verdict: Verdict
    evidence: tuple[EvidenceFile, ...]
    disposition: RecordedDisposition | None


class RecordStore:
    """One row per inspection in `<data_dir>/records.sqlite`; safe to use from several threads."""

    def __init__(self, data_dir: Path) -> None:
        """Open or create the store; raises StoreError when that is not possible."""
        self.path = data_dir / FILE_NAME
        try:
            data_dir.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f'{data_dir}: cannot make the data folder: {error}') from error
        self._engine = create_engine(
            f'sqlite:///{self.path}', connect_args={'timeout': BUSY_TIMEOUT_S}
        )
        event.listen(self._engine, 'connect', _make_durable)
        with self._refusing('open'):
            Table.metadata.create_all(self._engine)

    def add(self, verdict: Verdict) -> None:
        """Write one inspection; it is on the disk when this returns.

        Raises:
            StoreError: for a full disk, a locked file, an inspection that is already there.
        """
        with self._refusing(f'add inspection {verdict.inspection_id}'):
            row = _row(verdict)
            with Session(self._engine) as session, session.begin():
                session.add(row)

    def set_disposition(self, disposition: Disposition) -> None:
        """Write what was done with an inspected part; raises StoreError for an unknown one."""
        inspection_id = disposition.command.inspection_id
        with (
            self._refusing(f'set the disposition of inspection {inspection_id}'),
            Session(self._engine) as session,
            session.begin(),
        ):
            row = self._existing(session, inspection_id)
            row.disposition_action = disposition.command.action.name
            row.disposition_bin = disposition.bin
            row.disposition_confirmed = disposition.confirmed
            row.disposition_reason = disposition.reason
            row.disposition_latency_s = disposition.command.latency_s

    def get(self, inspection_id: str) -> Record:
        """Read one inspection; raises StoreError when there is none."""
        with self._refusing(f'read {inspection_id}'), Session(self._engine) as session:
            return _record(self._existing(session, inspection_id))

    def list(
        self, *, part_type: str = '', decision: Decision | None = None, limit: int = 100
    ) -> tuple[Record, ...]:
        """Read the newest inspections, newest first."""
        query = select(InspectionRow).order_by(
            InspectionRow.stamp_ns.desc(), InspectionRow.inspection_id.desc()
        )
        if part_type:
            query = query.where(InspectionRow.part_type == part_type)
        if decision is not None:
            query = query.where(InspectionRow.decision == decision.name)
        with self._refusing('list'), Session(self._engine) as session:
            return tuple(_record(row) for row in session.scalars(query.limit(limit)))

    def ids(self, *, part_type: str = '', part_id: str = '') -> tuple[str, ...]:
        """Read the inspection ids of a part type or part, newest first."""
        query = select(InspectionRow.inspection_id).order_by(
            InspectionRow.stamp_ns.desc(), InspectionRow.inspection_id.desc()
        )
        if part_type:
            query = query.where(InspectionRow.part_type == part_type)
        if part_id:
            query = query.where(InspectionRow.part_id == part_id)
        with self._refusing('list'), Session(self._engine) as session:
            return tuple(session.scalars(query))

    def close(self) -> None:
        """Give the file free; the store can not be used afterwards."""
        self._engine.dispose()

    def _existing(self, session: Session, inspection_id: str) -> InspectionRow:
        row = session.get(InspectionRow, inspection_id)
        if row is None:
            raise StoreError(f'{self.path}: no inspection {inspection_id!r} is recorded')
        return row

    @contextmanager
    def _refusing(self, what: str) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, DataError, ValueError, KeyError) as error:
            cause = getattr(error, 'orig', None) or error
            raise StoreError(f'{self.path}: cannot {what}: {cause}') from error


def free_disk_mb(data_dir: Path) -> float:
    """Free space on the disk that holds the data folder, MB; raises StoreError without one."""
    try:
        return shutil.disk_usage(data_dir).free / 1e6
    except OSError as error:
        raise StoreError(f'{data_dir}: cannot tell the free space: {error}') from error


def _make_durable(connection: Connection, _record: object) -> None:
    """Every commit is on the disk before it returns, and readers never block it."""
    for pragma in ('journal_mode=WAL', 'synchronous=FULL', 'foreign_keys=ON'):
        connection.execute(f'PRAGMA {pragma}')


def _row(verdict: Verdict) -> InspectionRow:
    hashes = {h for view in verdict.views for h in (view.model_hash, view.reference_hash) if h}
    return InspectionRow(
        inspection_id=verdict.inspection_id,
        part_id=verdict.part_id,
        part_type=verdict.part_type,
        decision=verdict.decision.name,
        stamp_ns=verdict.stamp_ns,
        recipe_hash=verdict.recipe_hash,
        cell_hash=verdict.cell_hash,
        model_hashes=' '.join(sorted(hashes)),
        software_version=verdict.software_version,
        verdict_json=verdict_to_json(verdict),
        evidence=[
            EvidenceRow(
                host=f.host, name=f.name, sha256=f.sha256, kind=f.kind, view=str(view.view)
            )
            for view in verdict.views
            for f in view.evidence
        ],
    )


def _record(row: InspectionRow) -> Record:
    disposition = None
    if row.disposition_action is not None:
        disposition = RecordedDisposition(
            Action[row.disposition_action],
            row.disposition_bin or '',
            bool(row.disposition_confirmed),
            row.disposition_reason or '',
            row.disposition_latency_s or 0.0,
        )
    evidence = tuple(EvidenceFile(e.name, e.sha256, e.kind, e.host) for e in row.evidence)
    return Record(verdict_from_json(row.verdict_json), evidence, disposition)
