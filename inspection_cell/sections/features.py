"""How `recipe.yaml` names the features that are measured on the registered scan.

Planes are zones of the recipe; a bore is given by its nominal axis. Distances and angles refer to
both by name. Tolerances are deviations from the nominal value, as a drawing writes them.
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from inspection_cell.errors import Problem
from inspection_cell.schema import Name, StrictModel, Vector
from inspection_cell.sections.zones import ExtentMm

SearchMm = Annotated[float, Field(gt=0.0, le=10.0)]
Limits = tuple[float, float]


class GaussianFilter(StrictModel):
    """The linear areal Gaussian filter of ISO 16610-61."""

    kind: Literal['gaussian']
    """Which filter."""
    cutoff_mm: float = Field(gt=0.0, le=100.0)
    """Cutoff wavelength, of which half the amplitude passes, mm."""


class Flatness(StrictModel):
    """Flatness of a zone after ISO 12781: minimum zone of the filtered surface."""

    kind: Literal['flatness']
    """What is measured: how flat a zone is."""
    zone: Name
    """Name of a zone of this recipe; its surface is nominally plane."""
    tolerance_mm: float = Field(gt=0.0)
    """Greatest flatness that is still good, mm."""
    filter: GaussianFilter | Literal['none']
    """What the surface is filtered with before its flatness is taken; there is no default, for
    the value means nothing without it."""
    search_mm: SearchMm = 1.0
    """How far from its nominal plane the surface is looked for, mm."""


class Bore(StrictModel):
    """Diameter, and where limited the position, of a cylindrical bore."""

    kind: Literal['bore']
    """What is measured: a bore."""
    axis_point_mm: Vector
    """Where the measured length begins on the nominal axis, part frame, mm."""
    direction: Vector
    """Along the nominal axis from there on, part frame; any length but 0."""
    diameter_mm: ExtentMm
    """Nominal diameter, mm."""
    depth_mm: ExtentMm
    """Measured length along the axis, mm. Leave chamfers and rims out."""
    tolerance_mm: Limits
    """Smallest and greatest deviation of the diameter from nominal that is still good, mm."""
    position_tolerance_mm: float | None = Field(default=None, gt=0.0)
    """Diameter of the cylinder around the nominal axis that the axis must stay in over the whole
    depth (ISO 1101), mm; measured as `<name>_position`. Default: not measured."""
    search_mm: SearchMm = 1.0
    """How far from its nominal place the wall is looked for, mm; less than half the radius is
    taken on small bores."""

    @model_validator(mode='after')
    def _possible(self) -> Self:
        _check_limits(self.tolerance_mm)
        if sum(value * value for value in self.direction) < 1e-12:
            raise ValueError('direction must not be [0, 0, 0]')
        if self.diameter_mm + self.tolerance_mm[0] <= 0.0:
            raise ValueError('diameter_mm + tolerance_mm[0] must be greater than 0')
        return self


class Distance(StrictModel):
    """Distance between two planes, two bores, or a plane and a bore."""

    kind: Literal['distance']
    """What is measured: a distance."""
    between: tuple[Name, Name]
    """Names of zones (planes) or bores. With a plane: from it, along its normal (the first
    plane's, of two), to the middle of the other zone or bore. Between bores: between the axes."""
    nominal_mm: float = Field(ge=0.0, le=10_000.0)
    """Nominal distance, mm."""
    tolerance_mm: Limits
    """Smallest and greatest deviation from nominal that is still good, mm."""

    @model_validator(mode='after')
    def _possible(self) -> Self:
        _check_limits(self.tolerance_mm)
        _check_pair(self.between)
        return self


class Angle(StrictModel):
    """Angle between two planes, two bores, or a plane and a bore."""

    kind: Literal['angle']
    """What is measured: an angle."""
    between: tuple[Name, Name]
    """Names of zones (planes) or bores. The angle is that between their directions: a plane's
    outward normal, a bore's `direction`. Two faces of a cube's edge are at 90, its top and its
    bottom at 180, a bore into the top is at 180 to the top."""
    nominal_deg: float = Field(ge=0.0, le=180.0)
    """Nominal angle, degrees."""
    tolerance_deg: Limits
    """Smallest and greatest deviation from nominal that is still good, degrees."""

    @model_validator(mode='after')
    def _possible(self) -> Self:
        _check_limits(self.tolerance_deg)
        _check_pair(self.between)
        return self


SurfaceFeature = Annotated[Flatness | Bore | Distance | Angle, Field(discriminator='kind')]


def measured_names(
    features: Mapping[str, Flatness | Bore | Distance | Angle],
) -> tuple[str, ...]:
    """The quantities that are measured; a bore whose position is limited gives two."""
    names: list[str] = []
    for name, feature in features.items():
        names.append(name)
        if isinstance(feature, Bore) and feature.position_tolerance_mm is not None:
            names.append(f'{name}_position')
    return tuple(names)


def feature_problems(
    features: Mapping[str, Flatness | Bore | Distance | Angle],
    zones: Mapping[str, object],
    key: str = 'surface.features',
) -> list[Problem]:
    """Names that features use and the recipe does not know, and names that mean two things."""
    bores = [name for name, feature in features.items() if isinstance(feature, Bore)]
    known_zones = f'a zone of this recipe: {", ".join(zones) or "there is none"}'
    known = f'{known_zones}; or a bore of {key}: {", ".join(bores) or "there is none"}'
    problems: list[Problem] = []
    for name, feature in features.items():
        where = f'{key}.{name}'
        if isinstance(feature, Flatness):
            if feature.zone not in zones:
                problems.append(Problem(f'{where}.zone', feature.zone, known_zones))
        elif isinstance(feature, Bore):
            problems += _bore_problems(where, name, feature, features, zones)
        else:
            problems += [
                Problem(f'{where}.between.{index}', used, known)
                for index, used in enumerate(feature.between)
                if used not in zones and used not in bores
            ]
    return problems


def _bore_problems(
    where: str,
    name: str,
    bore: Bore,
    features: Mapping[str, object],
    zones: Mapping[str, object],
) -> list[Problem]:
    problems: list[Problem] = []
    if name in zones:
        allowed = 'a name that no zone has: distances and angles would not know which is meant'
        problems.append(Problem(where, name, allowed))
    position = f'{name}_position'
    if bore.position_tolerance_mm is not None and position in features:
        allowed = f'another name: the position of {name} is measured as {position}'
        problems.append(Problem(where.removesuffix(name) + position, position, allowed))
    return problems


def _check_limits(limits: Limits) -> None:
    if limits[0] >= limits[1]:
        raise ValueError(f'tolerance [{limits[0]:g}, {limits[1]:g}] must be [smallest, greatest]')


def _check_pair(between: tuple[str, str]) -> None:
    if between[0] == between[1]:
        raise ValueError(f'between: [{between[0]}, {between[1]}] must name two different ones')
