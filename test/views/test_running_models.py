"""Which detector looks at which inspection, and that it is warm before it does."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from inspection_cell.cell import Cell, load_cell
from inspection_cell.detection_file import Slicing
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.locations import demo_cell, demo_recipes, share_folder
from inspection_cell.observations import Image, Observation, ViewKey
from inspection_cell.recipe import load_recipe
from inspection_cell.reference import load_reference
from inspection_cell.views import running_models
from inspection_cell.views.detections import Detections
from inspection_cell.views.running_models import INSPECTIONS_KEPT, RunningModels
from inspection_cell.views.windows import PartWindows

MODEL = share_folder() / 'config' / 'models' / 'simulated_parts'
CLASSES = ('screw', 'missing_screw', 'scratch', 'stain')


@dataclass
class Noting:
    """Sees nothing, and remembers the sizes that it was shown together."""

    backend: str = 'none'
    classes: tuple[str, ...] = CLASSES
    model_hash: str = 'ab' * 32
    shown: list[list[tuple[int, ...]]] = field(default_factory=list)

    def detect(self, images):
        self.shown.append([image.pixels.shape[:2] for image in images])
        return [Detections(np.zeros((0, 4)), np.zeros(0), ()) for _ in images]


@pytest.fixture
def loaded(monkeypatch) -> list[Noting]:
    """The detectors that were loaded, instead of networks."""
    made: list[Noting] = []

    def load(folder, size):
        made.append(Noting())
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


def test_one_detector_serves_all_part_types_and_has_seen_images(cell, tmp_path, loaded):
    models = running(cell, tmp_path, *recipes())
    (detector,) = loaded
    assert detector.shown
    by_camera = {models.inspector('i', 'bracket', name) for name in cell.cameras}
    assert len(by_camera) == 1  # so that their images go in one call
    assert models.inspector('i', 'ring', 'left') not in by_camera


def test_whole_images_are_warm_where_the_recipe_asks_for_them(cell, tmp_path, loaded):
    bracket = recipes()[0]
    detection = bracket.file.detection.model_copy(update={'window': 'image'})
    running(
        cell,
        tmp_path,
        replace(bracket, file=bracket.file.model_copy(update={'detection': detection})),
    )
    assert loaded[0].shown[:2] == [[(960, 1280)], [(960, 1280)] * 3]


def test_the_parts_windows_are_warm_alone_and_as_they_come_together(cell, tmp_path, loaded):
    bracket = recipes()[0]
    running(cell, tmp_path, bracket)
    windows = PartWindows(bracket, load_reference(bracket))
    for name, held in bracket.file.presentations.items():
        looking = [cell.cameras[sensor] for sensor in held.sensors if sensor in cell.cameras]
        sizes = [
            windows.size(name, camera.intrinsics.value(), camera.pose.transform())
            for camera in looking
        ]
        shapes = [(height, width) for width, height in sizes]
        assert shapes in loaded[0].shown
        assert all([shape] in loaded[0].shown for shape in shapes)


def test_cameras_on_tiles_share_a_call_of_their_own_and_tiles_are_warm_too(cell, tmp_path, loaded):
    bracket = recipes()[0]
    slicing = Slicing(tile_px=640, overlap_px=64, sensors=('left', 'right'))
    detection = bracket.file.detection.model_copy(update={'slicing': slicing})
    bracket = replace(bracket, file=bracket.file.model_copy(update={'detection': detection}))
    models = running(cell, tmp_path, bracket)
    left, right, front = (
        models.inspector('i', 'bracket', name) for name in ('left', 'right', 'front')
    )
    assert left is right is not front
    assert {(640, 640), (768, 896)} <= {size for call in loaded[0].shown for size in call}


def test_an_image_is_cut_into_tiles_once(cell, tmp_path, loaded):
    bracket = recipes()[0]
    slicing = Slicing(tile_px=640, overlap_px=64, sensors=('left',), labels=('scratch',))
    detection = bracket.file.detection.model_copy(update={'slicing': slicing})
    bracket = replace(bracket, file=bracket.file.model_copy(update={'detection': detection}))
    inspector = running(cell, tmp_path, bracket).inspector('i', 'bracket', 'left')
    loaded[0].shown.clear()
    held = bracket.file.presentations['top'].pose.transform()
    camera = cell.cameras['left'].pose.transform()
    image = Image(np.zeros((960, 1280, 3), dtype=np.uint8))
    inspector.inspect(Observation('i', ViewKey('top', 'left'), 1, image, held, camera))
    assert loaded[0].shown == [[(640, 640)] * 6 + [(960, 1280)]]


def test_an_inspection_keeps_its_model_until_many_others_have_begun(cell, tmp_path, loaded):
    models = running(cell, tmp_path, *recipes())
    first = models.inspector('i-0', 'bracket', 'left')
    models.put(models.load('bracket', MODEL))
    assert models.inspector('i-0', 'bracket', 'right') is first
    new = models.inspector('i-1', 'bracket', 'left')
    assert new is not first
    for number in range(2, 2 + INSPECTIONS_KEPT):
        assert models.inspector(f'i-{number}', 'bracket', 'left') is new
    assert len(models._bound) == INSPECTIONS_KEPT


def test_a_detector_in_work_is_not_entered_while_another_part_type_joins_it(
    cell, tmp_path, loaded
):
    models = running(cell, tmp_path, *recipes())
    before = len(loaded[0].shown)
    models.put(models.load('ring'))
    assert (len(loaded), len(loaded[0].shown)) == (1, before)
