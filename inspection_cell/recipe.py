"""`recipe.yaml`: one part type: reference, presentations, what to look for, what is allowed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from inspection_cell.cell import Camera, Cell, ProcessSensor, Scanner
from inspection_cell.errors import ConfigError, Problem
from inspection_cell.observations import ViewKey, joint_key
from inspection_cell.schema import Name, Pose, StrictModel, load_yaml
from inspection_cell.sections.coverage import CoverageDemand, coverage_problems
from inspection_cell.sections.decision import SURFACE_KINDS, DecisionLimits, rule_problems
from inspection_cell.sections.detection import Detection, Silhouette
from inspection_cell.sections.fusion import Fusion
from inspection_cell.sections.masks import where_problems
from inspection_cell.sections.process import ProcessLimits
from inspection_cell.sections.surface import Surface, surface_problems
from inspection_cell.sections.zones import Zone


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
    sensor_poses: dict[Name, Pose] = Field(default={})
    """Where sensors that move (`from_tf` in the cell) are meant to be in this presentation, for
    the simulator, previews and the size of the detector's window; default: their `nominal`."""

    @model_validator(mode='after')
    def _each_once(self) -> Self:
        twice = sorted({name for name in self.sensors if self.sensors.count(name) > 1})
        if twice:
            raise ValueError(f'sensors: {", ".join(twice)}: each looks once at a presentation')
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

    @property
    def joint_scans(self) -> tuple[ViewKey, ...]:
        """The views whose scans are judged as one surface, in the order of the presentations."""
        scanners = self.surface.together if self.surface else ()
        return tuple(
            ViewKey(name, sensor)
            for name, presentation in self.presentations.items()
            for sensor in presentation.sensors
            if sensor in scanners
        )

    @property
    def joint_view(self) -> ViewKey | None:
        """What these scans say together is a view of its own: `scanner at top+tilted`."""
        scans = self.joint_scans
        return joint_key(scans) if scans else None

    @model_validator(mode='after')
    def _reference_where_needed(self) -> Self:
        if self.reference == 'none' and (self.surface or self.silhouette or self.coverage.minimum):
            raise ValueError('surface, silhouette and coverage need a reference mesh')
        features = self.detection.features if self.detection else ()
        if self.reference == 'none' and any(feature.positions_mm for feature in features):
            raise ValueError('detection.features: positions_mm need a reference mesh; give count')
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
    problems = _zone_problems(file) + _rule_problems(file)
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
    problems += _joint_problems(recipe, cell) + _moved_problems(recipe, cell)
    problems += _shot_problems(recipe, cell)
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


def check_coverable(recipe: Recipe, cell: Cell) -> None:
    """Raise ConfigError where more views are demanded than sensors of that kind ever give.

    Such a cell runs and previews, and never accepts.
    """
    file = recipe.file
    kinds = {
        'any': {*cell.cameras, *cell.scanners},
        'camera': set(cell.cameras),
        'scanner': set(cell.scanners),
    }
    joined = max(len(file.joint_scans) - 1, 0)  # what is judged together is one view
    problems = []
    keys = {'': 'coverage'} | {zone: f'coverage.zones.{zone}' for zone in file.coverage.zones}
    for zone, key in keys.items():
        by, least = file.coverage.of_zone(zone)
        views = sum(
            name in kinds[by] for held in file.presentations.values() for name in held.sensors
        ) - (0 if by == 'camera' else joined)
        minimum = file.coverage.zones[zone].minimum if zone else file.coverage.minimum
        if minimum and least > views:
            allowed = f'at most {views}: so many views of the kind {by!r} has {cell.path.name}'
            problems.append(Problem(f'{key}.min_views', str(least), allowed))
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


def _shot_problems(recipe: Recipe, cell: Cell) -> list[Problem]:
    """Shots that no camera takes, and what a camera that looks would never look for."""
    detection = recipe.file.detection
    if detection is None or not detection.shots:
        return []
    looking = {name for held in recipe.file.presentations.values() for name in held.sensors}
    sequences = {n: c.shots for n, c in cell.cameras.items() if n in looking and c.shots}
    taken = {shot for shots in sequences.values() for shot in shots}
    known = f'a shot of a camera that looks: {", ".join(sorted(taken)) or "there is none"}'
    problems = [
        Problem('detection.shots', shot, known) for shot in detection.shots if shot not in taken
    ]
    for camera, shots in sequences.items():
        looks = [detection.look(shot) for shot in shots]
        for label in dict.fromkeys([*detection.classes, *(f.label for f in detection.features)]):
            if all(look.labels is not None and label not in look.labels for look in looks):
                allowed = f'each class and feature is looked for in at least one shot of {camera}'
                problems.append(Problem('detection.shots', label, allowed))
        problems += _blind_proofs(detection, camera, tuple(shots))
    return problems


def _blind_proofs(detection: Detection, camera: str, shots: tuple[str, ...]) -> list[Problem]:
    """Features that a shot which is to prove presence by them does not look for."""
    allowed = f'the features: {camera} proves presence in this shot'
    return [
        Problem(f'detection.shots.{shot}.labels', f'without {feature.label}', allowed)
        for shot in detection.proving(shots)
        for feature in detection.features
        if (labels := detection.look(shot).labels) is not None and feature.label not in labels
    ]


def _joint_problems(recipe: Recipe, cell: Cell) -> list[Problem]:
    known = f'a scanner of {cell.path.name}: {", ".join(cell.scanners) or "there is none"}'
    named = recipe.file.surface.together if recipe.file.surface else ()
    return [
        Problem('surface.together', name, known) for name in named if name not in cell.scanners
    ]


def _together_problems(file: RecipeFile) -> list[Problem]:
    """Scanners that do not look, and nothing to be joined."""
    named = file.surface.together if file.surface else ()
    looking = {name for held in file.presentations.values() for name in held.sensors}
    absent = [name for name in named if name not in looking]
    if not absent and (not named or len({view.presentation for view in file.joint_scans}) > 1):
        return []
    allowed = 'scanners that the presentations name, which look in at least two of them together'
    return [Problem('surface.together', ', '.join(absent or named), allowed)]


def _moved_problems(recipe: Recipe, cell: Cell) -> list[Problem]:
    """Poses of sensors that do not move, or do not look."""
    moved = {name for name, sensor in cell.posed_sensors.items() if sensor.from_tf}
    known = f'a sensor with from_tf in {cell.path.name} that looks here'
    return [
        Problem(f'presentations.{name}.sensor_poses', sensor, known)
        for name, held in recipe.file.presentations.items()
        for sensor in held.sensor_poses
        if sensor not in moved or sensor not in held.sensors
    ]


def _zone_problems(file: RecipeFile) -> list[Problem]:
    problems = []
    if file.zones and file.reference == 'none':
        problems.append(Problem('zones', ', '.join(file.zones), 'only with a reference mesh'))
    problems += surface_problems(file.surface, dict(file.zones)) + _together_problems(file)
    views = sum(len(held.sensors) for held in file.presentations.values())
    views -= max(len(file.joint_scans) - 1, 0)  # what is judged together is one view
    problems += coverage_problems(file.coverage, file.zones, views)
    problems += [
        Problem('fusion.one_defect', name, f'a zone: {", ".join(file.zones) or "there is none"}')
        for name in file.fusion.one_defect
        if name not in file.zones
    ]
    if file.detection is None:
        return problems
    sensors = {name for held in file.presentations.values() for name in held.sensors}
    absent = {f'missing_{feature.label}' for feature in file.detection.features}
    labels = [label for label in file.detection.classes if label not in absent]
    known = (file.zones, labels, sorted(sensors))
    problems += where_problems('detection.masks', file.detection.masks, *known)
    problems += where_problems('detection.regions', file.detection.regions, *known)
    return problems


def _rule_problems(file: RecipeFile) -> list[Problem]:
    labels = [*(file.detection.classes if file.detection else ())]
    labels += SURFACE_KINDS if file.surface else ()
    measured = file.reference != 'none'
    return rule_problems(file.decision, file.zones, labels, measured=measured)


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
