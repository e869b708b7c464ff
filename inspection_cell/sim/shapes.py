"""What the part types are described with: bores, screws, and departures from the drawing; mm."""

from dataclasses import dataclass

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Bore:
    """A cylindrical hole: the middle of its axis, the axis, radius and half its length; mm."""

    centre: Vector
    axis: Vector
    radius: float
    half_length: float


@dataclass(frozen=True, slots=True)
class Screw:
    """A screw head that sits on a surface whose normal is +z; mm."""

    seat: Vector
    radius: float
    height: float


@dataclass(frozen=True, slots=True)
class Variant:
    """How one part departs from the drawing.

    Attributes:
        missing_screws: indices into the part type's screws.
        displaced_bore: index into the part type's bores, or None.
        offset: displacement of that bore across its axis, mm.
    """

    missing_screws: frozenset[int] = frozenset()
    displaced_bore: int | None = None
    offset: Vector = (0.0, 0.0, 0.0)

    def bore_offset(self, index: int) -> Vector:
        """Displacement of one bore, mm."""
        return self.offset if index == self.displaced_bore else (0.0, 0.0, 0.0)
