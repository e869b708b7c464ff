"""Defects with their truth: what is wrong with a part, where, and how large it is."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import read_only
from inspection_cell.sim.body import Bump
from inspection_cell.sim.marks import Mark


class DefectKind(StrEnum):
    """What can be wrong with a simulated part."""

    SCRATCH = 'scratch'
    STAIN = 'stain'
    MISSING_SCREW = 'missing_screw'
    DENT = 'dent'
    BURR = 'burr'
    DISPLACED_BORE = 'displaced_bore'


SEEN_BY_CAMERA = frozenset({DefectKind.SCRATCH, DefectKind.STAIN, DefectKind.MISSING_SCREW})
SEEN_BY_SCANNER = frozenset(
    {DefectKind.DENT, DefectKind.BURR, DefectKind.DISPLACED_BORE, DefectKind.MISSING_SCREW}
)


@dataclass(frozen=True, slots=True)
class MissingScrew:
    """Which screw of the part type is missing."""

    index: int


@dataclass(frozen=True, slots=True)
class DisplacedBore:
    """Which bore of the part type is out of place, and by how much in the part frame, mm."""

    index: int
    offset_mm: tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)  # its arrays cannot be compared or hashed as one
class TrueDefect:
    """One defect as it really is.

    Attributes:
        position_m: (3,) on the surface, part frame: of a missing screw on the top of its head,
            of a displaced bore the middle of where it should be.
        normal: (3,) unit, outward, part frame.
        size_mm: length of a scratch, diameter of a stain, height of a dent, burr or missing
            screw head, offset of a bore.
        extent_mm: longest extent on the surface.
        cause: what the simulator builds it from.
    """

    kind: DefectKind
    position_m: NDArray[np.float64]
    normal: NDArray[np.float64]
    size_mm: float
    extent_mm: float
    cause: Mark | Bump | MissingScrew | DisplacedBore

    def __post_init__(self) -> None:
        """Check and freeze the arrays."""
        for name in ('position_m', 'normal'):
            frozen = read_only(getattr(self, name), (3,), f'defect {self.kind}: {name}')
            object.__setattr__(self, name, frozen)
