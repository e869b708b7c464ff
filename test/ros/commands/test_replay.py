import json

import numpy as np
import open3d as o3d
import pytest

from inspection_cell.cell import load_cell
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.pipeline import Pipeline
from inspection_cell.recipe import load_recipe
from inspection_cell.records.store import RecordStore
from inspection_cell.reference import load_reference
from inspection_cell.sim.plan import plan_parts
from inspection_cell.sim.seeds import Purpose
from inspection_cell.sim.station import Station
from inspection_cell.stored_parts import observations, read_stored_parts
from inspection_cell.views.surface import SurfaceInspector

TOGETHER = {'together': ['scanner']}
ALONE = {'scanner at top', 'scanner at tilted'}


@pytest.fixture
def stored(scanner_cell, tmp_path):
    """A good and a defective part as files, made by the simulator."""
    cell = load_cell(scanner_cell.cell)
    recipes = [load_recipe(path) for path in scanner_cell.recipes]
    station = Station(cell, recipes, 3, purpose=Purpose.TEST)
    folder = tmp_path / 'stored'
    for planned in plan_parts(cell, recipes, 2, 3, purpose=Purpose.TEST):
        part = folder / planned.part_id
        recipe = next(r for r in recipes if r.part_type == planned.part_type)
        for presentation in recipe.file.presentations:
            held = station.present(planned, presentation)
            points = station.observe(held, 'scanner').points.astype(np.float64)
            cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points * 1000.0))
            (part / presentation).mkdir(parents=True)
            o3d.io.write_point_cloud(str(part / presentation / 'scanner.ply'), cloud)
            pose = held.transform_part_to_cell_reported
            np.savetxt(part / presentation / 'pose.txt', pose, fmt='%.17g')
        (part / 'part.yaml').write_text(f'part_type: {planned.part_type}\nunits: mm\n')
        truth = {'good': planned.good, 'defects': [{'kind': d.kind} for d in planned.defects]}
        (part / 'truth.json').write_text(json.dumps(truth))
    return folder


def replayed(command, scanner_cell, stored):
    process = command('replay', *scanner_cell.options, '--data', stored, '--json')
    stdout, stderr = process.communicate(timeout=110)
    assert process.returncode == 0, stderr
    return json.loads(stdout.splitlines()[-1])


def in_core(scanner_cell, stored, part_id, data_dir):
    """The verdict of the same files by the same functions, without ROS."""
    cell = load_cell(scanner_cell.cell)
    part = next(p for p in read_stored_parts(stored) if p.part_id == part_id)
    recipes = [load_recipe(path) for path in scanner_cell.recipes]
    recipe = next(r for r in recipes if r.part_type == part.part_type)
    reference = load_reference(recipe)
    inspector = SurfaceInspector(recipe, reference, EvidenceFolder(data_dir))
    store = RecordStore(data_dir)
    pipeline = Pipeline(cell, recipe, reference, {'scanner': inspector}, store)
    seen = observations(part, cell, recipe, part_id, 1)
    verdict = pipeline.inspect(part_id, part_id, seen, 2)
    store.close()
    return verdict


@pytest.mark.parametrize('surface', [{}, TOGETHER], ids=['each', 'together'])
def test_stored_parts_get_the_same_verdict_from_the_nodes_and_from_the_core(
    command, scanner_cell, stored, tmp_path, surface
):
    summary = replayed(command, scanner_cell, stored)
    assert (summary['parts'], summary['good'], summary['defective']) == (2, 1, 1)
    assert summary['unknown'] == 0
    for entry in summary['inspections']:
        verdict = in_core(scanner_cell, stored, entry['part_id'], tmp_path / 'core')
        assert entry['decision'] == verdict.decision.name
        assert entry['reasons'] == [reason.text for reason in verdict.reasons]
        assert [d['label'] for d in entry['defects']] == [d.label for d in verdict.defects]
        sources = {str(source.view) for d in verdict.defects for source in d.sources}
        assert sources <= ({'scanner at top+tilted'} if surface else ALONE)
        for told, defect in zip(entry['defects'], verdict.defects, strict=True):
            assert told['position_mm'] == pytest.approx(defect.position_m * 1000.0, abs=2e-3)
            assert told['peak_mm'] == pytest.approx(defect.peak_mm, abs=2e-3)


@pytest.mark.parametrize(
    'surface',
    [pytest.param({}, id='each'), pytest.param(TOGETHER, id='together', marks=pytest.mark.slow)],
)
@pytest.mark.parametrize('deadline_s', [5.0])
def test_a_view_without_a_stored_frame_is_missing_and_the_part_is_not_accepted(
    command, scanner_cell, stored
):
    for path in stored.glob('*/tilted/scanner.ply'):
        path.unlink()
    summary = replayed(command, scanner_cell, stored)
    assert summary['parts'] == 2
    for entry in summary['inspections']:
        assert entry['decision'] != 'ACCEPT'
    reasons = ' '.join(reason for entry in summary['inspections'] for reason in entry['reasons'])
    assert 'scanner at tilted' in reasons
