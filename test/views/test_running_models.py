"""Which detector looks at which inspection, and that it is warm before it does."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspection_cell.cell import Cell, load_cell
from inspection_cell.errors import ModelError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.locations import demo_cell, demo_recipes, share_folder
from inspection_cell.models import load_model_folder
from inspection_cell.observations import Image, Observation, ViewKey
from inspection_cell.recipe import load_recipe
from inspection_cell.reference import load_reference
from inspection_cell.sections.detection import Slicing
from inspection_cell.views import running_models
from inspection_cell.views.calibrated import probabilities, raw_score
from inspection_cell.views.detections import Detections
from inspection_cell.views.heads import FLOOR_SCORE, LOWEST_SCORE
from inspection_cell.views.running_models import INSPECTIONS_KEPT, RunningModels
from inspection_cell.views.windows import PartWindows

MODEL = share_folder() / 'config' / 'models' / 'simulated_parts'
CLASSES = ('screw', 'missing_screw', 'scratch', 'stain')


@dataclass
class Noting:
    """Sees nothing; remembers the sizes that it was shown together, and beside how many."""

    backend: str = 'none'
    classes: tuple[str, ...] = CLASSES
    model_hash: str = 'ab' * 32
    floor_score: float = 0.0
    shown: list[list[tuple[int, ...]]] = field(default_factory=list)
    beside: list[int] = field(default_factory=list)

    def detect(self, images, beside=0):
        self.beside.append(beside)
        self.shown.append([image.pixels.shape[:2] for image in images])
        return [Detections(np.zeros((0, 4)), np.zeros(0), ()) for _ in images]


@pytest.fixture
def loaded(monkeypatch) -> list[Noting]:
    """The detectors that were loaded, instead of networks."""
    made: list[Noting] = []

    def load(folder, size, *, floor_score):
        made.append(Noting(floor_score=floor_score))
        return made[-1]

    monkeypatch.setattr(running_models, 'load_detector', load)
    return made


@pytest.fixture(scope='module')
def cell() -> Cell:
    return load_cell(demo_cell())


def running(cell, tmp_path, *recipes) -> RunningModels:
    return RunningModels(cell, recipes, EvidenceFolder(tmp_path))


def recipes():
    return [load_recipe(path) for path in demo_recipes()]


def with_detection(recipe, **changed):
    detection = recipe.file.detection.model_copy(update=changed)
    return replace(recipe, file=recipe.file.model_copy(update={'detection': detection}))


def test_one_detector_serves_all_part_types_and_has_seen_images(cell, tmp_path, loaded):
    bracket, ring = recipes()
    models = running(cell, tmp_path, bracket, ring)
    (detector,) = loaded
    assert detector.shown
    first = models.inspector('i', bracket.sha256)
    assert models.inspector('i', bracket.sha256) is first
    assert models.inspector('i', ring.sha256) is not first
    assert models.inspector('i', 'no such recipe') is None


def test_whole_images_are_warm_where_the_recipe_asks_for_them(cell, tmp_path, loaded):
    running(cell, tmp_path, with_detection(recipes()[0], window='image'))
    assert {size for call in loaded[0].shown for size in call} == {(960, 1280)}


def test_the_parts_windows_are_warm_for_as_many_cameras_as_look_together(cell, tmp_path, loaded):
    bracket = recipes()[0]
    running(cell, tmp_path, bracket)
    windows = PartWindows(bracket, load_reference(bracket))
    expected = []
    for name, held in bracket.file.presentations.items():
        looking = [cell.cameras[sensor] for sensor in held.sensors if sensor in cell.cameras]
        for camera in looking:
            intrinsics, pose = camera.intrinsics.value(), camera.pose.transform()
            width, height = windows.size(name, intrinsics, pose)
            expected.append(((height, width), len(looking) - 1))
    seen = [call[0] for call in loaded[0].shown]
    assert list(zip(seen, loaded[0].beside, strict=True)) == expected


def test_only_the_cameras_on_tiles_are_warmed_with_tiles(cell, tmp_path, loaded):
    slicing = Slicing(tile_px=640, overlap_px=64, sensors=('left', 'right'))
    running(cell, tmp_path, with_detection(recipes()[0], slicing=slicing))
    assert {(640, 640), (768, 896)} <= {size for call in loaded[0].shown for size in call}


def test_an_image_is_cut_into_tiles_once(cell, tmp_path, loaded):
    slicing = Slicing(tile_px=640, overlap_px=64, sensors=('left',), labels=('scratch',))
    bracket = with_detection(recipes()[0], slicing=slicing)
    inspector = running(cell, tmp_path, bracket).inspector('i', bracket.sha256)
    loaded[0].shown.clear()
    held = bracket.file.presentations['top'].pose.transform()
    camera = cell.cameras['left'].pose.transform()
    image = Image(np.zeros((960, 1280, 3), dtype=np.uint8))
    inspector.inspect(Observation('i', ViewKey('top', 'left'), 1, image, held, camera))
    assert loaded[0].shown == [[(640, 640)] * 6 + [(960, 1280)]]


def with_min_score(recipe, label, min_score):
    limits = recipe.file.detection.classes
    limit = limits[label].model_copy(update={'min_score': min_score})
    return with_detection(recipe, classes={**limits, label: limit})


def test_usual_thresholds_share_a_detector_that_leaves_noise_out(cell, tmp_path, loaded):
    running(cell, tmp_path, *recipes())
    assert [detector.floor_score for detector in loaded] == [FLOOR_SCORE]


@pytest.mark.parametrize('min_score', [0.0, 0.001])
def test_no_score_that_the_recipe_counts_is_left_out_before(cell, tmp_path, loaded, min_score):
    bracket, ring = recipes()
    (model, _) = running(
        cell, tmp_path, with_min_score(bracket, 'scratch', min_score), ring
    ).running
    assert len(loaded) == 2  # the other recipe's leaves out more
    floor = loaded[0].floor_score
    assert LOWEST_SCORE <= floor < FLOOR_SCORE
    (told,) = probabilities(np.array([floor]), ['scratch'], model.folder.file.calibration)
    assert told <= max(min_score, 1e-5)


@given(st.floats(0.001, 0.999), st.sampled_from(['screw', 'scratch', 'unknown']))
def test_the_raw_score_of_a_probability_leads_back_to_it(probability, label):
    calibrations = load_model_folder(MODEL).file.calibration
    raw = raw_score(probability, label, calibrations)
    assert probabilities(np.array([raw]), [label], calibrations) == pytest.approx(probability)


def test_an_inspection_keeps_its_model_until_many_others_have_begun(cell, tmp_path, loaded):
    bracket, ring = recipes()
    models = running(cell, tmp_path, bracket, ring)
    first = models.inspector('i-0', bracket.sha256)
    models.put(models.load('bracket', MODEL))
    assert models.inspector('i-0', bracket.sha256) is first
    new = models.inspector('i-1', bracket.sha256)
    assert new is not first
    for number in range(2, 2 + INSPECTIONS_KEPT):
        assert models.inspector(f'i-{number}', bracket.sha256) is new
    assert len(models._bound) == INSPECTIONS_KEPT


def changed(recipe):
    return replace(recipe, sha256='c' * 64)


def test_both_recipes_of_a_part_type_run_while_one_takes_the_others_place(cell, tmp_path, loaded):
    bracket, ring = recipes()
    models = running(cell, tmp_path, bracket, ring)
    before = models.inspector('i-0', bracket.sha256)
    new = models.make(changed(bracket))
    models.hold([*models.running, new])
    assert models.inspector('i-0', bracket.sha256) is before
    assert models.inspector('i-1', new.recipe.sha256) not in (None, before)
    assert len(loaded) == 1  # the same network serves both
    with pytest.raises(ModelError, match='is being exchanged'):
        models.load('bracket')
    models.hold([model for model in models.running if model.recipe is not bracket])
    assert models.inspector('i-2', bracket.sha256) is None
    assert models.load('bracket').recipe.sha256 == new.recipe.sha256


def test_a_model_that_comes_after_its_recipe_has_gone_is_not_put(cell, tmp_path, loaded):
    bracket, ring = recipes()
    models = running(cell, tmp_path, bracket, ring)
    late = models.load('bracket', MODEL)
    models.hold([model for model in models.running if model.part_type == 'ring'])
    assert not models.put(late)
    assert models.inspector('i', bracket.sha256) is None


def test_a_model_that_was_put_stays_when_recipes_come_and_go(cell, tmp_path, loaded):
    bracket, ring = recipes()
    models = running(cell, tmp_path, bracket, ring)
    made = models.running
    assert models.put(models.load('bracket', MODEL))
    swapped = models.inspector('i-1', bracket.sha256)
    models.hold(made)
    assert models.inspector('i-2', bracket.sha256) is swapped is not made[0].inspector
