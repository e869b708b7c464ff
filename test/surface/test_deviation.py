import numpy as np
import open3d as o3d
import pytest

from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.deviation import DeviationField


def around(mesh: ReferenceMesh, count: int, reach_m: float, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    base = mesh.samples[generator.integers(0, len(mesh.samples), count)]
    return base + generator.normal(0.0, reach_m, (count, 3))


@pytest.fixture(scope='module')
def closed():
    whole = o3d.geometry.TriangleMesh.create_box(0.08, 0.06, 0.02)
    whole += o3d.geometry.TriangleMesh.create_cone(0.02, 0.05, 60).translate((0.0, 0.0, 0.03))
    return ReferenceMesh(np.asarray(whole.vertices), np.asarray(whole.triangles))


@pytest.mark.parametrize('reach_m', [0.1e-3, 1e-3, 10e-3])
def test_on_a_closed_mesh_it_agrees_with_ray_counting_everywhere(closed, reach_m):
    points = around(closed, 20_000, reach_m, seed=3)
    measured = DeviationField(closed).measure(points).signed_m
    expected = closed.scene.compute_signed_distance(
        o3d.core.Tensor(points.astype(np.float32)), nsamples=5
    ).numpy()
    assert np.abs(measured - expected).max() < 1e-7


def test_on_a_sphere_it_is_the_distance_from_the_centre_less_the_radius():
    sphere = o3d.geometry.TriangleMesh.create_sphere(0.03, 200)
    mesh = ReferenceMesh(np.asarray(sphere.vertices), np.asarray(sphere.triangles))
    points = around(mesh, 5000, 2e-3, seed=4)
    expected = np.linalg.norm(points, axis=1) - 0.03
    deviations = DeviationField(mesh).measure(points)
    assert np.abs(deviations.signed_m - expected).max() < 5e-6
    radial = points / np.linalg.norm(points, axis=1, keepdims=True)
    assert np.einsum('ij,ij->i', deviations.outward, radial).min() > 0.99


def test_moving_a_point_along_outward_changes_its_deviation_by_as_much(part, field):
    points = around(part, 5000, 0.5e-3, seed=5)
    before = field.measure(points)
    after = field.measure(points + 1e-5 * before.outward)
    grown = after.signed_m - before.signed_m
    assert np.median(np.abs(grown - 1e-5)) < 1e-7
    assert np.mean(np.abs(grown - 1e-5) < 1e-6) > 0.97


def test_an_open_sheet_tells_its_sides_apart_and_says_nothing_beside_its_border():
    vertices = np.array([[0, 0, 0], [0.1, 0, 0], [0.1, 0.1, 0], [0, 0.1, 0]], dtype=float)
    sheet = ReferenceMesh(vertices, np.array([[0, 1, 2], [0, 2, 3]]))
    points = np.array([[0.05, 0.05, 2e-3], [0.05, 0.05, -2e-3], [0.11, 0.05, 0.5e-3]])
    deviations = DeviationField(sheet).measure(points)
    assert deviations.signed_mm[:2] == pytest.approx([2.0, -2.0])
    assert deviations.beyond_border.tolist() == [False, False, True]
