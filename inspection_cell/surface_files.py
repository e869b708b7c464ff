"""Inspection of a scan file against a mesh file, without a cell: `inspection_cell surface`."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
import open3d as o3d
from numpy.typing import NDArray
from pydantic import ValidationError

from inspection_cell.cell import Cell, CellFile, Scanner
from inspection_cell.errors import DataError
from inspection_cell.findings import Decision, Defect, Verdict, ViewFindings
from inspection_cell.fusion.fuse import fuse
from inspection_cell.geometry import Transform, invert
from inspection_cell.locations import cache_folder, user_data_folder
from inspection_cell.observations import Observation, Scan, ViewKey
from inspection_cell.recipe import Presentation, Recipe, RecipeFile, Reference, load_recipe
from inspection_cell.reference import METRES_PER_UNIT, ReferenceMesh, load_mesh
from inspection_cell.schema import Pose
from inspection_cell.sections.surface import Registration, Surface
from inspection_cell.stored_parts import read_pose, read_scan
from inspection_cell.surface.alignment import Aligned, Cloud, align, not_aligned
from inspection_cell.surface.comparison import examine
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.features.measure import FeatureMeter
from inspection_cell.surface.features.measured import Measured
from inspection_cell.surface.global_search import search_pose
from inspection_cell.surface.golden import recipe_limits
from inspection_cell.surface.limits import Limits
from inspection_cell.surface.registration import Registered
from inspection_cell.surface.symmetry_note import symmetry_note
from inspection_cell.verdict import judge
from inspection_cell.views.surface_findings import view_findings
from inspection_cell.zones import SurfaceZone, resolve_zones

Units = Literal['mm', 'm']
JUDGED_BY = ('zones', 'coverage', 'fusion', 'decision')  # sections, beside `surface`
DEFAULT_TOLERANCE_MM = (-0.5, 0.5)
MESH_SUFFIXES = ('.stl', '.obj')
SUFFIXES = ('.ply', '.pcd', *MESH_SUFFIXES)
SPARSE_MESH = 20_000  # a scan stored as a mesh with fewer corners is sampled on its surface
EVERYTHING_MM = 10_000.0
LARGEST_M = 10.0  # of a part, across
VIEW = ViewKey('file', 'scan')


@dataclass(frozen=True, slots=True)
class SurfaceResult:
    """What `inspection_cell surface` says.

    Attributes:
        transform_scan_to_part: metres.
        points: of the scan.
        points_part: (N, 3) those compared, part frame, metres.
        deviation_mm: (N,) signed, positive outside the material.
        coverage: share of the reference's surface that the scan shows.
        zones: of the recipe.
        measured: the recipe's features.
        limits: of deviations by place; None: `tolerance_mm` everywhere.
    """

    reference: ReferenceMesh
    verdict: Verdict
    registered: Registered
    points: int
    points_part: NDArray[np.floating]
    deviation_mm: NDArray[np.floating]
    tolerance_mm: tuple[float, float]
    coverage: float
    seconds: float
    zones: Mapping[str, SurfaceZone] = field(default_factory=dict)
    measured: tuple[Measured, ...] = ()
    limits: Limits | None = None

    @property
    def decision(self) -> Decision:
        """By the rules of the cell."""
        return self.verdict.decision

    @property
    def defects(self) -> tuple[Defect, ...]:
        """Merged regions outside the tolerance."""
        return self.verdict.defects

    def as_json(self) -> dict[str, object]:
        """The fields of `surface --json`; p50, p95 and p99 are of the deviations' magnitudes."""
        return {
            'registered': self.registered.ok,
            'reason': self.registered.reason,
            'note': self.registered.note,
            'transform': self.registered.transform_scan_to_part.tolist(),
            'points': self.points,
            'coverage': round(self.coverage, 4),
            'deviation_mm': _spread(self.deviation_mm),
            'defects': [_defect(defect) for defect in self.defects],
            'measurements': [_measurement(one) for one in self.measured],
            'decision': self.decision.name,
            'reasons': [reason.text for reason in self.verdict.reasons],
            'seconds': round(self.seconds, 3),
        }


def inspect_files(
    reference: Path,
    scans: Path | Sequence[Path],
    units: Units,
    tolerance_mm: tuple[float, float] | None = None,
    initial_poses: Sequence[Path] = (),
    recipe: Path | None = None,
    seed: int = 0,
) -> SurfaceResult:
    """Compare one scan, or several of one part together, with a mesh and decide.

    Args:
        reference: mesh file (ply, stl, obj) in `units`.
        scans: cloud or mesh files (ply, pcd, stl, obj) in `units`; without poses in one frame.
        units: of all files.
        tolerance_mm: lower and upper limit; default the recipe's, else ±0.5 mm.
        initial_poses: files with `transform_scan_to_part`, 4 x 4, metres, one for each scan; none:
            it is searched.
        recipe: limits, features and coverage demanded; without one no coverage is demanded.
        seed: of the search.

    Raises:
        DataError: for files that cannot be read.
        ConfigError: for a recipe with problems.
    """
    begin = time.perf_counter()
    files = [scans] if isinstance(scans, Path) else list(scans)
    if initial_poses and len(initial_poses) != len(files):
        raise DataError(f'expected {len(files)} initial poses, one for each scan, or none')
    mesh = load_mesh(reference, units)
    clouds = [load_points(scan, units) for scan in files]
    poses = [read_pose(pose) for pose in initial_poses]
    known = _recipe(reference, mesh, units, tolerance_mm, recipe, bool(poses))
    surface = known.file.surface
    assert surface is not None
    zones = resolve_zones(known, mesh)
    field = DeviationField(mesh, cache_folder(user_data_folder()))
    aligned = _aligned(clouds, poses, field, surface, seed)
    limits = recipe_limits(known, mesh, zones)
    compared = examine(aligned, field, limits)
    measured = FeatureMeter(surface.features, zones, mesh, surface.systematic_mm).of(aligned)
    pose = aligned.registered.transform_scan_to_part
    observation = Observation('file', VIEW, 0, Scan(clouds[0]), invert(pose), np.eye(4))
    view = view_findings(observation, compared, surface, mesh, measured=measured)
    verdict = _judged(known, mesh, view, files[0].stem)
    return SurfaceResult(
        reference=mesh,
        verdict=verdict,
        registered=aligned.registered,
        points=sum(len(points) for points in clouds),
        points_part=aligned.deviations.points,
        deviation_mm=aligned.deviations.signed_mm,
        tolerance_mm=surface.tolerance_mm,
        coverage=float(compared.seen.mean()),
        seconds=time.perf_counter() - begin,
        zones=zones,
        measured=measured,
        limits=limits,
    )


def _judged(recipe: Recipe, mesh: ReferenceMesh, view: ViewFindings, name: str) -> Verdict:
    return judge(
        recipe,
        fuse(recipe, _cell(), mesh, [view]),
        [view],
        inspection_id='file',
        part_id=name,
        stamp_ns=0,
        cell_hash='',
        reference=mesh,
    )


def load_points(path: Path, units: Units) -> NDArray[np.float32]:
    """Read the points (N, 3) of a scan file, metres; raises DataError for none."""
    suffix = path.suffix.lower()
    if not path.is_file() or suffix not in SUFFIXES:
        raise DataError(f'{path}: expected a scan file ({", ".join(SUFFIXES)}), there is none')
    if suffix not in MESH_SUFFIXES:
        return read_scan(path, units).points
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        mesh = o3d.io.read_triangle_mesh(str(path))
    points = np.unique(np.asarray(mesh.vertices), axis=0)
    if len(points) < SPARSE_MESH and len(mesh.triangles):
        o3d.utility.random.seed(0)
        points = np.asarray(mesh.sample_points_uniformly(100_000).points)
    if len(points) == 0:
        raise DataError(f'{path}: expected a mesh with points, found none')
    return (points * METRES_PER_UNIT[units]).astype(np.float32)


def _aligned(
    clouds: Sequence[NDArray[np.float32]],
    poses: Sequence[Transform],
    field: DeviationField,
    surface: Surface,
    seed: int,
) -> Aligned:
    """All scans on the reference; searched as one cloud where no pose is given."""
    together = np.concatenate(clouds)
    if poses:
        placed = [Cloud(points, pose) for points, pose in zip(clouds, poses, strict=True)]
        note = symmetry_note(field, cache_folder(user_data_folder()))
        return _noted(align(placed, field, surface), note)
    found = search_pose(together, field, surface.registration.inlier_mm, seed)
    start = found.transform_scan_to_part
    if found.reason:
        refused = Registered(start, explained=found.explained, reason=found.reason)
        return not_aligned(field, refused)
    aligned = align([Cloud(points, start) for points in clouds], field, surface)
    return _noted(aligned, found.note)


def _noted(aligned: Aligned, note: str) -> Aligned:
    return replace(aligned, registered=aligned.registered.noted(note))


def _recipe(
    path: Path,
    mesh: ReferenceMesh,
    units: Units,
    tolerance_mm: tuple[float, float] | None,
    recipe: Path | None,
    pose_known: bool,
) -> Recipe:
    """The given or the default limits, for one view of one scanner."""
    given = None if recipe is None else load_recipe(recipe)
    if given is not None and given.file.surface is None:
        raise DataError(f'{recipe}: expected the section `surface`, there is none')
    if mesh.diagonal_m > LARGEST_M:
        raise DataError(
            f'{path}: measures {mesh.diagonal_m:.4g} m in {units}: expected a part of at most '
            f'{LARGEST_M:g} m; --units says otherwise'
        )
    crop_mm = 0.1 * mesh.diagonal_m * 1e3
    free = Registration(max_shift_mm=crop_mm, max_rotation_deg=15.0)
    limits = given.file.surface if given is not None else None
    surface = limits or Surface(
        tolerance_mm=DEFAULT_TOLERANCE_MM, crop_mm=crop_mm, registration=free
    )
    changes: dict[str, object] = {'together': ()}  # the files are one view
    if not pose_known:
        changes['crop_mm'] = EVERYTHING_MM
    if tolerance_mm is not None:
        changes['tolerance_mm'] = tolerance_mm
    try:
        surface = Surface.model_validate(surface.model_dump() | changes)
    except ValidationError as error:
        told = '; '.join(str(one['msg']).removeprefix('Value error, ') for one in error.errors())
        raise DataError(f'limits {tolerance_mm}: {told}') from error
    file = RecipeFile(
        format=1,
        part_type=given.part_type if given is not None else 'part',
        reference=Reference(mesh=path.name, units=units),
        presentations={VIEW.presentation: Presentation(pose=_here(), sensors=(VIEW.sensor,))},
        surface=surface,
        **({} if given is None else {name: getattr(given.file, name) for name in JUDGED_BY}),
    )
    return Recipe(path if recipe is None else recipe, given.sha256 if given else '', file)


def _cell() -> Cell:
    scanner = Scanner(kind='scanner', topic='scan', pose=_here())
    file = CellFile(format=1, name='files', sensors={VIEW.sensor: scanner})
    return Cell(Path('files'), '', file)


def _here() -> Pose:
    return Pose(position_mm=(0.0, 0.0, 0.0), rpy_deg=(0.0, 0.0, 0.0))


def _spread(deviation_mm: NDArray[np.floating]) -> dict[str, float] | None:
    if len(deviation_mm) == 0:
        return None
    p50, p95, p99 = np.percentile(np.abs(deviation_mm), [50, 95, 99])
    values = {'p50': p50, 'p95': p95, 'p99': p99}
    values |= {'min': deviation_mm.min(), 'max': deviation_mm.max()}
    return {name: round(float(value), 4) for name, value in values.items()}


def _measurement(measured: Measured) -> dict[str, object]:
    if measured.reason:
        return {'name': measured.name, 'reason': measured.reason}
    return {
        'name': measured.name,
        'value': round(measured.value, 5),
        'uncertainty': round(measured.uncertainty, 5),
        'unit': measured.unit,
        'limits': [measured.low, measured.high],
        'conformity': measured.conformity.name.lower(),
    }


def _defect(defect: Defect) -> dict[str, object]:
    position = None if defect.position_m is None else (defect.position_m * 1e3).round(2).tolist()
    return {
        'kind': defect.label,
        'position_mm': position,
        'area_mm2': round(defect.area_mm2, 2),
        'peak_mm': round(defect.peak_mm, 3),
    }
