"""Recorded findings judged again: the same recipe says the same, another one says what changes."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from recorded_plate import RecordedPlate

from inspection_cell.cell import load_cell
from inspection_cell.errors import DataError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import Decision, Verdict
from inspection_cell.fusion.fuse import Fuser
from inspection_cell.locations import demo_recipes
from inspection_cell.observations import Observation, ViewKey
from inspection_cell.pipeline import Pipeline
from inspection_cell.recipe import RecipeFile, load_recipe
from inspection_cell.records.serialisation import verdict_to_json
from inspection_cell.records.store import RecordStore
from inspection_cell.reference import load_reference
from inspection_cell.rejudging import count_changes, not_applied, rejudge
from inspection_cell.sim.plan import plan_parts
from inspection_cell.sim.station import Station
from inspection_cell.verdict import withhold
from inspection_cell.views.surface import SurfaceInspector

CONFIG = Path(__file__).parents[1] / 'config'
IN_SEAL, BESIDE, FAR_BESIDE = (-20, 5, 2), (20, 5, 2), (40, -20, 2)
NONE_IN_SEAL = {'rules': [{'labels': ['stain'], 'zones': ['seal'], 'max_count': 0}]}


@pytest.fixture(scope='module')
def line(tmp_path_factory):
    """Parts of every decision, recorded."""
    line = RecordedPlate(tmp_path_factory.mktemp('line'))
    line.inspect('good', 'p1')
    line.inspect('seal', 'p2', [IN_SEAL])
    line.inspect('two', 'p3', [BESIDE, FAR_BESIDE])
    line.inspect('blind', 'p4', [IN_SEAL], views=['above', 'scanner'])
    line.inspect('unseen', 'p5', views=['above'])
    yield line
    line.store.close()


def again(line, name, recipe=None):
    fuser = Fuser(recipe or line.recipe, line.cell, line.reference)
    return rejudge(line.store.get(name).verdict, fuser)


@pytest.mark.parametrize('name', ['good', 'seal', 'two', 'blind', 'unseen'])
def test_the_recipe_of_the_record_gives_the_identical_verdict(line, name):
    result = again(line, name)
    assert verdict_to_json(result.after) == verdict_to_json(result.before)
    assert (result.gone, result.new) == ((), ())


def test_another_recipe_tells_what_changes_and_why(line):
    stricter = line.with_recipe('stricter.yaml', decision=NONE_IN_SEAL)
    result = again(line, 'seal', stricter)
    assert result.decisions == (Decision.ACCEPT, Decision.REJECT)
    assert [reason.code for reason in result.new] == ['rule_count']
    assert {reason.code for reason in result.gone} == {'accepted', 'defect_within_limit'}
    assert again(line, 'two', stricter).decisions == (Decision.ACCEPT, Decision.ACCEPT)
    assert result.after.recipe_hash == stricter.sha256 != result.before.recipe_hash


def test_the_pipeline_knows_the_zones_of_defects(tmp_path):
    line = RecordedPlate(tmp_path, decision=NONE_IN_SEAL)
    assert line.inspect('i1', 'p1', [BESIDE]).decision is Decision.ACCEPT
    assert line.inspect('i2', 'p2', [IN_SEAL]).decision is Decision.REJECT
    line.store.close()


def test_changes_are_counted_by_decision(line):
    stricter = line.with_recipe('stricter.yaml', decision=NONE_IN_SEAL)
    names = ['good', 'seal', 'two', 'blind', 'unseen']
    counted = count_changes(again(line, name, stricter) for name in names)
    assert counted == {
        (Decision.ACCEPT, Decision.ACCEPT): 2,
        (Decision.ACCEPT, Decision.REJECT): 1,
        (Decision.UNKNOWN, Decision.REJECT): 1,
        (Decision.UNKNOWN, Decision.UNKNOWN): 1,
    }


def test_a_view_that_only_the_other_recipe_asks_for_is_missing_and_never_accepted(line):
    held = {'pose': {'position_mm': [0, 0, 0], 'rpy_deg': [0, 0, 90]}, 'sensors': ['above']}
    more = {**line.recipe.file.model_dump(mode='json')['presentations'], 'turned': held}
    for name, pose in more.items():
        more[name] = {
            'pose': {k: v for k, v in pose['pose'].items() if v is not None},
            'sensors': pose['sensors'],
        }
    result = again(line, 'good', line.with_recipe('more.yaml', presentations=more))
    assert result.decisions == (Decision.ACCEPT, Decision.UNKNOWN)
    assert result.new[0].code == 'view_missing'


def test_what_withheld_a_verdict_still_does(line):
    held = withhold(line.store.get('good').verdict, 'disk_full', '3 MB free')
    result = rejudge(held, Fuser(line.recipe, line.cell, line.reference))
    assert verdict_to_json(result.after) == verdict_to_json(held)


def test_records_that_cannot_be_judged_are_refused_with_the_reason(line):
    fuser = Fuser(line.recipe, line.cell, line.reference)
    verdict = line.store.get('good').verdict
    with pytest.raises(DataError, match='is of a ring'):
        rejudge(replace(verdict, part_type='ring'), fuser)
    with pytest.raises(DataError, match='before there were findings'):
        rejudge(Verdict('i9', 'p9', 'plate'), fuser)


def test_nothing_is_written(line):
    before = hashlib.sha256(line.store.path.read_bytes()).digest()
    rows = line.store.list()
    again(line, 'seal', line.with_recipe('stricter.yaml', decision=NONE_IN_SEAL))
    assert len(line.store.list()) == len(rows)
    assert hashlib.sha256(line.store.path.read_bytes()).digest() == before


@pytest.mark.timeout(400)  # where no test before has computed the reference's distances
def test_real_scans_of_simulated_parts_are_judged_again_to_the_bit(tmp_path):
    cell = load_cell(CONFIG / 'cells' / 'demo.yaml')
    recipe = load_recipe(CONFIG / 'recipes' / 'bracket' / 'recipe.yaml')
    content = recipe.file.model_dump()
    content['presentations'] = {'top': content['presentations']['top'] | {'sensors': ['scanner']}}
    content['coverage']['minimum'] = 0.3
    recipe = replace(recipe, file=RecipeFile.model_validate(content))
    reference = load_reference(recipe)
    inspector = SurfaceInspector(recipe, reference, EvidenceFolder(tmp_path, 'host'))
    store = RecordStore(tmp_path)
    line = Pipeline(cell, recipe, reference, {'scanner': inspector}, store)
    station = Station(cell, [recipe], 7)
    fuser = Fuser(recipe, cell, reference)
    for part in plan_parts(cell, [recipe], 3, 7):
        held = station.present(part, 'top')
        observation = Observation(
            part.part_id,
            ViewKey('top', 'scanner'),
            5,
            station.observe(held, 'scanner'),
            held.transform_part_to_cell_reported,
            cell.sensors['scanner'].pose.transform(),
        )
        line.inspect(part.part_id, part.part_id, [observation], 9)
        result = rejudge(store.get(part.part_id).verdict, fuser)
        assert verdict_to_json(result.after) == verdict_to_json(result.before)
    store.close()


def test_keys_that_inspectors_have_read_too_are_told_as_not_applied():
    recipe = load_recipe(demo_recipes()[0])
    steeper = recipe.file.coverage.model_copy(update={'max_incidence_deg': 45.0})
    changed = replace(recipe, file=recipe.file.model_copy(update={'coverage': steeper}))
    assert not_applied(recipe, changed) == ('coverage.max_incidence_deg',)


def test_a_zone_is_told_as_not_applied_only_where_inspectors_look_by_it(line):
    zone = {'boxes': [{'centre_mm': (0, 0, 2), 'size_mm': (9, 9, 1)}]}
    content = line.recipe.file.model_dump(mode='json')
    content['zones'] = {**content['zones'], 'edge': zone}
    larger = {**content['zones'], 'edge': {'boxes': [{**zone['boxes'][0], 'size_mm': (8, 8, 1)}]}}

    def told(surface):
        before, after = (
            replace(line.recipe, file=RecipeFile.model_validate({**content, **one}))
            for one in (surface, {**surface, 'zones': larger})
        )
        return not_applied(before, after)

    assert told({}) == ()
    masked = {'surface': {**content['surface'], 'masks': ['edge']}}
    assert told(masked) == ('zones.edge.boxes',)
