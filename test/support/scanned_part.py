"""A part with an edge, a step and a bore, and a scanner over it: ground truth without files."""

from collections.abc import Callable

import numpy as np
import open3d as o3d
import pytest

from inspection_cell.geometry import Intrinsics, Transform, invert, look_at, transform_points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.deviation import DeviationField

SCANNER = look_at((0.05, -0.12, 0.30), (0.0, 0.0, 0.01))  # transform_scanner_to_part
INTRINSICS = Intrinsics(300, 240, 900.0, 900.0, 149.5, 119.5)

ScanOf = Callable[..., np.ndarray]


def mesh_of(*shapes: o3d.geometry.TriangleMesh) -> ReferenceMesh:
    whole = o3d.t.geometry.TriangleMesh.from_legacy(shapes[0])
    for shape in shapes[1:]:
        whole = whole.boolean_union(o3d.t.geometry.TriangleMesh.from_legacy(shape))
    return ReferenceMesh(whole.vertex.positions.numpy(), whole.triangle.indices.numpy())


def box(size_m: tuple[float, float, float], corner_m: tuple[float, float, float]):
    mesh = o3d.geometry.TriangleMesh.create_box(*size_m)
    return mesh.translate(corner_m)


def ball(radius_m: float, centre_m: tuple[float, float, float]):
    return o3d.geometry.TriangleMesh.create_sphere(radius_m, 40).translate(centre_m)


PLATE = ((0.08, 0.06, 0.02), (-0.04, -0.03, 0.0))
STEP = ((0.02, 0.03, 0.03), (0.01, -0.01, 0.005))


@pytest.fixture(scope='session')
def part() -> ReferenceMesh:
    """A plate of 80 x 60 mm with a step on it, and a half ball."""
    return mesh_of(box(*PLATE), box(*STEP), ball(0.01, (-0.02, 0.0, 0.02)))


@pytest.fixture(scope='session')
def field(part: ReferenceMesh) -> DeviationField:
    """Deviations from the part, its grid computed once for all tests."""
    return DeviationField(part)


@pytest.fixture(scope='session')
def stepless_part() -> ReferenceMesh:
    """The same without its step."""
    return mesh_of(box(*PLATE), ball(0.01, (-0.02, 0.0, 0.02)))


@pytest.fixture(scope='session')
def dented_part() -> ReferenceMesh:
    """The same with a hollow of 0.5 mm and about 6 mm across in the plate."""
    radius = 0.009
    whole = o3d.t.geometry.TriangleMesh.from_legacy(box(*PLATE))
    for shape in (box(*STEP), ball(0.01, (-0.02, 0.0, 0.02))):
        whole = whole.boolean_union(o3d.t.geometry.TriangleMesh.from_legacy(shape))
    hollow = ball(radius, (-0.005, -0.02, 0.02 + radius - 0.5e-3))
    whole = whole.boolean_difference(o3d.t.geometry.TriangleMesh.from_legacy(hollow))
    return ReferenceMesh(whole.vertex.positions.numpy(), whole.triangle.indices.numpy())


@pytest.fixture(scope='session')
def scan_of() -> ScanOf:
    """Points (N, 3) float32 in the scanner's frame, with range noise and flying pixels."""

    def scan(
        mesh: ReferenceMesh,
        *,
        seed: int = 0,
        noise_mm: float = 0.05,
        flying_share: float = 0.3,
        transform_part_to_scanner: Transform | None = None,
    ) -> np.ndarray:
        generator = np.random.default_rng(seed)
        shape = (INTRINSICS.height, INTRINSICS.width)
        rows, columns = np.mgrid[: shape[0], : shape[1]]
        directions = INTRINSICS.rays(np.stack([columns, rows], axis=-1).reshape(-1, 2))
        pose = invert(SCANNER) if transform_part_to_scanner is None else transform_part_to_scanner
        depth = mesh.cast(pose, directions)[0].reshape(shape).astype(np.float64)
        with np.errstate(invalid='ignore'):
            gap = np.roll(depth, -1, axis=1) - depth
            flying = (np.abs(gap) > 1e-3) & np.isfinite(gap)
        flying &= generator.random(shape) < flying_share
        depth[flying] += (generator.random(shape) * gap)[flying]
        depth += generator.normal(0.0, noise_mm * 1e-3, shape)
        kept = np.isfinite(depth.reshape(-1))
        points = directions[kept] * depth.reshape(-1)[kept, None]
        return points.astype(np.float32)

    return scan


@pytest.fixture(scope='session')
def scanner_pose() -> Transform:
    """`transform_scanner_to_part`."""
    return SCANNER


@pytest.fixture(scope='session')
def part_points(part: ReferenceMesh, scan_of: ScanOf) -> np.ndarray:
    """Exact points of the part as the scanner sees them, part frame."""
    return transform_points(SCANNER, scan_of(part, noise_mm=0.0, flying_share=0.0))
