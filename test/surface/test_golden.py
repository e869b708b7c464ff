from dataclasses import fields

import numpy as np
import pytest

from inspection_cell.errors import DataError
from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.golden import GoldenReference, golden_limits, load_golden
from inspection_cell.surface.limits import Limits


def plane(size: int = 20) -> ReferenceMesh:
    """A square of 1 mm cells at z = 0."""
    y, x = np.mgrid[:size, :size]
    vertices = np.stack([x, y, 0 * x], axis=-1).reshape(-1, 3) / 1e3
    corner = (np.arange(size - 1)[:, None] * size + np.arange(size - 1)).reshape(-1)
    lower = np.stack([corner, corner + 1, corner + size], axis=1)
    upper = np.stack([corner + 1, corner + size + 1, corner + size], axis=1)
    return ReferenceMesh(vertices, np.concatenate([lower, upper]))


def golden_of(mesh: ReferenceMesh) -> GoldenReference:
    """Of the half x >= 10 mm: usually 0.02 mm high, spread 0.1 mm; of the other half: nothing."""
    varies = mesh.vertices[:, 0] >= 9.5e-3
    seen = np.full(len(mesh.vertices), 5)
    mean, sigma = np.where(varies, 0.02, 0.0), np.where(varies, 0.1, 0.0)
    return GoldenReference(mesh.vertices, mean, sigma, seen, 5, mesh.sha256)


def test_points_get_mean_and_sigma_of_their_place():
    golden = golden_of(plane())
    mean, sigma = golden.expected(np.array([[0.003, 0.003, 0.0004], [0.015, 0.003, -0.0004]]))
    assert mean == pytest.approx([0.0, 0.02])
    assert sigma == pytest.approx([0.0, 0.1])


def test_limits_widen_where_good_parts_vary_and_never_tighten():
    mesh = plane()
    points = np.array([[0.003, 0.003, 0.0], [0.015, 0.003, 0.0]])
    faces = np.zeros(2, dtype=np.intp)
    plain = Limits((-0.15, 0.2))
    at = golden_limits(plain, golden_of(mesh), 3.0).at(points, faces)
    assert at.low_mm == pytest.approx([-0.15, -0.28])
    assert at.high_mm == pytest.approx([0.2, 0.32])
    wide = golden_limits(Limits((-1.0, 1.0)), golden_of(mesh), 3.0).at(points, faces)
    assert wide.low_mm == pytest.approx([-1.0, -0.98])
    assert wide.high_mm == pytest.approx([1.0, 1.02])


def test_golden_limits_keep_everything_that_the_plain_ones_hold():
    plain = Limits((-0.1, 0.3), 2.5, (('zone', (-0.05, 0.05)),), ('mask',), 0.02)
    widened = golden_limits(plain, golden_of(plane()))
    for one in fields(Limits):
        assert getattr(widened, one.name) == getattr(plain, one.name) != one.default


def test_what_is_written_is_read_again(tmp_path):
    mesh = plane()
    golden_of(mesh).save(tmp_path / 'golden.npz')
    again = load_golden(tmp_path / 'golden.npz', mesh)
    assert again.scans == 5
    assert np.allclose(again.vertices, mesh.vertices, atol=1e-8)
    assert np.allclose(again.sigma_mm, golden_of(mesh).sigma_mm)


def test_the_statistics_of_another_mesh_are_refused(tmp_path):
    golden_of(plane()).save(tmp_path / 'golden.npz')
    with pytest.raises(DataError, match=r'golden\.npz: belongs to the mesh'):
        load_golden(tmp_path / 'golden.npz', plane(19))


def test_missing_and_damaged_files_are_refused_by_name(tmp_path):
    with pytest.raises(DataError, match=r'absent\.npz: expected golden'):
        load_golden(tmp_path / 'absent.npz')
    (tmp_path / 'text.npz').write_text('nothing')
    with pytest.raises(DataError, match=r'text\.npz: expected golden'):
        load_golden(tmp_path / 'text.npz')
    golden_of(plane()).save(tmp_path / 'cut.npz')
    whole = (tmp_path / 'cut.npz').read_bytes()
    (tmp_path / 'cut.npz').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r'cut\.npz: expected golden'):
        load_golden(tmp_path / 'cut.npz')
    np.savez(tmp_path / 'other.npz', a=1)
    with pytest.raises(DataError, match=r'other\.npz: expected golden'):
        load_golden(tmp_path / 'other.npz')


@pytest.mark.parametrize('sigma', [np.nan, -0.1])
def test_a_sigma_that_is_no_spread_is_refused(sigma):
    mesh = plane()
    bad = np.full(len(mesh.vertices), sigma)
    seen = np.full(len(mesh.vertices), 5)
    with pytest.raises(DataError, match='sigma_mm'):
        GoldenReference(mesh.vertices, np.zeros(len(bad)), bad, seen, 5, '')
