"""The recipe's section `surface`: when a scan counts as this part, and what may deviate."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from inspection_cell.errors import Problem
from inspection_cell.schema import Name, StrictModel
from inspection_cell.sections.features import SurfaceFeature, feature_problems

PositiveMm = Annotated[float, Field(gt=0.0, le=10_000.0)]
ToleranceMm = tuple[float, float]


class Registration(StrictModel):
    """When a scan counts as this part."""

    max_shift_mm: PositiveMm = 8.0
    """Greatest correction of the robot's pose, mm."""
    max_rotation_deg: float = Field(default=8.0, gt=0, le=180)
    """Greatest correction of the robot's pose, degrees."""
    inlier_mm: PositiveMm = 1.0
    """A scan point this near to the reference is explained by it, mm."""
    min_explained: float = Field(default=0.8, ge=0.1, le=1)
    """Share of the scan's points that the reference must explain."""
    max_residual_mm: PositiveMm = 0.3
    """Root mean square distance of the explained points, mm."""


class Surface(StrictModel):
    """Comparison of scans with the reference."""

    tolerance_mm: ToleranceMm
    """Lower and upper limit of the signed deviation, mm (positive: too much material)."""
    zone_tolerances_mm: dict[Name, ToleranceMm] = Field(default={})
    """Limits of zones that have their own, mm; where zones overlap the first named rules."""
    masks: tuple[Name, ...] = ()
    """Zones where deviations are shown and recorded, but not judged: clamp marks."""
    golden: str | None = None
    """golden.npz that `learn-reference` wrote, relative to the recipe's folder: the
    limits follow the usual deviation and are never tighter than good parts vary."""
    golden_sigmas: float = Field(default=3.0, gt=0.0, le=10.0)
    """With `golden`: by how many standard deviations a good part may differ from the mean."""
    min_area_mm2: float = Field(default=1.0, gt=0)
    """Regions smaller than this are no findings, mm²."""
    systematic_mm: float = Field(default=0.0, ge=0.0, le=100.0)
    """Expanded uncertainty (k = 2) of the scanner that averaging does not lower, mm: from its
    calibration. The noise is estimated from every scan and comes on top."""
    features: dict[Name, SurfaceFeature] = Field(default={})
    """Bores, planes, distances and angles that are measured, by name."""
    together: tuple[Name, ...] = ()
    """Scanners whose scans of one part, of all presentations, are registered together and judged
    as one surface; empty: each scan by itself."""
    crop_mm: PositiveMm = 20.0
    """Scan points farther than this from the reference at the robot's pose do not count, mm."""
    viewpoint: Literal['origin', 'unknown'] = 'origin'
    """Where the scanner stands in the frame of its points. `unknown`: for range images that are
    kept in another frame. Nobody can tell then what a point lies behind, and a dent that reaches
    nearly through a thin wall may be taken for the wall's other side."""
    registration: Registration = Registration()
    """When a scan counts as this part."""

    @model_validator(mode='after')
    def _ordered(self) -> Self:
        tolerances = {'tolerance_mm': self.tolerance_mm}
        tolerances |= {f'zone_tolerances_mm.{k}': v for k, v in self.zone_tolerances_mm.items()}
        for key, (low, high) in tolerances.items():
            if not low < 0 < high:
                raise ValueError(f'{key} must be [negative, positive]')
            if self.systematic_mm > 0.75 * min(-low, high):
                least = self.systematic_mm / 0.75
                raise ValueError(
                    f'{key} must reach {least:.3g} mm to both sides: systematic_mm is '
                    f'{self.systematic_mm:g}, so that nothing could be proven within it'
                )
        return self


def surface_problems(surface: Surface | None, zones: dict[str, object]) -> list[Problem]:
    """Names of zones that the recipe does not have."""
    if surface is None:
        return []
    allowed = f'a zone of the recipe: {", ".join(zones) or "there is none"}'
    named = [(f'surface.zone_tolerances_mm.{name}', name) for name in surface.zone_tolerances_mm]
    named += [('surface.masks', name) for name in surface.masks]
    problems = [Problem(key, name, allowed) for key, name in named if name not in zones]
    return problems + feature_problems(surface.features, zones)
