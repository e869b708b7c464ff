"""The tables of `records.sqlite`."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Table(DeclarativeBase):
    """What all tables share."""


class InspectionRow(Table):
    """One inspection of one part: what was decided, by which software, and what was then done."""

    __tablename__ = 'inspections'

    inspection_id: Mapped[str] = mapped_column(primary_key=True)
    part_id: Mapped[str] = mapped_column(index=True)
    part_type: Mapped[str] = mapped_column(index=True)
    decision: Mapped[str] = mapped_column(index=True)  # name of a Decision
    stamp_ns: Mapped[int] = mapped_column(index=True)  # ROS clock
    recipe_hash: Mapped[str]
    cell_hash: Mapped[str]
    model_hashes: Mapped[str]  # of the detectors and references, sorted, separated by blanks
    software_version: Mapped[str]
    verdict_json: Mapped[str]

    disposition_action: Mapped[str | None]  # name of an Action
    disposition_bin: Mapped[str | None]  # where the part is
    disposition_confirmed: Mapped[bool | None]
    disposition_reason: Mapped[str | None]
    disposition_latency_s: Mapped[float | None]

    evidence: Mapped[list['EvidenceRow']] = relationship(order_by='EvidenceRow.name')


class EvidenceRow(Table):
    """One evidence file of one inspection."""

    __tablename__ = 'evidence'

    inspection_id: Mapped[str] = mapped_column(
        ForeignKey('inspections.inspection_id'), primary_key=True
    )
    host: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)  # relative to that host's data folder
    sha256: Mapped[str]
    kind: Mapped[str]
    view: Mapped[str]
