"""The whole inspection without ROS: what is observed becomes a verdict, a record, a command."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from inspection_cell.cell import Cell, CellFile, load_cell
from inspection_cell.disposition import Action
from inspection_cell.errors import ConfigError, DataError, StoreError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import (
    Decision,
    Finding,
    Presence,
    PresenceStatus,
    ViewFindings,
    ViewStatus,
)
from inspection_cell.observations import Image, Observation, ViewKey
from inspection_cell.pipeline import Pipeline
from inspection_cell.recipe import Recipe, RecipeFile, load_recipe
from inspection_cell.records.serialisation import verdict_to_json
from inspection_cell.records.store import RecordStore
from inspection_cell.reference import ReferenceMesh, load_mesh
from inspection_cell.sim.defects import DefectKind
from inspection_cell.sim.plan import Fault, PlannedPart, plan_parts
from inspection_cell.sim.station import Station
from inspection_cell.views.surface import SurfaceInspector

CONFIG = Path(__file__).parents[1] / 'config'
POSE = {'position_mm': (0, 0, 0), 'rpy_deg': (0, 0, 0)}
INTRINSICS = {'width': 64, 'height': 48, 'fx': 60, 'fy': 60, 'cx': 31.5, 'cy': 23.5}
SENSORS = {
    name: {
        'kind': 'camera',
        'topic': name,
        'pose': {'position_mm': eye, 'look_at_mm': (0, 0, 0)},
        'intrinsics': INTRINSICS,
    }
    for name, eye in (('above', (0, 0, 200)), ('below', (0, 0, -200)))
}


@dataclass(frozen=True)
class Told:
    view_findings: ViewFindings


class SpotInspector:
    """Takes the brightest pixel for a stain; a black image shows no part."""

    def inspect(self, observation):
        pixels = observation.data.pixels
        there = bool(pixels.any())
        spots = []
        if pixels.max(initial=0) > 200:
            row, column = np.unravel_index(np.argmax(pixels), pixels.shape)
            box = np.array([column - 1.0, row - 1.0, column + 1.0, row + 1.0])
            spots = [Finding('stain', 0.9, box_px=box)]
        status = PresenceStatus.PRESENT if there else PresenceStatus.ABSENT
        return Told(
            ViewFindings(
                observation.inspection_id,
                observation.view,
                ViewStatus.OK,
                presence=Presence(status, 'brightness'),
                findings=tuple(spots),
                transform_part_to_sensor=observation.transform_part_to_sensor,
                intrinsics=observation.intrinsics,
            )
        )


class BrokenInspector:
    def inspect(self, observation):
        raise DataError('the lens cap is on')


def plate():
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    triangles = [t for a, b, c, d in faces for t in ((a, b, c), (a, c, d))]
    return ReferenceMesh((corners - 0.5) * (0.1, 0.08, 0.004), np.array(triangles))


def cell(**sections):
    content = {'format': 1, 'name': 'bench', 'sensors': SENSORS, **sections}
    return Cell(Path('cell.yaml'), 'cell-hash', CellFile.model_validate(content))


RECIPE = Recipe(
    Path('recipe.yaml'),
    'recipe-hash',
    RecipeFile.model_validate(
        {
            'format': 1,
            'part_type': 'plate',
            'reference': {'mesh': 'plate.ply', 'units': 'm'},
            'presentations': {'top': {'pose': POSE, 'sensors': ('above', 'below')}},
            'detection': {'model': 'm', 'classes': {'stain': {}}},
            'coverage': {'minimum': 0.8},
        }
    ),
)


def observed(name, grey=100, spot=False, inspection_id='i1'):
    pixels = np.full((48, 64), grey, dtype=np.uint8)
    if spot:
        pixels[24, 32] = 255
    camera = cell().cameras[name]
    return Observation(
        inspection_id,
        ViewKey('top', name),
        5,
        Image(pixels),
        np.eye(4),
        camera.pose.transform(),
        camera.intrinsics.value(),
    )


@pytest.fixture
def store(tmp_path):
    store = RecordStore(tmp_path)
    yield store
    store.close()


def pipeline(store, inspector=None, **sections):
    eyes = {'above': SpotInspector(), 'below': inspector or SpotInspector()}
    return Pipeline(cell(**sections), RECIPE, plate(), eyes, store)


def test_a_clean_part_is_accepted_recorded_and_released(store):
    verdict = pipeline(store).inspect('i1', 'p7', [observed('above'), observed('below')], 9)
    assert verdict.decision is Decision.ACCEPT
    record = store.get('i1')
    assert verdict_to_json(record.verdict) == verdict_to_json(verdict)
    assert (record.disposition.action, record.disposition.bin) == (Action.RELEASE, 'good')
    assert not record.disposition.confirmed


def test_a_stain_is_rejected_in_words_at_its_place_and_goes_to_scrap(store):
    seen = [observed('above', spot=True), observed('below')]
    verdict = pipeline(store).inspect('i1', 'p7', seen, 9)
    assert verdict.decision is Decision.REJECT
    assert verdict.reasons[0].text.startswith('stain 0.90 seen by above at top')
    (defect,) = verdict.defects
    assert defect.position_m == pytest.approx([0, 0, 0.002], abs=4e-3)
    assert store.get('i1').disposition.bin == 'scrap'


def test_a_part_that_no_camera_sees_is_unknown_and_diverted(store):
    verdict = pipeline(store).inspect('i1', 'p7', [observed('above', 0), observed('below', 0)], 9)
    assert verdict.decision is Decision.UNKNOWN
    assert store.get('i1').disposition.action is Action.DIVERT


@pytest.mark.parametrize(
    'seen',
    [
        [],
        [observed('above')],
        [observed('above'), observed('below', inspection_id='i0')],
    ],
)
def test_a_view_that_was_not_observed_for_this_part_is_missing(store, seen):
    verdict = pipeline(store).inspect('i1', 'p7', seen, 9)
    assert verdict.decision is Decision.UNKNOWN
    assert verdict.views[1].status is ViewStatus.MISSING


def test_an_inspector_that_refuses_becomes_an_error_of_its_view(store):
    broken = pipeline(store, BrokenInspector())
    verdict = broken.inspect('i1', 'p7', [observed('above'), observed('below')], 9)
    assert verdict.decision is Decision.UNKNOWN
    assert verdict.views[1].status is ViewStatus.ERROR
    assert 'the lens cap is on' in verdict.reasons[0].text


def test_no_part_is_accepted_while_the_disk_is_nearly_full(store):
    full = pipeline(store, limits={'min_free_disk_mb': 1e12})
    verdict = full.inspect('i1', 'p7', [observed('above'), observed('below')], 9)
    assert verdict.decision is Decision.UNKNOWN
    assert verdict.reasons[0].code == 'disk_full'


def test_without_a_record_there_is_no_verdict(store):
    line = pipeline(store)
    line.inspect('i1', 'p7', [observed('above'), observed('below')], 9)
    with pytest.raises(StoreError, match='i1'):
        line.inspect('i1', 'p7', [observed('above'), observed('below')], 9)


def test_the_same_observations_give_the_same_verdict_in_any_order(store, tmp_path):
    seen = [observed('above', spot=True), observed('below')]
    one = pipeline(store).inspect('i1', 'p7', seen, 9)
    again = pipeline(RecordStore(tmp_path / 'b')).inspect('i1', 'p7', seen[::-1], 9)
    assert verdict_to_json(one) == verdict_to_json(again)


def test_what_does_not_fit_together_is_refused_before_any_part_comes(store):
    with pytest.raises(DataError, match='no inspector for below'):
        Pipeline(cell(), RECIPE, plate(), {'above': SpotInspector()}, store)
    fewer = cell(sensors={'above': SENSORS['above']})
    with pytest.raises(ConfigError, match='below'):
        Pipeline(fewer, RECIPE, plate(), {'above': SpotInspector()}, store)


@dataclass(frozen=True)
class SimulatedLine:
    """The demo cell with the real surface inspector; only the scanner looks."""

    cell: Cell
    recipe: Recipe
    station: Station
    parts: tuple[PlannedPart, ...]
    pipeline: Pipeline

    def inspect(self, part):
        return self.pipeline.inspect(part.part_id, part.part_id, self.observe(part), 9)

    def observe(self, part):
        scanner_to_cell = self.cell.sensors['scanner'].pose.transform()
        seen = []
        for name in self.recipe.file.presentations:
            held = self.station.present(part, name)
            seen.append(
                Observation(
                    part.part_id,
                    ViewKey(name, 'scanner'),
                    5,
                    self.station.observe(held, 'scanner'),
                    held.transform_part_to_cell_reported,
                    scanner_to_cell,
                )
            )
        return seen


def scanned_only(recipe):
    content = recipe.file.model_dump()
    for presentation in content['presentations'].values():
        presentation['sensors'] = ('scanner',)
    content['coverage']['minimum'] = 0.3
    return replace(recipe, file=RecipeFile.model_validate(content))


@pytest.fixture(scope='module')
def line(tmp_path_factory):
    folder = tmp_path_factory.mktemp('line')
    demo = load_cell(CONFIG / 'cells' / 'demo.yaml')
    recipe = load_recipe(CONFIG / 'recipes' / 'bracket' / 'recipe.yaml')
    scanned = scanned_only(recipe)
    reference = load_mesh(recipe.mesh_path, recipe.file.reference.units)
    inspector = SurfaceInspector(scanned, reference, EvidenceFolder(folder, 'host'))
    store = RecordStore(folder)
    yield SimulatedLine(
        demo,
        scanned,
        Station(demo, [recipe], 7),
        plan_parts(demo, [recipe], 12, 7),
        Pipeline(demo, scanned, reference, {'scanner': inspector}, store),
    )
    store.close()


def test_a_good_simulated_part_is_accepted_by_the_real_scan_inspection(line):
    good = next(part for part in line.parts if part.good)
    verdict = line.inspect(good)
    assert verdict.decision is Decision.ACCEPT
    assert verdict.coverage.share > 0.35


def test_a_simulated_dent_is_rejected_where_it_really_is(line):
    dented, truth = next(
        (part, defect)
        for part in line.parts
        for defect in part.defects
        if defect.kind is DefectKind.DENT
    )
    verdict = line.inspect(dented)
    assert verdict.decision is Decision.REJECT
    distances = [np.linalg.norm(d.position_m - truth.position_m) for d in verdict.defects]
    assert min(distances) < 2e-3


def test_an_empty_gripper_is_never_accepted(line):
    empty = PlannedPart('empty', 'bracket', fault=Fault.EMPTY_GRIPPER)
    assert line.inspect(empty).decision is Decision.UNKNOWN
