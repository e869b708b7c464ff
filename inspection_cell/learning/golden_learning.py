"""Learning from scans of good parts: one mesh, and how good parts deviate from it.

All scans are registered to one of them, a mesh is made of what most of them show, its vertices are
moved to the mean, and all are registered again and measured.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.geometry import Points, Transform, transform_points
from inspection_cell.learning.golden_mesh import (
    ROUGH_POINTS,
    ExactField,
    mesh_of_scans,
    spacing_m,
    vertex_normals,
)
from inspection_cell.learning.golden_scans import FEWEST_SCANS, GoodScan
from inspection_cell.learning.golden_statistics import (
    BLUR,
    LeftOut,
    leave_one_out,
    mean_and_sigma_mm,
    vertex_deviations_mm,
)
from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.surface import Registration
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.global_search import search_pose
from inspection_cell.surface.golden import SIGMAS
from inspection_cell.surface.registration import register

SAME_PART = Registration(max_shift_mm=20.0, max_rotation_deg=15.0)
MIN_OVERLAP = 0.6  # share of the learned surface that every scan must show
_TURNS = 3  # of registering, measuring, and moving the mesh to the mean
_BASES = 3  # scans tried as the one that the others are registered to

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class LearningPlan:
    """How a reference is learned.

    Attributes:
        tolerance_mm: limits that each scan is judged by when it is left out.
        sigmas: multiple of the spread between good parts that is allowed.
        registration: when a scan counts as the same part.
        crop_mm: points farther than this from the first mesh are surroundings.
        transform_scan_to_part: where the part frame lies; the scans' own frame by default.
        share: of the scans must show a place of the surface.
        seed: of the search for poses.
        sensor: (3,) where the scanner stood, scan frame, metres; None: not at one place.
        search: scans that do not register where they should lie are searched everywhere.
    """

    tolerance_mm: tuple[float, float] = (-0.5, 0.5)
    sigmas: float = SIGMAS
    registration: Registration = SAME_PART
    crop_mm: float = 20.0
    transform_scan_to_part: Transform | None = None
    share: float = 0.5
    seed: int = 0
    sensor: Points | None = None
    search: bool = False

    @property
    def start(self) -> Transform:
        """`transform_scan_to_part` to start from."""
        return np.eye(4) if self.transform_scan_to_part is None else self.transform_scan_to_part

    @property
    def sensor_part(self) -> Points | None:
        """(3,) where the scanner stood, part frame, metres; None: not known."""
        if self.sensor is None:
            return None
        sensor_part: Points = transform_points(self.start, self.sensor[None])[0]
        return sensor_part


@dataclass(frozen=True)
class Learned:
    """What was learned, and each scan judged by the others.

    Attributes:
        reference: the mean surface.
        mean_mm: (V,) deviation of good parts from it.
        sigma_mm: (V,) standard deviation between them.
        seen: (V,) by how many scans.
        left_out: each scan judged by the others.
        spacing_m: typical distance between the points of a scan: finer shape is not learned.
    """

    reference: ReferenceMesh
    mean_mm: NDArray[np.float64]
    sigma_mm: NDArray[np.float64]
    seen: NDArray[np.intp]
    left_out: tuple[LeftOut, ...]
    spacing_m: float


def learn(scans: Sequence[GoodScan], plan: LearningPlan, progress: Progress) -> Learned:
    """Mesh and statistics from scans in memory; raises DataError as `learn_reference`."""
    if len(scans) < FEWEST_SCANS:
        raise DataError(f'expected at least {FEWEST_SCANS} scans, got {len(scans)}')
    total = (1 + _TURNS) * len(scans)
    poses = _first_poses(scans, plan, lambda n: progress('registering', n, total))
    fewest = max(2, int(np.ceil(plan.share * len(scans))))
    mesh = mesh_of_scans(_posed(scans, poses), plan.sensor_part, fewest)
    spacing = float(np.median([spacing_m(scan.points) for scan in scans]))
    blur_m = BLUR * spacing
    deviations = np.empty((len(scans), 0))
    for turn in range(1, 1 + _TURNS):
        rows, field = [], ExactField(mesh)
        for index, scan in enumerate(scans):
            poses[index] = _registered(scan, poses[index], field, plan)
            moved = transform_points(poses[index], scan.points)
            rows.append(vertex_deviations_mm(field, moved))
            progress('measuring', turn * len(scans) + index + 1, total)
        deviations = np.array(rows)
        _check_overlap(scans, deviations)
        if turn < _TURNS:
            mesh = _moved_to_mean(mesh, mean_and_sigma_mm(deviations, mesh, blur_m)[0])
    mean_mm, sigma_mm = mean_and_sigma_mm(deviations, mesh, blur_m)
    left_out = leave_one_out(
        [scan.name for scan in scans], deviations, mesh, plan.tolerance_mm, plan.sigmas, blur_m
    )
    return Learned(mesh, mean_mm, sigma_mm, np.isfinite(deviations).sum(axis=0), left_out, spacing)


def _first_poses(
    scans: Sequence[GoodScan], plan: LearningPlan, done: Callable[[int], None]
) -> list[Transform]:
    """`transform_scan_to_part` of every scan.

    All are registered to the scan of the most usual size that all others fit.
    """
    start = plan.start
    counts = np.array([len(scan.points) for scan in scans])
    order = np.argsort(np.abs(counts - np.median(counts)), kind='stable')
    least: list[str] = []
    for base in order[:_BASES]:
        own = transform_points(start, np.asarray(scans[base].points, dtype=np.float64))
        field = ExactField(mesh_of_scans([own], plan.sensor_part, 1, ROUGH_POINTS))
        poses, problems = [], []
        for number, scan in enumerate(scans, start=1):
            pose, reason = _found(scan, start, field, plan)
            poses.append(pose)
            problems += [f'{scan.name}: does not register: {reason}'] if reason else []
            done(number)
        if not problems:
            return poses
        least = problems if not least or len(problems) < len(least) else least
        if 2 * len(problems) < len(scans):
            break  # most fit this one: it is the others that do not belong
    raise DataError('\n'.join(least))


def _found(
    scan: GoodScan, start: Transform, field: ExactField, plan: LearningPlan
) -> tuple[Transform, str]:
    """The pose of a scan, from where it should lie or else searched, or why there is none."""
    here = register(scan.points, start, field, plan.registration, plan.crop_mm)
    if here.ok or not plan.search:
        return here.transform_scan_to_part, here.reason
    searched = search_pose(
        scan.points, DeviationField(field.reference), plan.registration.inlier_mm, plan.seed
    )
    if searched.reason:
        return start, here.reason
    there = register(
        scan.points,
        searched.transform_scan_to_part,
        field,
        plan.registration,
        plan.crop_mm,
    )
    return there.transform_scan_to_part, here.reason if there.reason else ''


def _registered(
    scan: GoodScan, start: Transform, field: ExactField, plan: LearningPlan
) -> Transform:
    found = register(scan.points, start, field, plan.registration, plan.crop_mm)
    if not found.ok:
        raise DataError(f'{scan.name}: does not register with the others: {found.reason}')
    return found.transform_scan_to_part


def _posed(scans: Sequence[GoodScan], poses: list[Transform]) -> list[Points]:
    return [
        transform_points(pose, np.asarray(scan.points, dtype=np.float64))
        for scan, pose in zip(scans, poses, strict=True)
    ]


def _moved_to_mean(mesh: ReferenceMesh, mean_mm: NDArray[np.float64]) -> ReferenceMesh:
    moved = mesh.vertices + vertex_normals(mesh) * (mean_mm / 1e3)[:, None]
    return ReferenceMesh(moved, mesh.triangles)


def _check_overlap(scans: Sequence[GoodScan], deviations_mm: NDArray[np.float64]) -> None:
    shares = np.isfinite(deviations_mm).mean(axis=1)
    problems = [
        f'{scan.name}: shows {share:.0%} of the common surface; at least {MIN_OVERLAP:.0%} needed'
        for scan, share in zip(scans, shares, strict=True)
        if share < MIN_OVERLAP
    ]
    if problems:
        raise DataError('\n'.join(problems))
