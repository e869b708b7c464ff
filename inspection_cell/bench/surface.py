"""Row `surface`: one scan to defects and coverage, against the usual way with Open3D."""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import open3d as o3d
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from inspection_cell.bench.machine import busy_share
from inspection_cell.bench.result import Figure, Result, Settings
from inspection_cell.bench.subject import bench_recipe
from inspection_cell.cell import Cell, load_cell
from inspection_cell.errors import DataError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import ViewStatus
from inspection_cell.geometry import Transform, invert, rigid, transform_points
from inspection_cell.locations import demo_cell
from inspection_cell.named_poses import needed_pose
from inspection_cell.observations import Observation, Scan, ViewKey
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh, load_reference
from inspection_cell.sim.plan import PlannedPart
from inspection_cell.sim.seeds import Purpose
from inspection_cell.sim.station import Station
from inspection_cell.views.surface import SurfaceInspection, SurfaceInspector

POINTS = 300_000
RUNS = 5
REACH_M = 5e-3  # the peer's largest correspondence distance
OFF_M, OFF_RAD = 2e-3, np.radians(2.0)  # by which the robot's pose is wrong
ITERATIONS = 30
VIEW = ViewKey('top', 'scanner')


class PointToPlanePeer:
    """Open3D's registration of the full cloud, then its signed distances.

    Legacy pipeline: the tensor version is far slower on a CPU.
    """

    def __init__(self, reference: ReferenceMesh, target_points: int = POINTS) -> None:
        """Sample the target and prepare the distance queries, which a warm station has done."""
        mesh = o3d.geometry.TriangleMesh(
            o3d.utility.Vector3dVector(reference.vertices),
            o3d.utility.Vector3iVector(reference.triangles),
        )
        mesh.compute_triangle_normals()
        o3d.utility.random.seed(0)
        self._target = mesh.sample_points_uniformly(target_points, use_triangle_normal=True)
        self._scene = reference.scene

    def deviations_m(
        self, scan: NDArray[np.float32], transform_scan_to_part: Transform
    ) -> NDArray[np.float32]:
        """(N,) signed distances after registration, positive outside, metres."""
        source = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(scan.astype(np.float64)))
        registration = o3d.pipelines.registration
        found = registration.registration_icp(
            source,
            self._target,
            REACH_M,
            transform_scan_to_part,
            registration.TransformationEstimationPointToPlane(),
            registration.ICPConvergenceCriteria(max_iteration=ITERATIONS),
        )
        part = transform_points(found.transformation, scan).astype(np.float32)
        distances = self._scene.compute_signed_distance(o3d.core.Tensor.from_numpy(part))
        signed: NDArray[np.float32] = distances.numpy()
        return signed


@dataclass(frozen=True, slots=True)
class _Subject:
    observation: Observation
    points: NDArray[np.float32]
    recipe: Recipe
    reference: ReferenceMesh


def measure(settings: Settings, bar: str) -> Result:
    """Both ways on the same scan, from the same start, in turn; medians."""
    others = busy_share()
    subject = _subject()
    start = invert(subject.observation.transform_part_to_sensor)
    peer = PointToPlanePeer(subject.reference)
    ours_s, peer_s = [], []
    with TemporaryDirectory(prefix='inspection_cell_bench_') as folder:
        evidence = EvidenceFolder(Path(folder))
        inspector = SurfaceInspector(subject.recipe, subject.reference, evidence)
        for run in range(RUNS + 1):
            part = replace(subject.observation, inspection_id=f'bench_{run}')
            begin_s = time.perf_counter()
            inspection = inspector.inspect(part)
            middle_s = time.perf_counter()
            exact_m = peer.deviations_m(subject.points, start)
            ours_s.append(middle_s - begin_s)
            peer_s.append(time.perf_counter() - middle_s)
    ours_ms, peer_ms = (float(np.median(times_s[1:])) * 1e3 for times_s in (ours_s, peer_s))
    return Result(
        key='surface',
        unit='ms',
        ours=round(ours_ms, 1),
        peer=round(peer_ms, 1),
        ratio=round(peer_ms / ours_ms, 2),
        measured=(
            f'{POINTS} simulated points of a good {subject.recipe.part_type}, 2 mm and 2° off, '
            'warm, decoded scan to findings, coverage and evidence files, '
            f'median of {RUNS}; peer: Open3D point-to-plane ICP of the full cloud to {POINTS} '
            f'points, at most {ITERATIONS} iterations, and compute_signed_distance'
        ),
        bar=bar,
        figures=(
            Figure('busy_share_before', round(others, 3)),
            Figure('difference_p99_um', round(_difference_um(inspection, exact_m), 1)),
            Figure('ours_min_ms', round(min(ours_s) * 1e3, 1)),
            Figure('peer_min_ms', round(min(peer_s) * 1e3, 1)),
        ),
    )


def _difference_um(inspection: SurfaceInspection, exact_m: NDArray[np.float32]) -> float:
    """99th percentile of the difference between both ways' deviations, point by point."""
    if inspection.view_findings.status is not ViewStatus.OK:
        reason = inspection.view_findings.reason
        raise DataError(f'bench row surface: expected a registered scan: {reason}')
    if len(inspection.deviation_mm) != len(exact_m):
        raise DataError(
            f'bench row surface: expected {len(exact_m)} deviations, '
            f'got {len(inspection.deviation_mm)}'
        )
    return float(np.percentile(np.abs(inspection.deviation_mm - exact_m * 1e3), 99)) * 1e3


def _subject() -> _Subject:
    """A scan of exactly `POINTS` points from the demo cell's scanner at a finer pitch."""
    recipe = bench_recipe()
    reference = load_reference(recipe)
    if reference is None:
        raise DataError(f'{recipe.path}: expected a reference mesh, there is none')
    cell = _with_finer_scanner(load_cell(demo_cell()))
    station = Station(cell, [recipe], 0, purpose=Purpose.TEST)
    presented = station.present(PlannedPart('bench', recipe.part_type), VIEW.presentation)
    seen = station.observe(presented, VIEW.sensor)
    if not isinstance(seen, Scan) or len(seen.points) < POINTS:
        raise DataError(f'bench row surface: expected a scan of at least {POINTS} points')
    chosen = np.random.default_rng(0).choice(len(seen.points), POINTS, replace=False)
    scan = Scan(np.ascontiguousarray(seen.points[np.sort(chosen)]))
    observation = Observation(
        'bench',
        VIEW,
        1,
        scan,
        presented.transform_part_to_cell_reported @ _off(),
        needed_pose(cell, recipe, VIEW, 'the bench'),
    )
    return _Subject(observation, scan.points, recipe, reference)


def _off() -> Transform:
    """The pose error of the robot, in a direction that no axis of the part has."""
    axis, shift = np.array([1.0, -2.0, 2.0]) / 3, np.array([2.0, 2.0, -1.0]) / 3
    return rigid(Rotation.from_rotvec(OFF_RAD * axis).as_matrix(), OFF_M * shift)


def _with_finer_scanner(cell: Cell, finer: int = 2) -> Cell:
    scanner = cell.scanners[VIEW.sensor]
    coarse = scanner.intrinsics
    if coarse is None:
        raise DataError(f'{cell.path}: expected intrinsics of {VIEW.sensor}, there are none')
    scaled = coarse.model_copy(
        update={key: getattr(coarse, key) * finer for key in ('width', 'height', 'fx', 'fy')}
        | {key: (getattr(coarse, key) + 0.5) * finer - 0.5 for key in ('cx', 'cy')}
    )
    sensors = {**cell.file.sensors, VIEW.sensor: scanner.model_copy(update={'intrinsics': scaled})}
    return Cell(cell.path, cell.sha256, cell.file.model_copy(update={'sensors': sensors}))
