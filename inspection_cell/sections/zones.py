"""How `recipe.yaml` names regions of the reference surface.

A zone is a union of volumes, faces and colours, narrowed by the direction that its surface faces.
"""

from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from inspection_cell.geometry import Points, from_rpy, invert, transform_points
from inspection_cell.schema import StrictModel, Vector

ExtentMm = Annotated[float, Field(gt=0.0, le=10_000.0)]
TriangleIndex = Annotated[int, Field(ge=0)]
Level = Annotated[int, Field(ge=0, le=255)]


class Box(StrictModel):
    """A cuboid in the part frame."""

    centre_mm: Vector
    """Its centre in the part frame, mm."""
    size_mm: tuple[ExtentMm, ExtentMm, ExtentMm]
    """Its full lengths along its own axes, mm."""
    rpy_deg: Vector = (0.0, 0.0, 0.0)
    """How its axes are turned in the part frame: fixed-axis roll, pitch, yaw, degrees."""

    def nearest(self, points_part: Points) -> Points:
        """The point of the box nearest to each of (N, 3) points, metres; itself when inside."""
        frame = from_rpy(_metres(self.centre_mm), np.radians(self.rpy_deg))
        half = _metres(self.size_mm) / 2
        return transform_points(
            frame, transform_points(invert(frame), points_part).clip(-half, half)
        )


class Sphere(StrictModel):
    """A ball in the part frame."""

    centre_mm: Vector
    """Its centre in the part frame, mm."""
    radius_mm: ExtentMm
    """Its radius, mm."""

    def nearest(self, points_part: Points) -> Points:
        """The point of the ball nearest to each of (N, 3) points, metres; itself when inside."""
        centre = _metres(self.centre_mm)
        nearest: Points = centre + _shortened(points_part - centre, self.radius_mm / 1000.0)
        return nearest


class Cylinder(StrictModel):
    """A solid cylinder in the part frame: the surroundings of a bore, for example."""

    centre_mm: Vector
    """The middle of its axis in the part frame, mm."""
    axis: Vector = (0.0, 0.0, 1.0)
    """Direction of its axis in the part frame; any length but 0."""
    radius_mm: ExtentMm
    """Its radius, mm."""
    length_mm: ExtentMm
    """Its length along the axis, mm."""

    @model_validator(mode='after')
    def _has_axis(self) -> Self:
        _refuse_zero(self.axis, 'axis')
        return self

    def nearest(self, points_part: Points) -> Points:
        """The point of the cylinder nearest to each of (N, 3) points, metres."""
        centre, axis = _metres(self.centre_mm), unit(self.axis)
        offsets = points_part - centre
        along = offsets @ axis
        across = _shortened(offsets - along[:, None] * axis, self.radius_mm / 1000.0)
        half_m = self.length_mm / 2000.0
        nearest: Points = centre + across + along.clip(-half_m, half_m)[:, None] * axis
        return nearest


class Painted(StrictModel):
    """The triangles of one colour: the mesh file (PLY) brings a colour per vertex."""

    rgb: tuple[Level, Level, Level]
    """Red, green, blue, 0 to 255. A triangle belongs to it when all its corners do."""
    tolerance: Level = 8
    """Greatest difference of each channel that still is this colour, levels."""


class Facing(StrictModel):
    """Only the surface that faces a direction."""

    direction: Vector
    """Outward direction in the part frame; any length but 0."""
    max_angle_deg: float = Field(default=45.0, gt=0, le=180)
    """Greatest angle between it and the triangle's normal, degrees."""

    @model_validator(mode='after')
    def _has_direction(self) -> Self:
        _refuse_zero(self.direction, 'direction')
        return self


class Zone(StrictModel):
    """A region of the reference surface: all that any of its entries selects."""

    boxes: tuple[Box, ...] = ()
    """The surface inside these cuboids."""
    spheres: tuple[Sphere, ...] = ()
    """The surface inside these balls."""
    cylinders: tuple[Cylinder, ...] = ()
    """The surface inside these cylinders."""
    faces: tuple[tuple[TriangleIndex, TriangleIndex], ...] = ()
    """Ranges of the mesh file's triangles, [first, last], counted from 0, both inside."""
    painted: tuple[Painted, ...] = ()
    """The triangles of these colours."""
    facing: Facing | None = None
    """Only what faces this direction; alone, of the whole surface."""

    @model_validator(mode='after')
    def _selects_something(self) -> Self:
        if not (self.volumes or self.faces or self.painted or self.facing):
            raise ValueError('give boxes, spheres, cylinders, faces, painted or facing')
        for first, last in self.faces:
            if last < first:
                raise ValueError(f'faces: [{first}, {last}] must be [first, last]')
        return self

    @property
    def volumes(self) -> tuple[Box | Sphere | Cylinder, ...]:
        """Its boxes, spheres and cylinders."""
        return (*self.boxes, *self.spheres, *self.cylinders)


def unit(direction: Vector) -> NDArray[np.float64]:
    """(3,) the direction with length 1."""
    values = np.array(direction)
    scaled: NDArray[np.float64] = values / np.linalg.norm(values)
    return scaled


def _metres(values_mm: Vector) -> NDArray[np.float64]:
    return np.array(values_mm) / 1000.0


def _shortened(vectors: Points, longest_m: float) -> Points:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    shortened: Points = vectors * np.minimum(1.0, longest_m / np.maximum(lengths, 1e-12))
    return shortened


def _refuse_zero(direction: Vector, key: str) -> None:
    if sum(value * value for value in direction) < 1e-12:
        raise ValueError(f'{key} must not be [0, 0, 0]')
