import numpy as np
import open3d as o3d
import pytest

from inspection_cell.errors import ConfigError, DataError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import Conformity, PresenceStatus, ViewStatus
from inspection_cell.geometry import invert, pose_difference, rigid, transform_points
from inspection_cell.observations import Image, Observation, Scan, ViewKey
from inspection_cell.recipe import load_recipe
from inspection_cell.surface.golden import GoldenReference
from inspection_cell.views.surface import SurfaceInspector

RECIPE = """\
format: 1
part_type: plate
reference: {mesh: plate.ply, units: m}
presentations:
  top: {pose: {position_mm: [0, 0, 0], rpy_deg: [0, 0, 0]}, sensors: [scanner]}
surface: {tolerance_mm: [-0.15, 0.15]}
"""
PART_TO_CELL = rigid([[0, -1, 0], [1, 0, 0], [0, 0, 1]], (0.4, -0.2, 0.3))


@pytest.fixture(scope='module')
def recipe(tmp_path_factory):
    folder = tmp_path_factory.mktemp('recipe')
    (folder / 'plate.ply').write_bytes(b'not read here')
    (folder / 'recipe.yaml').write_text(RECIPE)
    return load_recipe(folder / 'recipe.yaml')


@pytest.fixture
def inspector(recipe, part, tmp_path):
    return SurfaceInspector(recipe, part, EvidenceFolder(tmp_path, 'host'))


def observed(data, scanner_pose, error=None) -> Observation:
    reported = PART_TO_CELL if error is None else PART_TO_CELL @ error
    view = ViewKey('top', 'scanner')
    return Observation('id', view, 7, data, reported, PART_TO_CELL @ scanner_pose)


def test_a_good_part_is_present_without_findings(inspector, part, scan_of, scanner_pose, tmp_path):
    error = rigid(np.eye(3), (0.4e-3, -0.3e-3, 0.2e-3))
    result = inspector.inspect(observed(Scan(scan_of(part)), scanner_pose, error))
    view = result.view_findings
    assert (view.status, view.findings) == (ViewStatus.OK, ())
    assert view.presence.status is PresenceStatus.PRESENT
    assert '0.54 mm' in view.presence.evidence
    shift_m, angle_rad = pose_difference(view.transform_part_to_cell_refined, PART_TO_CELL)
    assert shift_m < 30e-6
    assert angle_rad < 1e-3
    assert view.reference_hash == part.sha256
    assert [file.kind for file in view.evidence] == ['scan', 'deviation']
    stored = o3d.t.io.read_point_cloud(str(tmp_path / view.evidence[1].name))
    deviation_mm = stored.point['deviation_mm'].numpy()[:, 0]
    assert np.allclose(deviation_mm, result.deviation_mm, atol=1e-5)


def test_what_a_symmetry_leaves_to_the_robots_pose_is_told(
    recipe, part, scan_of, scanner_pose, tmp_path, monkeypatch
):
    note = 'the part looks the same in 2 orientations'
    monkeypatch.setattr('inspection_cell.views.surface.symmetry_note', lambda *_: note)
    inspector = SurfaceInspector(recipe, part, EvidenceFolder(tmp_path, 'host'))
    view = inspector.inspect(observed(Scan(scan_of(part)), scanner_pose)).view_findings
    assert view.presence.evidence.endswith(f'; {note}')


def test_what_counts_as_seen_is_what_faces_the_scanner(inspector, part, scan_of, scanner_pose):
    view = inspector.inspect(observed(Scan(scan_of(part)), scanner_pose)).view_findings
    visible = part.visible(part.samples, part.sample_normals, invert(scanner_pose), np.radians(75))
    assert np.mean(view.seen == visible) > 0.97
    assert not view.seen[part.sample_normals[:, 2] < -0.9].any()


def test_a_dent_is_one_finding_with_signed_value_and_limit(
    inspector, dented_part, scan_of, scanner_pose
):
    view = inspector.inspect(observed(Scan(scan_of(dented_part)), scanner_pose)).view_findings
    (finding,) = view.findings
    assert (finding.label, finding.limit, finding.unit) == ('dent', -0.15, 'mm')
    assert finding.value == finding.peak_mm == pytest.approx(-0.5, abs=0.05)
    assert np.linalg.norm(finding.position_m - (-0.005, -0.02, 0.02)) < 1e-3


@pytest.mark.parametrize(
    'points',
    [
        np.zeros((0, 3)),
        np.zeros((12, 3)),
        np.zeros((5000, 3)),
        np.full((5000, 3), 1e6),
        np.random.default_rng(0).uniform((-0.3, -0.3, 0.0), (0.3, 0.3, 0.6), (5000, 3)),
        np.random.default_rng(0).uniform((-0.3, -0.3, 0.3), (0.3, 0.3, 0.3), (5000, 3)),
    ],
    ids=['empty', 'twelve', 'one place', 'far', 'cloud', 'plane'],
)
def test_what_is_not_the_part_is_not_registered_with_a_reason(inspector, scanner_pose, points):
    scan = Scan(points.astype(np.float32))
    result = inspector.inspect(observed(scan, scanner_pose))
    view = result.view_findings
    assert view.status is ViewStatus.NOT_REGISTERED
    assert view.reason
    assert view.presence.status is PresenceStatus.ABSENT
    assert (view.findings, view.seen, view.transform_part_to_cell_refined) == ((), None, None)
    assert len(result.points_part) == len(result.deviation_mm) == 0


def test_an_image_instead_of_a_scan_is_malformed(inspector, scanner_pose):
    image = Image(np.zeros((4, 4), dtype=np.uint8))
    view = inspector.inspect(observed(image, scanner_pose)).view_findings
    assert view.status is ViewStatus.MALFORMED
    assert 'got Image' in view.reason


def test_a_recipe_without_surface_is_refused(recipe, part, tmp_path):
    path = recipe.path.with_name('without.yaml')
    path.write_text(RECIPE.replace('surface: {tolerance_mm: [-0.15, 0.15]}\n', ''))
    with pytest.raises(DataError, match='section `surface`'):
        SurfaceInspector(load_recipe(path), part, EvidenceFolder(tmp_path, 'host'))


def test_the_same_scan_gives_the_same_findings_again(
    inspector, dented_part, scan_of, scanner_pose
):
    given = observed(Scan(scan_of(dented_part)), scanner_pose)
    first, second = (inspector.inspect(given).view_findings.findings for _ in range(2))
    assert [f.value for f in first] == [f.value for f in second]
    assert np.array_equal(first[0].position_m, second[0].position_m)


MEASURING = RECIPE.replace(
    'surface: {tolerance_mm: [-0.15, 0.15]}',
    """\
zones:
  floor:
    boxes: [{centre_mm: [-30, -20, 20], size_mm: [16, 16, 2]}]
    facing: {direction: [0, 0, 1]}
  step: {boxes: [{centre_mm: [20, 5, 35], size_mm: [18, 26, 2]}], facing: {direction: [0, 0, 1]}}
  below: {boxes: [{centre_mm: [0, 0, 0], size_mm: [30, 30, 2]}], facing: {direction: [0, 0, -1]}}
surface:
  tolerance_mm: [-0.3, 0.3]
  zone_tolerances_mm: {floor: [-0.1, 0.1]}
  masks: [step]
  features:
    height: {kind: distance, between: [floor, step], nominal_mm: 15, tolerance_mm: [-0.05, 0.05]}
    thickness: {kind: distance, between: [floor, below], nominal_mm: 20, tolerance_mm: [-1, 1]}
""",
)


@pytest.fixture(scope='module')
def measuring(part, tmp_path_factory):
    folder = tmp_path_factory.mktemp('measuring')
    (folder / 'plate.ply').write_bytes(b'not read here')
    (folder / 'recipe.yaml').write_text(MEASURING)
    return SurfaceInspector(load_recipe(folder / 'recipe.yaml'), part, EvidenceFolder(folder))


def test_features_are_findings_with_value_limit_and_uncertainty(
    measuring, part, scan_of, scanner_pose
):
    view = measuring.inspect(observed(Scan(scan_of(part)), scanner_pose)).view_findings
    height, thickness = view.findings
    assert (height.label, height.unit) == ('feature_height', 'mm')
    assert abs(height.value - 15.0) <= height.uncertainty < 0.03
    assert height.limit in (14.95, 15.05)
    assert height.conformity is Conformity.CONFORMS
    assert thickness.label == 'feature_thickness'
    assert 'points' in thickness.not_judged  # the scanner stands above


def test_zones_have_their_own_tolerance_and_masks_are_not_judged(
    measuring, part, scan_of, scanner_pose
):
    points = scan_of(part).astype(np.float64)
    placed = transform_points(scanner_pose, points)
    for place in ((-0.03, -0.02, 0.02), (0.02, 0.005, 0.035), (-0.03, 0.022, 0.02)):
        near = np.linalg.norm(placed - place, axis=1) < 2.5e-3
        placed[near, 2] += 0.2e-3 if place[2] < 0.03 else 0.5e-3
    scan = Scan(transform_points(invert(scanner_pose), placed).astype(np.float32))
    findings = measuring.inspect(observed(scan, scanner_pose)).view_findings.findings
    regions = {finding.not_judged: finding for finding in findings if finding.peak_mm}
    assert set(regions) == {'', 'masked by zone step'}  # the third is within ±0.3 mm
    assert regions[''].limit == 0.1
    assert regions[''].position_m[:2] == pytest.approx((-0.03, -0.02), abs=1e-3)


@pytest.mark.parametrize(
    ('entry', 'key'),
    [
        ('masks: [nowhere]', 'surface.masks'),
        ('zone_tolerances_mm: {nowhere: [-1, 1]}', 'surface.zone_tolerances_mm.nowhere'),
        ('features: {f: {kind: flatness, zone: nowhere, tolerance_mm: 1, filter: none}}', 'zone'),
    ],
)
def test_zones_that_the_recipe_lacks_are_refused_by_name(tmp_path, entry, key):
    (tmp_path / 'plate.ply').write_bytes(b'not read here')
    surface = f'surface: {{tolerance_mm: [-0.15, 0.15], {entry}}}'
    text = RECIPE.replace('surface: {tolerance_mm: [-0.15, 0.15]}', surface)
    (tmp_path / 'recipe.yaml').write_text(text)
    with pytest.raises(ConfigError, match=key):
        load_recipe(tmp_path / 'recipe.yaml')


def test_a_learned_reference_allows_what_good_parts_do(part, scan_of, scanner_pose, tmp_path):
    """The surface of good parts varies around one place: a change there is no defect."""
    place = np.array([-0.03, -0.022, 0.02])
    spots = np.concatenate([part.samples, place[None]])
    apart = np.linalg.norm(spots - place, axis=1)
    sigma_mm = np.where(apart < 6e-3, 0.15, 0.0)
    golden = GoldenReference(spots, 0 * sigma_mm, sigma_mm, np.full(len(spots), 9), 9, part.sha256)
    golden.save(tmp_path / 'golden.npz')
    (tmp_path / 'plate.ply').write_bytes(b'not read here')
    placed = transform_points(scanner_pose, scan_of(part).astype(np.float64))
    placed[np.linalg.norm(placed - place, axis=1) < 2e-3, 2] += 0.25e-3
    scan = Scan(transform_points(invert(scanner_pose), placed).astype(np.float32))
    found = []
    for entry in ('golden: golden.npz', 'golden_sigmas: 3'):
        text = RECIPE.replace('[-0.15, 0.15]', f'[-0.15, 0.15], {entry}')
        (tmp_path / 'recipe.yaml').write_text(text)
        inspector = SurfaceInspector(
            load_recipe(tmp_path / 'recipe.yaml'), part, EvidenceFolder(tmp_path)
        )
        found.append(inspector.inspect(observed(scan, scanner_pose)).view_findings.findings)
    assert found[0] == ()
    assert [finding.label for finding in found[1]] == ['burr']


def test_a_learned_reference_that_is_missing_or_of_another_mesh_is_refused(part, tmp_path):
    (tmp_path / 'plate.ply').write_bytes(b'not read here')
    text = RECIPE.replace('[-0.15, 0.15]', '[-0.15, 0.15], golden: golden.npz')
    (tmp_path / 'recipe.yaml').write_text(text)
    with pytest.raises(ConfigError, match=r'surface\.golden'):
        load_recipe(tmp_path / 'recipe.yaml')
    nothing = np.zeros(len(part.samples))
    other = GoldenReference(part.samples, nothing, nothing, nothing.astype(int), 3, 'other')
    other.save(tmp_path / 'golden.npz')
    with pytest.raises(DataError, match='belongs to the mesh other'):
        SurfaceInspector(load_recipe(tmp_path / 'recipe.yaml'), part, EvidenceFolder(tmp_path))
