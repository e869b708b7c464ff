"""A reference from scans of good parts, written as files that recipes name."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import open3d as o3d
import yaml

import inspection_cell
from inspection_cell.errors import DataError
from inspection_cell.learning.golden_learning import Learned, LearningPlan, Progress, learn
from inspection_cell.learning.golden_scans import GoodScan, load_good_scans
from inspection_cell.reference import METRES_PER_UNIT, ReferenceMesh, load_mesh
from inspection_cell.surface.golden import GoldenReference

REFERENCE, GOLDEN, SUMMARY = 'reference.ply', 'golden.npz', 'golden.yaml'

Units = Literal['mm', 'm']


def learn_reference(
    folder: Path, units: Units, out: Path, plan: LearningPlan, progress: Progress
) -> dict[str, object]:
    """Learn from the scans in a folder and write mesh, statistics and summary.

    Args:
        folder: ply and pcd files, or stored parts.
        units: of the scans, and of the mesh that is written.
        out: folder for the results; made if there is none.
        plan: how.
        progress: is told what is being done, how many steps are done, and of how many.

    Returns:
        The summary, as `golden.yaml` holds it.

    Raises:
        DataError: for scans that cannot be read, do not fit each other, or show too little.
    """
    scans = load_good_scans(folder, units)
    learned = learn(scans, plan, progress)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f'{out}: expected a folder: {error.strerror}') from error
    _write_mesh(out / REFERENCE, learned.reference, units)
    golden = GoldenReference(
        learned.reference.vertices,
        learned.mean_mm,
        learned.sigma_mm,
        learned.seen,
        len(scans),
        load_mesh(out / REFERENCE, units).sha256,
    )
    golden.save(out / GOLDEN)
    summary = _summary(scans, learned, golden, units, out, plan)
    text = yaml.safe_dump(summary, sort_keys=False, allow_unicode=True)
    (out / SUMMARY).write_text(text, encoding='utf-8')
    return summary


def _write_mesh(path: Path, reference: ReferenceMesh, units: Units) -> None:
    mesh = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(reference.vertices / METRES_PER_UNIT[units]),
        o3d.utility.Vector3iVector(reference.triangles),
    )
    if not o3d.io.write_triangle_mesh(str(path), mesh):
        raise DataError(f'{path}: cannot be written')


def _summary(
    scans: Sequence[GoodScan],
    learned: Learned,
    golden: GoldenReference,
    units: Units,
    out: Path,
    plan: LearningPlan,
) -> dict[str, object]:
    sigmas = learned.sigma_mm[learned.sigma_mm > 0]
    p50, p95, most = np.percentile(sigmas, [50, 95, 100]) if len(sigmas) else (0.0, 0.0, 0.0)
    return {
        'scans': len(scans),
        'units': units,
        'software_version': inspection_cell.__version__,
        'vertices': len(golden.vertices),
        'spacing_mm': round(learned.spacing_m * 1e3, 3),
        'area_mm2': round(float(learned.reference.areas.sum() * 1e6), 1),
        'sigma_mm': {
            n: round(float(v), 4) for n, v in (('p50', p50), ('p95', p95), ('max', most))
        },
        'tolerance_mm': list(plan.tolerance_mm),
        'sigmas': plan.sigmas,
        'all_within': all(one.within for one in learned.left_out),
        'leave_one_out': [
            {
                'scan': one.name,
                'within': one.within,
                'p95_mm': round(one.p95_mm, 4),
                'beyond_share': round(one.beyond_share, 6),
                'largest_beyond_mm2': round(one.largest_mm2, 2),
            }
            for one in learned.left_out
        ],
        'inputs': [{'scan': scan.name, 'sha256': scan.sha256} for scan in scans],
        'mesh_sha256': golden.mesh_sha256,
        'golden_sha256': hashlib.sha256((out / GOLDEN).read_bytes()).hexdigest(),
        'recipe': {
            'reference': {'mesh': REFERENCE, 'units': units},
            'surface': {'tolerance_mm': list(plan.tolerance_mm), 'golden': GOLDEN},
        },
    }
