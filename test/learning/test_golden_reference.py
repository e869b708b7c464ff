import json
from dataclasses import dataclass

import numpy as np
import pytest
import yaml

# Fixtures, found by their names.
from scanned_part import SCANNER, part, scan_of, scanner_pose  # noqa: F401
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from typer.testing import CliRunner

from inspection_cell.cli.app import app
from inspection_cell.errors import DataError
from inspection_cell.geometry import rigid, transform_points
from inspection_cell.learning.golden_learning import Learned, LearningPlan, learn
from inspection_cell.learning.golden_mesh import ExactField
from inspection_cell.learning.golden_reference import learn_reference
from inspection_cell.learning.golden_scans import GoodScan, load_good_scans
from inspection_cell.learning.golden_statistics import (
    BLUR,
    leave_one_out,
    vertex_deviations_mm,
)
from inspection_cell.reference import load_mesh
from inspection_cell.sections.surface import Registration, Surface
from inspection_cell.surface.alignment import Cloud
from inspection_cell.surface.comparison import compare
from inspection_cell.surface.golden import GoldenReference, golden_limits, load_golden
from inspection_cell.surface.limits import Limits
from inspection_cell.surface.registration import register
from inspection_cell.views.ply import ply_bytes

TOLERANCE_MM = (-0.15, 0.15)
SENSOR = SCANNER[:3, 3]
PAD_MM = ((-38.0, -14.0), (-28.0, -13.0))  # x and y of a pad on the plate's top
USUAL_MM = 0.3  # by which the pad is higher than the nominal part, on all good parts
HEIGHTS_MM = USUAL_MM + 0.12 * np.array([-1.2, 1.1, -0.8, 0.9, 0.2, -0.2])
SURFACE = Surface(
    tolerance_mm=TOLERANCE_MM, registration=Registration(max_shift_mm=20, max_rotation_deg=15)
)


def on_top(points):
    return np.abs(points[:, 2] - 0.02) < 0.5e-3


def shifted(points, where, height_mm):
    """The same points (N, 3), part frame, with some of the plate's top at another height."""
    moved = points.copy()
    moved[where & on_top(points), 2] += height_mm / 1e3
    return moved


def with_pad(points, height_mm):
    x, y = points[:, 0] * 1e3, points[:, 1] * 1e3
    inside = (x > PAD_MM[0][0]) & (x < PAD_MM[0][1]) & (y > PAD_MM[1][0]) & (y < PAD_MM[1][1])
    return shifted(points, inside, height_mm)


def with_dent(points, centre_mm, depth_mm):
    away = np.linalg.norm(points[:, :2] * 1e3 - centre_mm, axis=1)
    return shifted(points, away < 3.0, -depth_mm)


def wobble(seed: int):
    """A pose error of about a millimetre and a degree."""
    axis, shift = np.random.default_rng(100 + seed).normal(size=(2, 3))
    turned = Rotation.from_rotvec(np.radians(0.5) * axis).as_matrix()
    return rigid(turned, 0.7e-3 * shift)


@pytest.fixture(scope='module')
def scan(part, scan_of, scanner_pose):  # noqa: F811
    """Points of one part with a pad, roughly in the part frame."""

    def scanned(seed, pad_mm, change=lambda points: points):
        points = transform_points(scanner_pose, scan_of(part, seed=seed, noise_mm=0.03))[::3]
        return transform_points(wobble(seed), change(with_pad(points, pad_mm))).astype(np.float32)

    return scanned


def good_scans(scan, heights_mm):
    return tuple(
        GoodScan(f'{seed}.ply', str(seed), scan(seed, height))
        for seed, height in enumerate(heights_mm)
    )


@dataclass(frozen=True)
class Judge:
    """Compares scans with what was learned."""

    learned: Learned
    field: ExactField

    def regions(self, points, *, golden_used=True):
        limits, learned = Limits(TOLERANCE_MM), self.learned
        if golden_used:
            golden = GoldenReference(
                learned.reference.vertices,
                learned.mean_mm,
                learned.sigma_mm,
                learned.seen,
                len(HEIGHTS_MM),
                '',
            )
            limits = golden_limits(limits, golden)
        compared = compare(Cloud(points, np.eye(4)), self.field, SURFACE, limits)
        assert compared.registered.ok, compared.registered.reason
        return compared.regions


@pytest.fixture(scope='module')
def judge(scan):
    plan = LearningPlan(TOLERANCE_MM, sensor=SENSOR)
    learned = learn(good_scans(scan, HEIGHTS_MM), plan, lambda *_: None)
    return Judge(learned, ExactField(learned.reference))


def on_pad(learned, margin_mm=2.0):
    middle = learned.reference.vertices * 1e3
    (x0, x1), (y0, y1) = PAD_MM
    return (
        (middle[:, 0] > x0 + margin_mm)
        & (middle[:, 0] < x1 - margin_mm)
        & (middle[:, 1] > y0 + margin_mm)
        & (middle[:, 1] < y1 - margin_mm)
        & (np.abs(middle[:, 2] - 20.3) < 1)
    )


def near(region, centre_mm, within_mm=2.0):
    return np.linalg.norm(region.position_m[:2] * 1e3 - centre_mm) < within_mm


def written(folder, scans, scale=1e3):
    folder.mkdir(exist_ok=True)
    for one in scans:
        (folder / one.name).write_bytes(ply_bytes(one.points * np.float32(scale)))
    return folder


def test_where_good_parts_vary_the_spread_is_learned_and_elsewhere_it_is_small(judge):
    learned, pad = judge.learned, on_pad(judge.learned)
    assert pad.sum() > 50
    # Registration takes a little of it: the pad is a share of the surface.
    assert learned.sigma_mm[pad].mean() == pytest.approx(HEIGHTS_MM.std(ddof=1), rel=0.2)
    assert np.median(learned.sigma_mm[~pad]) < 0.02


def test_the_learned_mesh_lies_on_the_mean_of_the_good_parts(judge, part):  # noqa: F811
    learned = judge.learned
    found = register(
        learned.reference.vertices, np.eye(4), ExactField(part), SURFACE.registration, 20.0
    )
    there = transform_points(found.transform_scan_to_part, learned.reference.vertices)
    away_mm = ExactField(part).measure(there).signed_mm
    pad = on_pad(learned)
    assert np.percentile(np.abs(learned.mean_mm), 95) < 0.05
    assert np.median(np.abs(away_mm[~pad])) < 0.03
    assert away_mm[pad].mean() == pytest.approx(HEIGHTS_MM.mean(), abs=0.06)


def test_no_surface_is_invented_where_no_scan_saw_the_part(judge, scan):
    vertices = judge.learned.reference.vertices
    assert vertices[:, 2].min() > -2e-3
    seen = np.concatenate([scan(seed, height) for seed, height in enumerate(HEIGHTS_MM)])
    assert cKDTree(seen).query(vertices)[0].max() < 4e-3
    below = (vertices[:, 2] < 0.015) & (vertices[:, 1] > 0.02)
    assert not below.any()


def test_a_new_good_part_is_within(judge, scan):
    assert judge.regions(scan(50, 0.35)) == ()


def test_a_dent_where_good_parts_do_not_vary_is_found(judge, scan):
    dented = scan(54, 0.3, lambda points: with_dent(points, (0.0, -20.0), 0.25))
    (region,) = judge.regions(dented)
    assert region.peak_mm == pytest.approx(-0.25, abs=0.06)
    assert near(region, (0.0, -20.0), 3.0)


@pytest.mark.parametrize('change_mm', [0.25, -0.25])
def test_the_same_change_where_good_parts_vary_is_none_unless_the_golden_is_off(
    judge, scan, change_mm
):
    changed = scan(52, USUAL_MM + change_mm)
    assert judge.regions(changed) == ()
    without = judge.regions(changed, golden_used=False)
    assert max(region.area_mm2 for region in without) > 200


def test_more_than_good_parts_vary_is_a_defect_there_too(judge, scan):
    regions = judge.regions(scan(55, USUAL_MM + 0.7))
    assert max(region.area_mm2 for region in regions) > 200


def test_every_good_scan_is_within_what_the_others_allow(judge):
    assert all(one.within for one in judge.learned.left_out)
    assert max(one.p95_mm for one in judge.learned.left_out) < 0.15


def test_a_bad_part_among_the_good_is_named_by_leaving_it_out(judge, scan):
    field = judge.field
    clouds = {f'{i}': scan(i, height) for i, height in enumerate(HEIGHTS_MM)}
    clouds['bad'] = scan(9, 0.3, lambda points: with_dent(points, (0.0, -20.0), 0.5))
    rows = []
    for points in clouds.values():
        found = register(points, np.eye(4), field, SURFACE.registration, 20.0)
        rows.append(
            vertex_deviations_mm(field, transform_points(found.transform_scan_to_part, points))
        )
    blur_m = BLUR * judge.learned.spacing_m
    left_out = leave_one_out(
        list(clouds), np.array(rows), judge.learned.reference, TOLERANCE_MM, 3.0, blur_m
    )
    assert [one.name for one in left_out if not one.within] == ['bad']


def test_what_is_written_fits_together_and_says_where_it_came_from(scan, tmp_path):
    sparse = [GoodScan(one.name, '', one.points[::4]) for one in good_scans(scan, HEIGHTS_MM[:3])]
    folder = written(tmp_path / 'scans', sparse)
    steps = []
    plan = LearningPlan(TOLERANCE_MM, sensor=SENSOR)
    learn_reference(folder, 'mm', tmp_path / 'out', plan, lambda *step: steps.append(step))
    mesh = load_mesh(tmp_path / 'out' / 'reference.ply', 'mm')
    golden = load_golden(tmp_path / 'out' / 'golden.npz', mesh)
    assert golden.scans == 3
    assert mesh.diagonal_m == pytest.approx(0.105, abs=0.02)
    summary = yaml.safe_load((tmp_path / 'out' / 'golden.yaml').read_text())
    assert summary['mesh_sha256'] == mesh.sha256
    assert [one['scan'] for one in summary['inputs']] == ['0.ply', '1.ply', '2.ply']
    assert summary['recipe']['reference'] == {'mesh': 'reference.ply', 'units': 'mm'}
    assert steps[-1][1] == steps[-1][2]


def test_the_command_prints_its_summary_as_one_json_object(scan, tmp_path):
    sparse = [GoodScan(f'{i}.ply', '', scan(i, 0.3)[::4]) for i in range(3)]
    folder = written(tmp_path / 'scans', sparse)
    arguments = ['learn-reference', '--scans', str(folder), '--out', str(tmp_path / 'out')]
    arguments += ['--tolerance-mm', '-0.5', '0.5', '--sensor-mm', '50', '-120', '300', '--json']
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    said = json.loads(done.stdout.splitlines()[-1])
    assert said['scans'] == 3
    assert [one['scan'] for one in said['leave_one_out']] == ['0.ply', '1.ply', '2.ply']
    assert (tmp_path / 'out' / 'golden.npz').is_file()


def test_fewer_than_three_scans_and_missing_folders_are_refused(scan, tmp_path):
    with pytest.raises(DataError, match='there is none'):
        load_good_scans(tmp_path / 'absent', 'mm')
    folder = written(tmp_path / 'two', good_scans(scan, HEIGHTS_MM[:2]))
    with pytest.raises(DataError, match=r'at least 3 scans.*found 2'):
        load_good_scans(folder, 'mm')


def test_scans_in_another_unit_and_copies_are_refused_by_name(scan, tmp_path):
    folder = written(tmp_path / 'mixed', good_scans(scan, HEIGHTS_MM[:4]))
    (folder / '3.ply').write_bytes(ply_bytes(scan(3, 0.3)))
    (folder / 'copy.ply').write_bytes((folder / '0.ply').read_bytes())
    with pytest.raises(DataError, match=r'3\.ply: extends .* same unit') as refused:
        load_good_scans(folder, 'mm')
    assert 'copy.ply: is the same file as 0.ply' in str(refused.value)


def test_a_scan_of_another_part_is_refused_by_name(scan):
    scans = list(good_scans(scan, HEIGHTS_MM[:3]))
    generator = np.random.default_rng(0)
    directions = generator.normal(size=(20_000, 3))
    ball = 0.045 * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    scans[1] = GoodScan('ball.ply', 'b', ball.astype(np.float32))
    plan = LearningPlan(TOLERANCE_MM, sensor=SENSOR)
    with pytest.raises(DataError, match=r'^ball\.ply: does not register: .*explains'):
        learn(scans, plan, lambda *_: None)


def test_a_scan_that_shows_little_of_the_part_is_refused_by_name(scan):
    scans = [GoodScan(f'{i}', '', scan(i, 0.3)[::4]) for i in range(4)]
    points = scans[2].points
    scans[2] = GoodScan('half.ply', 'h', points[points[:, 0] > 0.0])
    plan = LearningPlan(TOLERANCE_MM, sensor=SENSOR)
    with pytest.raises(DataError, match=r'half\.ply: shows \d+% of the common'):
        learn(scans, plan, lambda *_: None)


def test_a_surface_whose_outside_is_not_known_is_refused_with_what_to_say(scan):
    plan = LearningPlan(TOLERANCE_MM)
    with pytest.raises(DataError, match='--sensor-mm'):
        learn(good_scans(scan, HEIGHTS_MM[:3]), plan, lambda *_: None)


def test_stored_parts_give_their_scans_and_bad_ones_are_refused(scan, tmp_path):
    for index, one in enumerate(good_scans(scan, HEIGHTS_MM[:3])):
        view = tmp_path / f'part{index}' / 'top'
        view.mkdir(parents=True)
        (view / 'scanner.ply').write_bytes(ply_bytes(one.points * np.float32(1e3)))
        (view.parent / 'part.yaml').write_text('part_type: plate\nunits: mm\n')
    scans = load_good_scans(tmp_path, 'mm')
    assert [one.name for one in scans] == [f'part{i}/top/scanner.ply' for i in range(3)]
    (tmp_path / 'part1' / 'truth.json').write_text('{"good": false}')
    with pytest.raises(DataError, match='part1: its truth'):
        load_good_scans(tmp_path, 'mm')
    with pytest.raises(DataError, match='part0: its scan is in mm, not in m'):
        load_good_scans(tmp_path, 'm')
