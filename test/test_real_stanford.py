"""Real range scans through the same inspector, fusion and verdict as in the cell."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from inspection_cell.cell import load_cell
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import Decision, Verdict, ViewStatus
from inspection_cell.fusion.fuse import fuse
from inspection_cell.recipe import load_recipe
from inspection_cell.reference import load_mesh
from inspection_cell.stored_parts import observations, read_stored_parts
from inspection_cell.verdict import judge
from inspection_cell.views.surface import SurfaceInspector

DATA = os.environ.get('INSPECTION_CELL_DATA', '')
pytestmark = pytest.mark.skipif(not DATA, reason='INSPECTION_CELL_DATA is not set')
sys.path.append(str(Path(__file__).parent / 'real'))


@pytest.fixture(scope='module')
def cases(tmp_path_factory):
    from stanford import prepare

    out = tmp_path_factory.mktemp('stanford')
    prepare(Path(DATA), out)
    return out


def verdicts(case: Path) -> dict[str, Verdict]:
    cell, recipe = load_cell(case.parent / 'cell.yaml'), load_recipe(case / 'recipe.yaml')
    reference = load_mesh(recipe.mesh_path, 'm')
    inspector = SurfaceInspector(recipe, reference, EvidenceFolder(case / 'data'))
    found = {}
    for part in read_stored_parts(case / 'parts'):
        given = observations(part, cell, recipe, part.part_id, 1)
        views = [inspector.inspect(observation).view_findings for observation in given]
        found[part.part_id] = judge(
            recipe,
            fuse(recipe, cell, reference, views),
            views,
            inspection_id=part.part_id,
            part_id=part.part_id,
            stamp_ns=1,
            cell_hash='',
        )
    return found


@pytest.mark.parametrize('case', ['untouched', 'offset'])
def test_every_untouched_scan_is_accepted_also_from_a_pose_5_mm_and_5_degrees_off(cases, case):
    found = verdicts(cases / case)
    assert len(found) == 5
    for verdict in found.values():
        assert verdict.decision is Decision.ACCEPT, verdict.reasons
        assert verdict.coverage.share > 0.28


# Each has a mesh of its own to prepare.
@pytest.mark.parametrize('scan', ['bun000', pytest.param('bun180', marks=pytest.mark.slow)])
def test_a_bump_that_the_part_lacks_is_rejected_and_found_where_it_is(cases, scan):
    from stanford import read_stored_truth

    case = cases / f'bump_{scan}'
    verdict = verdicts(case)[scan]
    assert verdict.decision is Decision.REJECT, verdict.reasons
    position_m = read_stored_truth(case, scan)
    apart_m = [np.linalg.norm(defect.position_m - position_m) for defect in verdict.defects]
    assert len(apart_m) == 1
    assert min(apart_m) < 4e-3
    assert verdict.defects[0].peak_mm == pytest.approx(-1.9, abs=0.4)


@pytest.mark.parametrize('case', ['wrong_object', 'millimetres'])
def test_another_object_and_wrong_units_are_not_registered_and_never_accepted(cases, case):
    found = verdicts(cases / case)
    assert len(found) == 5
    for verdict in found.values():
        assert verdict.views[0].status is ViewStatus.NOT_REGISTERED
        assert verdict.decision not in (Decision.ACCEPT, Decision.REJECT)
