"""`recipe.yaml`: one part type: reference, presentations, what to look for, what is allowed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from inspection_cell.cell import Camera, Cell, ProcessSensor, Scanner, Seconds
from inspection_cell.errors import ConfigError, Problem
from inspection_cell.mask_file import Mask, Region, where_problems
from inspection_cell.schema import Name, Pose, Share, StrictModel, load_yaml
from inspection_cell.surface_file import PositiveMm, Surface, surface_problems
from inspection_cell.zone_file import Zone


class Reference(StrictModel):
    """The part's nominal shape."""

    mesh: str
    """Mesh file (ply, stl, obj), relative to the recipe's folder."""
    units: Literal['mm', 'm']
    """Unit of the mesh's coordinates."""


class Presentation(StrictModel):
    """One pose in which the robot holds the part."""

    pose: Pose
    """`transform_part_to_cell`: depends on part and grasp."""
    sensors: tuple[Name, ...] = Field(min_length=1)
    """Which sensors of the cell look at the part in this pose."""


class Feature(StrictModel):
    """Something that a good part shows, found by the detector: proof of presence."""

    label: str
    """Class of the detector."""
    positions_mm: tuple[tuple[float, float, float], ...] = ()
    """Where the features are on the part, part frame, mm; those visible in a view are expected."""
    count: int | None = Field(default=None, ge=1)
    """How many each view must show; only where there are no positions (`reference: none`)."""
    gate_mm: PositiveMm = 4.0
    """Greatest distance of a detection from its expected position, mm on the part."""
    min_score: Share = 0.4
    """Detections below do not count."""

    @model_validator(mode='after')
    def _positions_or_count(self) -> Self:
        if bool(self.positions_mm) == (self.count is not None):
            raise ValueError('give either positions_mm or count')
        return self


class ClassLimit(StrictModel):
    """What is allowed of one class of the detector."""

    min_score: Share = 0.4
    """Detections below are not findings."""
    max_length_mm: float = Field(default=0.0, ge=0)
    """Longest extent that is still good, mm; 0: none is good. Ignored without a reference mesh."""
    view_miss_rate: Share = 0.2
    """Share of visible defects of this class that one view misses; for the fused probability."""


class Slicing(StrictModel):
    """Small defects in large images: the detector looks at overlapping tiles."""

    tile_px: int = Field(ge=64, le=8192)
    """Side of a tile, pixels of the image; `image_size` then is what a tile is scaled to."""
    overlap_px: int = Field(ge=8, le=4096)
    """By which neighbours overlap at least, pixels: more than the size of small defects."""
    sensors: tuple[Name, ...] | None = None
    """Cameras whose images are sliced; default: all."""
    labels: tuple[str, ...] | None = None
    """Classes that come from the tiles, the others come from the whole image; default: all."""

    @model_validator(mode='after')
    def _overlap_within_tile(self) -> Self:
        if 2 * self.overlap_px > self.tile_px:
            raise ValueError('overlap_px must be at most half of tile_px')
        return self


class Detection(StrictModel):
    """The detector and its classes."""

    model: str
    """Model folder, relative to the recipe's folder or to the data folder's models."""
    image_size: int | None = Field(default=None, ge=32, le=8192)
    """Longest side that the network sees, pixels; default: the image's own."""
    classes: dict[str, ClassLimit] = Field(default={})
    """Defect classes and what is allowed of them."""
    features: tuple[Feature, ...] = ()
    """Expected features."""
    masks: tuple[Mask, ...] = ()
    """Where on the part findings are shown and recorded, but not judged."""
    regions: tuple[Region, ...] = ()
    """Where alone on the part findings are judged; none: everywhere."""
    ignore: tuple[str, ...] = ()
    """Classes of the model that mean nothing for this part. A class of the model that is named
    nowhere is refused: its findings would be lost without a word."""
    slicing: Slicing | None = None
    """Detection on tiles; none: on whole images."""

    @model_validator(mode='after')
    def _ignored_nowhere_else(self) -> Self:
        used = {*self.classes, *(feature.label for feature in self.features)}
        for label in self.ignore:
            if label in used:
                raise ValueError(f'ignore: {label!r} is a class or feature too')
        for label in (self.slicing and self.slicing.labels) or ():
            if label not in used:
                raise ValueError(f'slicing.labels: {label!r} is no class or feature')
        return self


class Silhouette(StrictModel):
    """Agreement of the image's foreground with the rendered reference as proof of presence."""

    min_iou: Share = 0.85
    """Intersection over union that proves presence."""
    background: Literal['dark', 'bright'] = 'dark'
    """How the background looks beside the part."""


class MeasureLimit(StrictModel):
    """What is allowed of one quantity of a recording."""

    measure: Literal['peak', 'rms', 'minimum', 'maximum', 'mean', 'band_rms']
    """`peak` is the greatest absolute value, `rms` the root mean square, `band_rms` that of the
    frequencies in `band_hz` alone."""
    band_hz: tuple[float, float] | None = None
    """Lowest and highest frequency of `band_rms`, Hz; both are inside."""
    low: float | None = None
    """Smallest value that is still good, in the section's unit; also what a dead sensor would
    not reach."""
    high: float | None = None
    """Greatest value that is still good, in the section's unit."""

    @model_validator(mode='after')
    def _consistent(self) -> Self:
        if (self.measure == 'band_rms') != (self.band_hz is not None):
            raise ValueError('band_hz is required for band_rms and for no other measure')
        if self.band_hz is not None and not 0.0 <= self.band_hz[0] < self.band_hz[1]:
            raise ValueError('band_hz must be [lowest, highest], at least 0')
        if self.low is None and self.high is None:
            raise ValueError('give low, high or both')
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError('low must not exceed high')
        return self


class ProcessLimits(StrictModel):
    """What is allowed of the recordings of one process sensor."""

    unit: str = Field(min_length=1, max_length=20)
    """Unit of the limits: that of the sensor."""
    min_duration_s: Seconds
    """Shortest recording that is judged, s."""
    limits: tuple[MeasureLimit, ...] = Field(min_length=1)
    """The quantities; one beyond its limits rejects the part."""


class CoverageDemand(StrictModel):
    """How much must have been seen."""

    minimum: Share = 0.0
    """Share of the reference surface that valid views must have seen."""
    max_incidence_deg: float = Field(default=75.0, gt=0, lt=90)
    """A surface element counts as seen up to this angle between normal and line of sight."""
    by: Literal['any', 'scanner', 'camera'] = 'any'
    """Which sensors' views count."""


class Fusion(StrictModel):
    """How findings of several views become defects."""

    merge_mm: PositiveMm = 6.0
    """Findings of one physical defect lie this near to each other on the surface, mm."""


class DecisionLimits(StrictModel):
    """Probability limits for a defect."""

    reject_probability: Share = 0.5
    """A defect at least this probable, beyond its class's limit, means REJECT."""
    review_probability: Share = 0.3
    """A defect at least this probable, beyond its class's limit, means REVIEW."""

    @model_validator(mode='after')
    def _ordered(self) -> Self:
        if self.review_probability > self.reject_probability:
            raise ValueError('review_probability must not exceed reject_probability')
        return self


class RecipeFile(StrictModel):
    """The content of `recipe.yaml`."""

    format: Literal[1]
    """Version of this file format."""
    part_type: Name
    """Name of the part type."""
    reference: Reference | Literal['none']
    """The nominal shape; `none`: judged by view, without positions."""
    zones: dict[Name, Zone] = Field(default={})
    """Named regions of the reference surface, for masks and regions of interest."""
    presentations: dict[Name, Presentation] = Field(min_length=1)
    """The poses by name, in the order in which the robot takes them."""
    detection: Detection | None = None
    """For the cameras."""
    surface: Surface | None = None
    """For the scanners."""
    silhouette: Silhouette | None = None
    """Presence by outline, for cameras."""
    process: dict[Name, ProcessLimits] = Field(default={})
    """For the process sensors, by name."""
    coverage: CoverageDemand = CoverageDemand()
    """How much must have been seen."""
    fusion: Fusion = Fusion()
    """How findings become defects."""
    decision: DecisionLimits = DecisionLimits()
    """How probable a defect must be."""

    @model_validator(mode='after')
    def _reference_where_needed(self) -> Self:
        if self.reference == 'none' and (self.surface or self.silhouette or self.coverage.minimum):
            raise ValueError('surface, silhouette and coverage need a reference mesh')
        return self


@dataclass(frozen=True, slots=True)
class Recipe:
    """A checked `recipe.yaml` with where it came from."""

    path: Path
    sha256: str
    file: RecipeFile

    @property
    def part_type(self) -> str:
        """Name of the part type."""
        return self.file.part_type

    @property
    def mesh_path(self) -> Path | None:
        """The reference mesh, or None for `reference: none`."""
        if isinstance(self.file.reference, Reference):
            return self.path.parent / self.file.reference.mesh
        return None


def load_recipe(path: Path) -> Recipe:
    """Read and check a `recipe.yaml`; raises ConfigError with every problem."""
    file, sha256 = load_yaml(path, RecipeFile)
    recipe = Recipe(path.resolve(), sha256, file)
    problems = _zone_problems(file)
    mesh = recipe.mesh_path
    if mesh is not None and not mesh.is_file():
        problems.append(Problem('reference.mesh', str(mesh), 'an existing mesh file'))
    learned = file.surface and file.surface.golden
    if learned and not (recipe.path.parent / learned).is_file():
        problems.append(Problem('surface.golden', learned, 'a file that learn-reference wrote'))
    if problems:
        raise ConfigError(path, problems)
    return recipe


def check_fit(recipe: Recipe, cell: Cell) -> None:
    """Raise ConfigError with every point in which the recipe does not fit the cell."""
    problems = _process_problems(recipe, cell) + _slicing_problems(recipe, cell)
    for name, presentation in recipe.file.presentations.items():
        for sensor in presentation.sensors:
            key = f'presentations.{name}.sensors'
            kind = cell.sensors.get(sensor)
            if kind is None:
                known = ', '.join(cell.sensors)
                problems.append(Problem(key, sensor, f'a sensor of {cell.path.name}: {known}'))
            elif isinstance(kind, Camera) and recipe.file.detection is None:
                problems.append(Problem(key, sensor, 'a camera needs the section `detection`'))
            elif isinstance(kind, Scanner) and recipe.file.surface is None:
                problems.append(Problem(key, sensor, 'a scanner needs the section `surface`'))
            elif isinstance(kind, ProcessSensor) and sensor not in recipe.file.process:
                problems.append(Problem(key, sensor, f'it needs the section `process.{sensor}`'))
    if problems:
        raise ConfigError(recipe.path, problems)


def _slicing_problems(recipe: Recipe, cell: Cell) -> list[Problem]:
    slicing = recipe.file.detection and recipe.file.detection.slicing
    known = f'a camera of {cell.path.name}: {", ".join(cell.cameras) or "there is none"}'
    return [
        Problem('detection.slicing.sensors', sensor, known)
        for sensor in (slicing and slicing.sensors) or ()
        if sensor not in cell.cameras
    ]


def _zone_problems(file: RecipeFile) -> list[Problem]:
    problems = []
    if file.zones and file.reference == 'none':
        problems.append(Problem('zones', ', '.join(file.zones), 'only with a reference mesh'))
    problems += surface_problems(file.surface, dict(file.zones))
    if file.detection is None:
        return problems
    sensors = {name for held in file.presentations.values() for name in held.sensors}
    absent = {f'missing_{feature.label}' for feature in file.detection.features}
    labels = [label for label in file.detection.classes if label not in absent]
    known = (file.zones, labels, sorted(sensors))
    problems += where_problems('detection.masks', file.detection.masks, *known)
    problems += where_problems('detection.regions', file.detection.regions, *known)
    return problems


def _process_problems(recipe: Recipe, cell: Cell) -> list[Problem]:
    problems = []
    for name, limits in recipe.file.process.items():
        sensor = cell.process_sensors.get(name)
        key = f'process.{name}'
        if sensor is None:
            known = ', '.join(cell.process_sensors) or 'there is none'
            problems.append(Problem(key, name, f'a process sensor of {cell.path.name}: {known}'))
        elif sensor.unit != limits.unit:
            problems.append(Problem(f'{key}.unit', limits.unit, f'unit of {name}: {sensor.unit}'))
        elif limits.min_duration_s >= sensor.deadline_s:
            allowed = f'less than the deadline_s of {name}: {sensor.deadline_s:g}'
            problems.append(
                Problem(f'{key}.min_duration_s', f'{limits.min_duration_s:g}', allowed)
            )
    return problems
