import json

import numpy as np
import open3d as o3d
import pytest
import yaml
from scipy.spatial.transform import Rotation

from inspection_cell.errors import DataError
from inspection_cell.findings import Decision
from inspection_cell.geometry import rigid, transform_points
from inspection_cell.showing.surface_report import write_report
from inspection_cell.surface_files import inspect_files, load_points
from inspection_cell.views.ply import ply_bytes

TURNED = rigid(Rotation.from_rotvec([1.9, -0.7, 1.1]).as_matrix(), (0.2, -0.3, 0.5))
RECIPE = """\
format: 1
part_type: boot
reference: {mesh: boot.stl, units: mm}
presentations:
  top: {pose: {position_mm: [0, 0, 0], rpy_deg: [0, 0, 0]}, sensors: [scanner]}
surface: {tolerance_mm: [-0.3, 0.3]}
coverage: {minimum: 0.95}
"""


def boot() -> o3d.geometry.TriangleMesh:
    """Three boxes of different sizes that no turn maps onto themselves, mm."""
    whole = o3d.geometry.TriangleMesh.create_box(90, 40, 20)
    whole += o3d.geometry.TriangleMesh.create_box(25, 40, 35).translate((0, 0, 20))
    whole += o3d.geometry.TriangleMesh.create_box(12, 15, 22).translate((60, 5, 20))
    return whole


def surface_points(seed: int, noise_mm: float = 0.03) -> np.ndarray:
    """Points of the outside of the boot but its bottom, part frame, mm."""
    o3d.utility.random.seed(seed)
    points = np.asarray(boot().sample_points_uniformly(60_000).points)
    outside = points[:, 2] > 0.1
    outside &= ~((np.abs(points[:, 2] - 20) < 0.1) & (points[:, 0] < 25))
    outside &= ~(
        (np.abs(points[:, 2] - 20) < 0.1)
        & (np.abs(points[:, 0] - 66) < 6)
        & (np.abs(points[:, 1] - 12.5) < 7.5)
    )
    noise = np.random.default_rng(seed).normal(0.0, noise_mm, (int(outside.sum()), 3))
    return points[outside] + noise


@pytest.fixture
def files(tmp_path):
    mesh = boot()
    mesh.compute_triangle_normals()
    o3d.io.write_triangle_mesh(str(tmp_path / 'boot.stl'), mesh)
    good = surface_points(0)
    (tmp_path / 'good.ply').write_bytes(ply_bytes(transform_points(np.linalg.inv(TURNED), good)))
    (tmp_path / 'recipe.yaml').write_text(RECIPE)
    scan_m = transform_points(np.linalg.inv(TURNED), good / 1e3) * 1e3
    (tmp_path / 'good.ply').write_bytes(ply_bytes(scan_m))
    np.savetxt(tmp_path / 'pose.txt', TURNED)
    return tmp_path


@pytest.mark.parametrize('pose_given', [True, False])
def test_a_good_scan_is_accepted_with_and_without_a_pose(files, pose_given):
    poses = [files / 'pose.txt'] if pose_given else []
    result = inspect_files(
        files / 'boot.stl', files / 'good.ply', 'mm', (-0.3, 0.3), initial_poses=poses, seed=1
    )
    assert result.decision is Decision.ACCEPT, result.verdict.reasons
    found = np.array(result.as_json()['transform'])
    assert np.abs(found[:3, :3] - TURNED[:3, :3]).max() < 2e-3
    assert np.abs(found[:3, 3] - TURNED[:3, 3]).max() < 0.5e-3


def raised_patch(files):
    """A scan of a part with one burr, in the part frame; the paths of scan and pose."""
    points = surface_points(0)
    patch = (np.abs(points[:, :2] - (45, 30)) < 4).all(axis=1) & (points[:, 2] > 19)
    points[patch, 2] += 0.8
    (files / 'bad.ply').write_bytes(ply_bytes(points))
    np.savetxt(files / 'here.txt', np.eye(4))
    return files / 'bad.ply', files / 'here.txt'


def test_a_raised_patch_is_a_defect_and_the_reports_show_it(files):
    raised_patch(files)
    result = inspect_files(
        files / 'boot.stl', files / 'bad.ply', 'mm', (-0.3, 0.3), [files / 'here.txt']
    )
    said = json.loads(json.dumps(result.as_json()))
    assert said['decision'] == 'REJECT'
    (defect,) = said['defects']
    assert np.linalg.norm(np.array(defect['position_mm']) - (45, 30, 20)) < 1.5
    assert defect['peak_mm'] == pytest.approx(0.8, abs=0.1)
    assert defect['area_mm2'] == pytest.approx(64, rel=0.3)
    write_report(files / 'report.png', result)
    write_report(files / 'report.html', result)
    picture = o3d.io.read_image(str(files / 'report.png'))
    assert np.asarray(picture).std() > 10
    page = (files / 'report.html').read_text()
    assert 'REJECT' in page
    assert '+0.8' in page or '+0.7' in page


def test_a_scan_in_the_wrong_unit_is_refused_for_its_size(files):
    points = load_points(files / 'good.ply', 'm')
    (files / 'metres.ply').write_bytes(ply_bytes(points / 1e3))
    result = inspect_files(files / 'boot.stl', files / 'metres.ply', 'mm')
    assert 'size does not fit' in result.registered.reason
    assert result.decision not in (Decision.ACCEPT, Decision.REJECT)
    assert result.as_json()['deviation_mm'] is None


def halves(files):
    """The good scan as two files, each in a frame of its own."""
    points = surface_points(0)
    other = np.eye(4)
    other[:3, 3] = 0.01, -0.02, 0.03
    left = points[:, 1] < 22
    np.savetxt(files / 'other.txt', other)
    moved = transform_points(np.linalg.inv(TURNED), points[left] / 1e3) * 1e3
    (files / 'left.ply').write_bytes(ply_bytes(moved))
    moved = transform_points(np.linalg.inv(other), points[~left] / 1e3) * 1e3
    (files / 'right.ply').write_bytes(ply_bytes(moved))
    return [files / 'left.ply', files / 'right.ply'], [files / 'pose.txt', files / 'other.txt']


def test_several_scans_of_one_part_are_judged_as_one_surface(files):
    scans, poses = halves(files)
    alone = [
        inspect_files(files / 'boot.stl', scan, 'mm', (-0.3, 0.3), [pose]).coverage
        for scan, pose in zip(scans, poses, strict=True)
    ]
    both = inspect_files(files / 'boot.stl', scans, 'mm', (-0.3, 0.3), poses)
    assert both.decision is Decision.ACCEPT, both.verdict.reasons
    assert both.points == len(surface_points(0))
    assert both.coverage > 1.3 * max(alone)


def test_as_many_poses_as_scans_are_needed(files):
    scans, poses = halves(files)
    with pytest.raises(DataError, match='expected 2 initial poses'):
        inspect_files(files / 'boot.stl', scans, 'mm', (-0.3, 0.3), poses[:1])


FEATURES = """
zones:
  top: {boxes: [{centre_mm: [50, 30, 20], size_mm: [30, 16, 2]}], facing: {direction: [0, 0, 1]}}
  deck: {boxes: [{centre_mm: [12, 20, 55], size_mm: [20, 30, 2]}], facing: {direction: [0, 0, 1]}}
"""


def test_features_of_the_recipe_are_measured_and_told(files):
    features = (
        '{kind: distance, between: [top, deck], nominal_mm: 35, tolerance_mm: [-0.05, 0.05]}'
    )
    text = RECIPE.replace('minimum: 0.95', 'minimum: 0.1').replace(
        '[-0.3, 0.3]}', f'[-0.3, 0.3], features: {{rise: {features}}}}}'
    )
    (files / 'features.yaml').write_text(text + FEATURES)
    result = inspect_files(
        files / 'boot.stl',
        files / 'good.ply',
        'mm',
        initial_poses=[files / 'pose.txt'],
        recipe=files / 'features.yaml',
    )
    (told,) = json.loads(json.dumps(result.as_json()))['measurements']
    assert (told['name'], told['conformity']) == ('rise', 'conforms')
    assert abs(told['value'] - 35.0) <= told['uncertainty'] < 0.02
    assert result.decision is Decision.ACCEPT, result.verdict.reasons
    assert 'rise: 35.0' in ' '.join(reason.text for reason in result.verdict.reasons)


def test_a_recipe_demands_its_coverage(files):
    result = inspect_files(
        files / 'boot.stl',
        files / 'good.ply',
        'mm',
        initial_poses=[files / 'pose.txt'],
        recipe=files / 'recipe.yaml',
    )
    assert result.decision is Decision.REVIEW
    assert [r.code for r in result.verdict.reasons] == ['coverage']


def test_the_rules_of_the_recipe_are_those_of_the_command(files):
    scan, pose = raised_patch(files)
    lax = {'labels': ['extra_material', 'burr'], 'max_count': 3}
    content = yaml.safe_load(RECIPE) | {'coverage': {'minimum': 0.0}, 'decision': {'rules': [lax]}}
    (files / 'recipe.yaml').write_text(yaml.safe_dump(content))
    result = inspect_files(
        files / 'boot.stl', scan, 'mm', initial_poses=[pose], recipe=files / 'recipe.yaml'
    )
    assert result.decision is Decision.ACCEPT
    assert 'defect_allowed' in [reason.code for reason in result.verdict.reasons]


def test_limits_that_cannot_be_are_refused_in_words(files):
    with pytest.raises(DataError, match=r'limits \(0\.1, 0\.5\)'):
        inspect_files(files / 'boot.stl', files / 'good.ply', 'mm', (0.1, 0.5))


def test_a_scan_of_a_symmetric_piece_of_the_part_is_refused_instead_of_guessed(files):
    cube = o3d.geometry.TriangleMesh.create_box(80, 40, 20)
    o3d.io.write_triangle_mesh(str(files / 'block.ply'), cube)
    cube += o3d.geometry.TriangleMesh.create_box(1, 1, 1)
    o3d.utility.random.seed(1)
    points = np.asarray(cube.sample_points_uniformly(40_000).points)
    points = points[(points[:, 2] > 19.9) & (points[:, 0] < 79)]
    (files / 'top.ply').write_bytes(ply_bytes(points))
    result = inspect_files(files / 'block.ply', files / 'top.ply', 'mm', seed=2)
    assert not result.registered.ok
    assert result.decision not in (Decision.ACCEPT, Decision.REJECT)


@pytest.mark.parametrize('suffix', ['.stl', '.obj', '.pcd', '.ply'])
def test_every_file_kind_gives_points_in_metres(tmp_path, suffix):
    path = tmp_path / f'scan{suffix}'
    mesh = boot()
    mesh.compute_triangle_normals()
    if suffix in ('.stl', '.obj'):
        o3d.io.write_triangle_mesh(str(path), mesh)
    else:
        o3d.io.write_point_cloud(str(path), mesh.sample_points_uniformly(5000))
    points = load_points(path, 'mm')
    assert points.dtype == np.float32
    assert np.ptp(points, axis=0) == pytest.approx([0.09, 0.04, 0.055], rel=0.02)


def test_missing_and_unknown_files_are_refused_by_name(tmp_path):
    with pytest.raises(DataError, match=r'absent\.ply'):
        load_points(tmp_path / 'absent.ply', 'mm')
    (tmp_path / 'scan.txt').write_text('1 2 3')
    with pytest.raises(DataError, match=r'scan\.txt.*\.pcd'):
        load_points(tmp_path / 'scan.txt', 'mm')


@pytest.mark.parametrize('pose_given', [pytest.param(True, marks=pytest.mark.slow), False])
def test_a_symmetric_part_says_so_whether_its_pose_was_given_or_searched(
    tmp_path, monkeypatch, pose_given
):
    monkeypatch.setenv('XDG_DATA_HOME', str(tmp_path / 'data'))
    o3d.utility.random.seed(3)
    block = o3d.geometry.TriangleMesh.create_box(60, 40, 25)
    block.compute_triangle_normals()
    o3d.io.write_triangle_mesh(str(tmp_path / 'block.stl'), block)
    points = np.asarray(block.sample_points_uniformly(40_000).points)
    (tmp_path / 'scan.ply').write_bytes(ply_bytes(points))
    np.savetxt(tmp_path / 'pose.txt', np.eye(4))
    poses = [tmp_path / 'pose.txt'] if pose_given else []
    given = (tmp_path / 'block.stl', tmp_path / 'scan.ply', 'mm', (-0.3, 0.3))
    told = inspect_files(*given, initial_poses=poses, seed=1).as_json()
    assert told['registered']
    assert 'the part looks the same in 4 orientations' in told['note']
    assert ("nearest to the robot's pose" in told['note']) is pose_given
