"""Names of the coordinate frames in the TF tree, which several cells may share."""

from dataclasses import dataclass
from typing import Self

from inspection_cell.cell import Cell


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one cell; `prefix` keeps them apart from those of another."""

    prefix: str

    @classmethod
    def of(cls, cell: Cell) -> Self:
        """As the nodes of the cell stamp their messages."""
        return cls(f'{cell.file.name}/')

    @property
    def cell(self) -> str:
        """The station: what the poses of `cell.yaml` are given in."""
        return f'{self.prefix}cell'

    @property
    def part(self) -> str:
        """The part that the robot holds: what the reference mesh is given in."""
        return f'{self.prefix}part'

    def optical(self, sensor: str) -> str:
        """A sensor's optical frame (REP 103: x right, y down, z forward)."""
        return f'{self.prefix}{sensor}_optical_frame'
