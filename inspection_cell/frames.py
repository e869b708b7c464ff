"""Names of the coordinate frames in the TF tree, which several cells may share."""

from dataclasses import dataclass
from typing import Self

from inspection_cell.cell import Cell


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one cell.

    Attributes:
        prefix: keeps them apart from those of another cell.
        described: the cell, which may name frames that others publish; those have no prefix.
    """

    prefix: str
    described: Cell | None = None

    @classmethod
    def of(cls, namespace: str, cell: Cell) -> Self:
        """As the nodes in a namespace stamp their messages; the root namespace has no prefix."""
        name = namespace.strip('/')
        return cls(f'{name}/' if name else '', cell)

    @property
    def cell(self) -> str:
        """The station: what the poses of `cell.yaml` are given in."""
        given = self.described.file.frame if self.described else None
        return given or f'{self.prefix}cell'

    @property
    def part(self) -> str:
        """The part that the robot holds: what the reference mesh is given in."""
        looked_up = self.described.file.robot.part_from_tf if self.described else None
        given = looked_up.frame if looked_up else None
        return given or f'{self.prefix}part'

    def optical(self, sensor: str) -> str:
        """A sensor's optical frame (REP 103: x right, y down, z forward)."""
        posed = self.described.posed_sensors.get(sensor) if self.described else None
        given = posed.from_tf.frame if posed and posed.from_tf else None
        return given or f'{self.prefix}{sensor}_optical_frame'
