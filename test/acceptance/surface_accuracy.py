"""Deviation and defects of simulated scans against the truth.

    python test/acceptance/surface_accuracy.py [--good 100] [--defective 100] [--seed 41000]

A block with a step and a bore, 300 000 points from a scanner above it, σ 0.03 mm, 5 % dropouts,
2 % outliers, a robot's pose that is 2 mm and 2° off, tolerance ±0.1 mm. Defects: raised or sunken
discs of 0.15 mm and 4 mm², anywhere on the surface that the scanner sees at less than 60°.
"""

import argparse
import json
import sys

import numpy as np
import open3d as o3d
from scipy.spatial.transform import Rotation

from inspection_cell.geometry import (
    Intrinsics,
    Points,
    Transform,
    invert,
    look_at,
    rigid,
    transform_points,
)
from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.surface import Registration, Surface
from inspection_cell.surface.alignment import Cloud
from inspection_cell.surface.comparison import compare
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.limits import Limits

SCANNER = look_at((0.04, -0.13, 0.30), (0.0, 0.0, 0.01))  # transform_scanner_to_part
INTRINSICS = Intrinsics(1000, 800, 3000.0, 3000.0, 499.5, 399.5)
POINTS = 300_000
SIGMA_MM, DROPOUTS, OUTLIERS = 0.03, 0.05, 0.02
HEIGHT_MM, AREA_MM2 = 0.15, 4.0
TOLERANCE_MM = (-0.1, 0.1)
NEAR_MM = 1.0


def block() -> ReferenceMesh:
    """A plate of 80 x 60 mm with a step, a half ball and a bore."""
    legacy = o3d.geometry.TriangleMesh
    whole = o3d.t.geometry.TriangleMesh.from_legacy(
        legacy.create_box(0.08, 0.06, 0.02).translate((-0.04, -0.03, 0.0))
    )
    step = legacy.create_box(0.02, 0.03, 0.015).translate((0.01, -0.01, 0.0125))
    ball = legacy.create_sphere(0.01, 60).translate((-0.02, 0.005, 0.02))
    bore = legacy.create_cylinder(0.006, 0.05, 90).translate((-0.025, -0.018, 0.01))
    for shape in (step, ball):
        whole = whole.boolean_union(o3d.t.geometry.TriangleMesh.from_legacy(shape))
    whole = whole.boolean_difference(o3d.t.geometry.TriangleMesh.from_legacy(bore))
    return ReferenceMesh(whole.vertex.positions.numpy(), whole.triangle.indices.numpy())


class Scanner:
    """Casts its rays once; parts differ only in their defects and noise."""

    def __init__(self, mesh: ReferenceMesh) -> None:
        """Where the rays meet the good part."""
        rows, columns = np.mgrid[: INTRINSICS.height, : INTRINSICS.width]
        directions = INTRINSICS.rays(np.stack([columns, rows], axis=-1).reshape(-1, 2))
        ranges, faces = mesh.cast(invert(SCANNER), directions)
        hit = np.flatnonzero(np.isfinite(ranges))
        self.directions = directions[hit] @ SCANNER[:3, :3].T  # part frame
        self.surface = SCANNER[:3, 3] + ranges[hit, None].astype(float) * self.directions
        self.normals = mesh.normals[faces[hit]]
        self.cosines = -np.einsum('ij,ij->i', self.directions, self.normals)

    def scan(self, generator: np.random.Generator, centre: Points | None, height_mm: float):
        """Points (300 000, 3) float32 in the scanner's frame."""
        along = np.zeros(len(self.surface))
        if centre is not None:
            side = (
                self.normals
                @ self.normals[np.argmin(np.linalg.norm(self.surface - centre, axis=1))]
            )
            apart = np.linalg.norm(self.surface - centre, axis=1)
            raised = (apart < np.sqrt(AREA_MM2 / np.pi) * 1e-3) & (side > 0.9)
            along[raised] = -height_mm * 1e-3 / self.cosines[raised]
        along += generator.normal(0.0, SIGMA_MM * 1e-3, len(along))
        wild = generator.random(len(along)) < OUTLIERS
        along[wild] += generator.uniform(-3e-3, 3e-3, np.count_nonzero(wild))
        kept = np.flatnonzero(generator.random(len(along)) > DROPOUTS)
        kept = np.sort(generator.permutation(kept)[:POINTS])
        points = self.surface[kept] + along[kept, None] * self.directions[kept]
        return transform_points(invert(SCANNER), points).astype(np.float32)

    def place(self, generator: np.random.Generator) -> Points:
        """A point of the surface that is well seen and not at an edge."""
        disc_m = np.sqrt(AREA_MM2 / np.pi) * 1e-3 + 0.3e-3
        while True:
            row = int(generator.choice(np.flatnonzero(self.cosines > 0.5)))
            near = np.linalg.norm(self.surface - self.surface[row], axis=1) < disc_m
            density = np.count_nonzero(near) / self.cosines[row]
            if (self.normals[near] @ self.normals[row] > 0.9).all() and density > 200:
                return self.surface[row]


def start(generator: np.random.Generator) -> Transform:
    """`transform_scan_to_part` as the robot tells it: 2 mm and 2° off."""
    axis, shift = generator.normal(size=(2, 3))
    turn = Rotation.from_rotvec(np.radians(2) * axis / np.linalg.norm(axis)).as_matrix()
    return rigid(turn, 2e-3 * shift / np.linalg.norm(shift)) @ SCANNER


def main() -> None:
    """Print the figures, the last line as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--good', type=int, default=100)
    parser.add_argument('--defective', type=int, default=100)
    parser.add_argument('--seed', type=int, default=41_000)
    given = parser.parse_args()
    mesh = block()
    field, scanner = DeviationField(mesh), Scanner(mesh)
    surface = Surface(tolerance_mm=TOLERANCE_MM, registration=Registration())
    limits = Limits(TOLERANCE_MM)
    sizes = []

    def inspected(generator: np.random.Generator, centre: Points | None, height_mm: float):
        points = scanner.scan(generator, centre, height_mm)
        sizes.append(len(points))
        cloud = Cloud(points, start(generator), sensor=np.zeros(3))
        return compare(cloud, field, surface, limits)

    bias_um, sigma_mm, false = [], [], 0
    for index in range(given.good):
        seen = inspected(np.random.default_rng([given.seed, 0, index]), None, 0.0)
        inner = np.abs(seen.deviations.signed_mm) < 0.15
        bias_um.append(float(np.mean(seen.deviations.signed_mm[inner])) * 1e3)
        sigma_mm.append(seen.noise.facing_mm)
        false += len(seen.regions)
    found, extra, away_mm, peaks = 0, 0, [], []
    for index in range(given.defective):
        generator = np.random.default_rng([given.seed, 1, index])
        centre, sign = scanner.place(generator), generator.choice([-1.0, 1.0])
        seen = inspected(generator, centre, sign * HEIGHT_MM)
        apart = [float(np.linalg.norm(r.position_m - centre)) * 1e3 for r in seen.regions]
        own = [i for i, mm in enumerate(apart) if mm <= NEAR_MM + np.sqrt(AREA_MM2 / np.pi)]
        found += bool(own)
        extra += len(apart) - len(own)
        if own:
            best = min(own, key=lambda i: apart[i])
            away_mm.append(apart[best])
            region = seen.regions[best]
            peaks.append((abs(region.peak_mm), region.area_mm2, int(region.conformity)))
        else:
            sys.stdout.write(f'missed: {index} at {centre * 1e3} {seen.registered.reason}\n')
    result = {
        'points': int(np.median(sizes)),
        'bias_um_worst': max(map(abs, bias_um), default=None),
        'noise_mm_estimated': float(np.mean(sigma_mm)) if sigma_mm else None,
        'false_per_100_good': 100 * false / max(given.good, 1),
        'recall': found / max(given.defective, 1),
        'false_on_defective': extra,
        'position_mm_p95': float(np.percentile(away_mm, 95)) if away_mm else None,
        'position_mm_worst': max(away_mm, default=None),
        'peak_mm_median': float(np.median([p for p, _, _ in peaks])) if peaks else None,
        'area_mm2_median': float(np.median([a for _, a, _ in peaks])) if peaks else None,
        'breaks': sum(c == 3 for _, _, c in peaks),
        'uncertain': sum(c == 2 for _, _, c in peaks),
    }
    sys.stdout.write(json.dumps(result) + '\n')


if __name__ == '__main__':
    main()
