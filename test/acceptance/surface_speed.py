"""How long one comparison takes, against the number of points and of triangles.

    python test/acceptance/surface_speed.py

A body without any symmetry is scanned from above; warm, from decoded
points to regions and what was seen, median of five. `prepare_s` is what a new mesh costs once.
"""

import json
import sys
import time

import numpy as np
import open3d as o3d

from inspection_cell.geometry import Points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.surface import Surface
from inspection_cell.surface.alignment import Cloud
from inspection_cell.surface.comparison import compare
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.limits import Limits

RUNS = 5
SCANNER = np.array([0.0, 0.0, 0.4])
POINTS = (30_000, 300_000, 3_000_000)
TRIANGLES = (1_000, 100_000, 1_000_000)


def potato(triangles: int) -> ReferenceMesh:
    """A body of about 100 mm without any symmetry, of about so many triangles."""
    resolution = max(int(np.sqrt(triangles / 4)), 4)
    mesh = o3d.geometry.TriangleMesh.create_sphere(0.05, resolution)
    points = np.asarray(mesh.vertices)
    x, y, z = points.T / 0.05
    points *= (1 + 0.3 * x * y + 0.25 * z * x + 0.2 * y**3 + 0.1 * np.cos(5 * x))[:, None]
    return ReferenceMesh(points, np.asarray(mesh.triangles))


def scan(mesh: ReferenceMesh, count: int) -> Points:
    """Points (count, 3) float32 as seen from above, σ 0.03 mm."""
    generator = np.random.default_rng(0)
    aims = generator.uniform(-0.07, 0.07, (4 * count, 3)) * (1, 1, 0)
    directions = aims - SCANNER
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    ranges = mesh.cast_from(SCANNER[None], directions)[0]
    hit = np.flatnonzero(np.isfinite(ranges))[:count]
    along = ranges[hit] + generator.normal(0.0, 3e-5, len(hit))
    return (SCANNER + along[:, None] * directions[hit]).astype(np.float32)


def milliseconds(mesh: ReferenceMesh, count: int) -> dict[str, float]:
    """Preparation and one warm comparison."""
    begin = time.perf_counter()
    field = DeviationField(mesh)
    field.grid  # noqa: B018
    prepare_s = time.perf_counter() - begin
    points = scan(mesh, count)
    surface, limits = Surface(tolerance_mm=(-0.15, 0.15)), Limits((-0.15, 0.15))
    cloud = Cloud(points, np.eye(4), SCANNER)
    taken = []
    for _ in range(RUNS):
        begin = time.perf_counter()
        compared = compare(cloud, field, surface, limits)
        taken.append(time.perf_counter() - begin)
        assert compared.registered.ok, compared.registered.reason
    return {
        'points': len(points),
        'triangles': len(mesh.triangles),
        'prepare_s': round(prepare_s, 2),
        'compare_ms': round(float(np.median(taken)) * 1e3, 1),
        'regions': len(compared.regions),
        'exact_share': round(float(1 - field.grid.look_up(points).trusted.mean()), 3),
    }


def main() -> None:
    """Print one line per case, the last line as JSON."""
    rows = [milliseconds(potato(100_000), count) for count in POINTS]
    rows += [milliseconds(potato(triangles), 300_000) for triangles in TRIANGLES]
    for row in rows:
        sys.stdout.write(f'{row}\n')
    sys.stdout.write(json.dumps(rows) + '\n')


if __name__ == '__main__':
    main()
