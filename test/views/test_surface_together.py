"""Scans of several presentations as one surface: what each alone cannot show, they show together.

Each test fails where `surface.together` is left out of the recipe.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from featured_part import BORES_MM, featured_mesh, simulate

from inspection_cell.cell import Cell, CellFile
from inspection_cell.errors import DataError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import Decision, PresenceStatus, ViewStatus
from inspection_cell.fusion.fuse import Fuser
from inspection_cell.geometry import from_rpy, invert, look_at, transform_points
from inspection_cell.observations import Image, Observation, Scan, ViewKey
from inspection_cell.pipeline import Pipeline
from inspection_cell.recipe import Recipe, RecipeFile
from inspection_cell.records.serialisation import verdict_to_json
from inspection_cell.records.store import RecordStore
from inspection_cell.rejudging import rejudge
from inspection_cell.verdict import judge
from inspection_cell.views.joint_scans import joint_scans
from inspection_cell.views.surface import SurfaceInspector
from inspection_cell.views.waiting_scans import WaitingScans

SCANNER_TO_CELL = look_at((0.0, 0.1, 0.6), (0.0, 0.0, 0.2))
STATIONS = {  # transform_scanner_to_part
    'top': look_at((0.05, -0.12, 0.30), (0.0, 0.0, 0.01)),
    'side': look_at((-0.05, 0.12, 0.30), (0.0, 0.0, 0.01)),
}
PLACE = np.array([-0.03, -0.022, 0.02])  # on the plate's top
ROBOT_ERROR = from_rpy((0.4e-3, -0.3e-3, 0.5e-3), (0.002, -0.001, 0.003))
JOINT = ViewKey('top+side', 'scanner')
BORE = {
    'kind': 'bore',
    'axis_point_mm': (*BORES_MM['bore_12'][:2], 15.0),
    'direction': (0.0, 0.0, -1.0),
    'diameter_mm': 12.0,
    'depth_mm': 10.0,
    'tolerance_mm': (-0.1, 0.1),
    'position_tolerance_mm': 0.5,
}


def cell():
    scanner = {
        'kind': 'scanner',
        'topic': 'scan',
        'pose': {'position_mm': (0, 100, 600), 'look_at_mm': (0, 0, 200)},
    }
    content = {'format': 1, 'name': 'bench', 'sensors': {'scanner': scanner}}
    return Cell(Path('cell.yaml'), 'cell-hash', CellFile.model_validate(content))


def recipe(together=True, **surface):
    pose = {'position_mm': (0, 0, 200), 'rpy_deg': (0, 0, 0)}
    file = RecipeFile.model_validate(
        {
            'format': 1,
            'part_type': 'plate',
            'reference': {'mesh': 'plate.ply', 'units': 'm'},
            'presentations': {name: {'pose': pose, 'sensors': ('scanner',)} for name in STATIONS},
            'surface': {
                'tolerance_mm': (-0.3, 0.3),
                'together': ('scanner',) if together else (),
                **surface,
            },
        }
    )
    return Recipe(Path('recipe.yaml'), 'recipe-hash', file)


def observed(name, points_part, error=ROBOT_ERROR, inspection_id='i1', stamp_ns=5):
    """A scan of exact points in the part frame, with what the robot says of the part's place."""
    to_scanner = invert(STATIONS[name])
    points = transform_points(to_scanner, points_part).astype(np.float32)
    return Observation(
        inspection_id,
        ViewKey(name, 'scanner'),
        stamp_ns,
        Scan(points),
        SCANNER_TO_CELL @ to_scanner @ error,
        SCANNER_TO_CELL,
    )


@pytest.fixture
def line(part, tmp_path):
    """Inspects observations by a recipe."""
    stores = []

    def inspect(by, observations, reference=part):
        inspector = SurfaceInspector(by, reference, EvidenceFolder(tmp_path, 'host'))
        stores.append(RecordStore(tmp_path / str(len(stores))))
        line = Pipeline(cell(), by, reference, {'scanner': inspector}, stores[-1])
        return line.inspect('i1', 'p1', observations, 9)

    yield inspect
    for store in stores:
        store.close()


@pytest.fixture(scope='module')
def scans(part, scan_of):
    """Points (N, 3) of a good part from both sides, part frame."""
    return {
        name: transform_points(pose, scan_of(part, seed=n, transform_part_to_scanner=invert(pose)))
        for n, (name, pose) in enumerate(STATIONS.items())
    }


def raised(points, width_mm=4.5):
    near = np.linalg.norm(points - PLACE, axis=1) < width_mm / 2e3
    return points + near[:, None] * np.array([0, 0, 0.8e-3])


def cut(scans):
    """The same scans, as if the one saw the left and the other the right of PLACE only."""
    left = scans['top'][:, 0] < PLACE[0]
    right = scans['side'][:, 0] >= PLACE[0]
    far = scans['top'][:, 0] > PLACE[0] + 15e-3
    return {'top': scans['top'][left | far], 'side': scans['side'][right]}


def both(scans, **changes):
    return [observed(name, points, **changes) for name, points in scans.items()]


def test_a_defect_on_the_seam_too_small_for_each_scan_is_found_in_both_together(line, scans):
    seen = both(cut({name: raised(points) for name, points in scans.items()}))
    alone = line(recipe(together=False, min_area_mm2=10.0), seen)
    assert alone.decision is Decision.ACCEPT, alone.reasons
    verdict = line(recipe(min_area_mm2=10.0), seen)
    assert verdict.decision is Decision.REJECT
    (defect,) = verdict.defects
    assert defect.label == 'burr'
    assert {source.view for source in defect.sources} == {JOINT}
    assert np.linalg.norm(defect.position_m - PLACE) < 1e-3
    assert defect.area_mm2 == pytest.approx(np.pi / 4 * 4.5**2, rel=0.25)
    assert 'seen by scanner at top+side' in verdict.reasons[0].text


def test_what_both_scans_show_is_one_defect_of_one_view(line, scans):
    verdict = line(recipe(), both({name: raised(points) for name, points in scans.items()}))
    (defect,) = verdict.defects
    assert len(defect.sources) == 1
    assert [len(view.findings) for view in verdict.views] == [0, 0, 1]


def test_a_good_part_is_accepted_and_its_coverage_is_that_of_both_scans(line, scans, part):
    verdict = line(recipe(), both(scans))
    assert verdict.decision is Decision.ACCEPT, verdict.reasons
    seen = [
        part.visible(part.samples, part.sample_normals, invert(pose), np.radians(75))
        for pose in STATIONS.values()
    ]
    assert verdict.coverage.share == pytest.approx((seen[0] | seen[1]).mean(), abs=0.03)
    assert verdict.coverage.share > 1.1 * max(one.mean() for one in seen)
    *own, joint = verdict.views
    assert joint.view == JOINT
    for view in own:
        assert view.is_evidence
        assert view.transform_part_to_cell_refined is not None
    assert 'one surface of scanner at top and scanner at side' in joint.presence.evidence
    assert [file.kind for view in verdict.views for file in view.evidence] == [
        'scan',
        'scan',
        'deviation',
    ]


def test_the_diameter_of_a_bore_needs_the_halves_that_two_scans_see(line):
    mesh = featured_mesh()
    made = simulate(3, density=12.0)
    x, y, diameter = (value / 1e3 for value in BORES_MM['bore_12'])
    wall = np.hypot(made.points[:, 0] - x, made.points[:, 1] - y) < 0.55 * diameter
    halves = {
        'top': made.points[~wall | (made.points[:, 0] < x - 0.8 * diameter / 2)],
        'side': made.points[~wall | (made.points[:, 0] > x + 0.8 * diameter / 2)],
    }
    limits = {'features': {'bore': BORE}, 'tolerance_mm': (-0.5, 0.5), 'crop_mm': 3.0}
    alone, together = (
        line(recipe(joined, **limits), both(halves), mesh) for joined in (False, True)
    )
    assert 'feature_not_measured' in {reason.code for reason in alone.reasons}
    (found,) = (f for f in together.views[2].findings if f.label == 'feature_bore')
    assert found.value == pytest.approx(made.truth['bore_12'], abs=0.010)
    told = ' '.join(reason.text for reason in together.reasons)
    assert 'seen by scanner at top+side' in told


def told(line, scans, order, part, tmp_path):
    """The joint findings when the scans come in some order."""
    by = recipe()
    required = by.file.joint_scans
    inspector = SurfaceInspector(by, part, EvidenceFolder(tmp_path, 'host'))
    waiting = WaitingScans(8)
    complete = None
    for observation in [both(scans)[i] for i in order]:
        assert complete is None
        waiting.keep(observation, required, inspector)
        complete = waiting.said(inspector.inspect(observation).view_findings, required)
    assert len(waiting) == 0
    findings = complete.judge.inspect_together(complete.scans).view_findings
    return replace(findings, inspect_s=0.0)


def test_the_order_of_arrival_does_not_matter(line, scans, part, tmp_path):
    dented = {name: raised(points) for name, points in scans.items()}
    first, second = (told(line, dented, order, part, tmp_path) for order in ((0, 1), (1, 0)))
    assert first.findings
    verdict = line(recipe(), both(dented))
    joint = replace(verdict.views[2], inspect_s=0.0)
    texts = [verdict_to_json(replace(verdict, views=(view,))) for view in (first, second, joint)]
    assert texts[0] == texts[1] == texts[2]


def test_a_missing_scan_is_told_and_what_is_there_is_judged(line, scans):
    good = line(recipe(), [observed('top', scans['top'])])
    assert good.decision is Decision.UNKNOWN
    assert [view.status for view in good.views] == [
        ViewStatus.OK,
        ViewStatus.MISSING,
        ViewStatus.OK,
    ]
    assert 'without scanner at side (MISSING)' in good.views[2].presence.evidence
    bad = line(recipe(), [observed('top', raised(scans['top']))])
    assert bad.decision is Decision.REJECT


@pytest.mark.parametrize('name', ['top', 'side'])
def test_a_scan_of_something_else_does_not_take_part_and_is_not_accepted(line, scans, name):
    ball = np.random.default_rng(0).normal(size=(20_000, 3))
    ball *= 0.025 / np.linalg.norm(ball, axis=1)[:, None]
    verdict = line(recipe(), both({**scans, name: ball}))
    assert verdict.decision is Decision.REVIEW
    statuses = {str(view.view): view.status for view in verdict.views}
    assert statuses[f'scanner at {name}'] is ViewStatus.NOT_REGISTERED
    assert f'without scanner at {name} (NOT_REGISTERED)' in verdict.views[2].presence.evidence


def test_an_image_instead_of_a_scan_does_not_take_part(line, scans):
    image = replace(observed('top', scans['top']), data=Image(np.zeros((4, 4), dtype=np.uint8)))
    verdict = line(recipe(), [image, observed('side', scans['side'])])
    assert verdict.decision is Decision.UNKNOWN
    assert 'without scanner at top (MALFORMED)' in verdict.views[2].presence.evidence


@pytest.mark.parametrize('scan', [[], ['top']])
def test_without_any_scan_of_the_part_nothing_is_accepted(line, scan):
    nothing = np.random.default_rng(0).uniform(0.3, 0.4, (5000, 3))
    verdict = line(recipe(), [observed(name, nothing) for name in scan])
    assert verdict.decision is Decision.UNKNOWN
    assert verdict.views[2].status is ViewStatus.MISSING
    assert 'no scan' in verdict.views[2].reason


def test_a_scan_that_alone_could_slide_is_held_by_the_other(line, scans):
    """Of the side only a window on the plate's top is seen: it could slide there."""
    flat = scans['side']
    window = (np.abs(flat[:, 2] - 0.02) < 0.4e-3) & (np.abs(flat[:, 1] + 0.02) < 8e-3)
    seen = both({'top': scans['top'], 'side': flat[window]})
    alone = line(recipe(together=False), seen)
    assert alone.views[1].status is ViewStatus.NOT_REGISTERED
    verdict = line(recipe(), seen)
    assert verdict.decision is Decision.ACCEPT, verdict.reasons
    assert verdict.views[1].presence.status is PresenceStatus.PRESENT
    assert 'together' in verdict.views[1].presence.evidence
    only = line(recipe(), seen[1:])
    assert only.views[1].presence.status is PresenceStatus.UNKNOWN
    assert only.decision is Decision.UNKNOWN


def test_a_scan_that_could_slide_does_not_carry_the_robots_error(line, scans):
    """The robot reached the second pose 0.35 mm too high: within ±0.3 mm nothing is wrong."""
    flat = scans['side']
    window = (np.abs(flat[:, 2] - 0.02) < 0.4e-3) & (np.abs(flat[:, 1] + 0.02) < 8e-3)
    higher = from_rpy((0.0, 0.0, 0.35e-3), (0.0, 0.0, 0.0))
    seen = [
        observed('top', scans['top'], np.eye(4)),
        observed('side', flat[window], higher),
    ]
    verdict = line(recipe(), seen)
    assert verdict.decision is Decision.ACCEPT, verdict.reasons


def test_scans_are_put_into_the_order_of_the_recipe(scans):
    required = recipe().file.joint_scans
    joint = joint_scans('i1', required, [], both(scans)[::-1])
    assert [scan.own.view for scan in joint.scans] == list(required)
    assert joint.view == JOINT
    assert joint.taking_part == ()  # no view has said that its scan is valid


@pytest.mark.parametrize('together', [True, False])
def test_records_are_not_judged_again_by_a_recipe_that_joins_other_scans(
    line, scans, part, together
):
    """Scans that were judged together have no findings of their own."""
    verdict = line(recipe(together), both(scans))
    same, other = (Fuser(recipe(joined), cell(), part) for joined in (together, not together))
    assert rejudge(verdict, same).after.decision is verdict.decision is Decision.ACCEPT
    with pytest.raises(DataError, match='judged together'):
        rejudge(verdict, other)


def test_what_no_joint_view_has_said_is_not_accepted(scans, part, tmp_path):
    """The views of the scans alone prove nothing about the surface."""
    by = recipe()
    inspector = SurfaceInspector(by, part, EvidenceFolder(tmp_path, 'host'))
    views = [inspector.inspect(one).view_findings for one in both(scans)]
    verdict = judge(
        by,
        Fuser(by, cell(), part).fuse(views),
        views,
        inspection_id='i1',
        part_id='p1',
        stamp_ns=9,
        cell_hash='',
    )
    assert verdict.decision is Decision.UNKNOWN
    assert verdict.coverage.share == 0.0
    assert 'scanner at top+side is missing' in verdict.reasons[0].text
