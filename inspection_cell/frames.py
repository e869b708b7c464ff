"""Names of the coordinate frames in the TF tree, which several cells may share."""

from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one cell; `prefix` keeps them apart from those of another."""

    prefix: str

    @classmethod
    def of(cls, namespace: str) -> Self:
        """As the nodes in a namespace stamp their messages; the root namespace has no prefix."""
        name = namespace.strip('/')
        return cls(f'{name}/' if name else '')

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
