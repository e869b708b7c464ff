"""Real range scans against references that were altered on purpose, and untouched.

    python test/acceptance/surface_real.py DATA [--places 20] [--seed 7]

DATA holds `stanford_scan`. Without an initial pose each untouched scan must be accepted at
±1.0 mm. Then places are drawn for each scan from the surface that it saw at under 60° and more
than 5 mm from its boundary, and the reference is raised or sunk there: by 2 mm (±1.0 mm, regions
from 10 mm²) and by 1 mm (±0.7 mm, from 25 mm²), 12 to 16 mm across, half of that at full height.
A place counts as found when the comparison names a region there; every other region is false.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

sys.path.append(str(Path(__file__).parents[1] / 'real'))
from bump import altered
from stanford import read_points, scan_poses

from inspection_cell.geometry import Points, transform_points
from inspection_cell.reference import ReferenceMesh, load_mesh
from inspection_cell.sections.surface import Registration, Surface
from inspection_cell.surface.alignment import Cloud
from inspection_cell.surface.comparison import compare
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.distance_grid import DistanceGrid
from inspection_cell.surface.limits import Limits
from inspection_cell.surface_files import inspect_files

STEEPEST_COS = np.cos(np.radians(60.0))
FROM_BOUNDARY_M = 5e-3
NEAR_M = 8e-3
PLATEAU = 0.5  # share of the radius at full height
CHANGED_M = 13e-3  # farther from a place the altered mesh is the whole one
ROUNDS = ((2e-3, 1.0, 10.0), (1e-3, 0.7, 25.0))  # height m, tolerance mm, least area mm²


def towards_sensor(points: Points) -> Points:
    """(3,) unit: from where the range image looks fullest (scans look along their z axis)."""
    return np.array([0.0, 0.0, 1.0])


def inner_points(points: Points) -> Points:
    """Points (M, 3), scan frame, well seen and away from the scan's boundary."""
    tree = cKDTree(points)
    spacing_m = float(np.median(tree.query(points[::50], k=2)[0][:, 1]))
    inner = []
    for row in range(0, len(points), 20):
        near = points[tree.query_ball_point(points[row], FROM_BOUNDARY_M)]
        if len(near) < 0.35 * np.pi * (FROM_BOUNDARY_M / spacing_m) ** 2:
            continue
        centred = near - points[row]
        normal = np.linalg.svd(centred - centred.mean(axis=0), full_matrices=False)[2][2]
        across = centred - (centred @ normal)[:, None] * normal
        axes = np.linalg.svd(across, full_matrices=False)[2][:2]
        angles = np.sort(np.arctan2(*(across @ axes.T).T))
        outer = angles[
            np.linalg.norm(across, axis=1)[np.argsort(np.arctan2(*(across @ axes.T).T))] > 3e-3
        ]
        gap = np.diff(np.append(outer, outer[0] + 2 * np.pi)).max() if len(outer) > 8 else 7.0
        if abs(normal @ towards_sensor(points)) > STEEPEST_COS and gap < np.radians(30):
            inner.append(points[row])
    return np.array(inner)


def main() -> None:
    """Print a line per scan, the last line as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('data', type=Path)
    parser.add_argument('--places', type=int, default=20)
    parser.add_argument('--seed', type=int, default=7)
    parser.add_argument('--skip-untouched', action='store_true')
    given = parser.parse_args()
    mesh = given.data / 'stanford_scan/reference/bun_zipper.ply'
    reference = load_mesh(mesh, 'm')
    whole = DeviationField(reference)
    result: dict[str, object] = {'untouched': {}}
    for name in () if given.skip_untouched else scan_poses(given.data):
        scan = given.data / f'stanford_scan/scans/{name}.ply'
        seen = inspect_files(mesh, scan, 'm', (-1.0, 1.0))
        spread = seen.as_json()['deviation_mm']
        told = {'decision': seen.decision.name, 'p95_mm': spread and spread['p95']}
        sys.stdout.write(f'untouched {name}: {told} {seen.registered.reason}\n')
        result['untouched'][name] = told
    for height_m, tolerance_mm, least_mm2 in ROUNDS:
        found, false, count = 0, 0, 0
        for index, (name, pose) in enumerate(scan_poses(given.data).items()):
            points = read_points(given.data, name)
            inner = inner_points(points)
            generator = np.random.default_rng([given.seed, index])
            hits = 0
            for place in range(given.places):
                one = _one(whole, points, pose, inner, generator, height_m, place)
                near, others = one(tolerance_mm, least_mm2)
                hits += near
                false += others
                count += 1
            found += hits
            sys.stdout.write(f'{height_m * 1e3:g} mm {name}: {hits} of {given.places}\n')
            sys.stdout.flush()
        result[f'{height_m * 1e3:g} mm'] = {
            'recall': found / count,
            'false_regions': false,
            'places': count,
        }
    sys.stdout.write(json.dumps(result) + '\n')


def _field(mesh: ReferenceMesh, whole: DeviationField, place: Points) -> DeviationField:
    """Of the altered mesh: the grid of the whole one, exact where it was altered."""
    field, grid = DeviationField(mesh), whole.grid
    low = ((place - CHANGED_M - grid.origin_m) / grid.spacing_m).astype(int).clip(0)
    high = ((place + CHANGED_M - grid.origin_m) / grid.spacing_m).astype(int) + 1
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    nodes, trusted = grid.nodes.copy(), grid.trusted.copy()
    nodes[box], trusted[box] = np.nan, False
    field.__dict__['grid'] = DistanceGrid(grid.origin_m, grid.spacing_m, nodes, trusted)
    return field


def _one(whole: DeviationField, points, pose, inner, generator, height_m: float, place: int):
    """The comparison with a reference that is altered at one place."""
    where = transform_points(pose, inner[generator.integers(len(inner))][None])[0]
    radius_m = generator.uniform(6e-3, 8e-3)
    sign = 1.0 if place % 2 else -1.0
    changed = altered(whole.reference, where, sign * height_m, radius_m, PLATEAU)
    mesh = ReferenceMesh(changed.vertices, changed.triangles)

    def judged(tolerance_mm: float, least_mm2: float) -> tuple[bool, int]:
        limits = Limits((-tolerance_mm, tolerance_mm), least_mm2)
        surface = Surface(
            tolerance_mm=limits.tolerance_mm,
            min_area_mm2=least_mm2,
            crop_mm=25.0,
            registration=Registration(max_shift_mm=20.0, max_rotation_deg=10.0),
        )
        seen = compare(
            Cloud(points, pose), _field(mesh, whole, changed.position_m), surface, limits
        )
        apart = [float(np.linalg.norm(r.position_m - changed.position_m)) for r in seen.regions]
        near = [m <= NEAR_M for m in apart]
        if not any(near):
            sys.stdout.write(f'  missed place {place}: {seen.registered.reason} {apart}\n')
        return any(near), len(near) - sum(near)

    return judged


if __name__ == '__main__':
    main()
