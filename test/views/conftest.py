"""Models with exports, an image of screws, and the scanned part of `test/support`."""

import pytest
from exported_models import export_folder, random_folder
from scanned_part import *  # noqa: F403  (fixtures, found by their names)

from inspection_cell.cell import load_cell
from inspection_cell.locations import share_folder
from inspection_cell.models import ModelFolder, load_model_folder
from inspection_cell.observations import Image
from inspection_cell.recipe import load_recipe
from inspection_cell.sim.plan import PlannedPart
from inspection_cell.sim.seeds import Purpose
from inspection_cell.sim.station import Station


@pytest.fixture(scope='session')
def exported(tmp_path_factory: pytest.TempPathFactory) -> ModelFolder:
    """The shipped weights with exports for OpenVINO (fp32, bf16) and ONNX Runtime, as proven."""
    shipped = load_model_folder(share_folder() / 'config' / 'models' / 'simulated_parts')
    return export_folder(shipped, tmp_path_factory.mktemp('models') / 'exported')


@pytest.fixture(scope='session', params=['obb', 'segment'])
def random_model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A network with random weights for oriented boxes, then one for outlines; exported."""
    shipped = load_model_folder(share_folder() / 'config' / 'models' / 'simulated_parts')
    return random_folder(shipped, tmp_path_factory.mktemp('models') / 'random', request.param)


@pytest.fixture(scope='session')
def screws() -> Image:
    """A part of a rendered bracket, 320 by 256 pixels, with screws in it."""
    cell = load_cell(share_folder() / 'config' / 'cells' / 'demo.yaml')
    recipe = load_recipe(share_folder() / 'config' / 'recipes' / 'bracket' / 'recipe.yaml')
    station = Station(cell, [recipe], 5, purpose=Purpose.TEST)
    shown = station.present(PlannedPart('p', 'bracket'), 'top')
    seen = station.observe(shown, 'left')
    assert isinstance(seen, Image)
    box = next(label.box_px for label in station.labels(shown, 'left') if label.name == 'screw')
    x, y = (int(max((box[i] + box[i + 2]) / 2 - side, 0)) for i, side in ((0, 160), (1, 128)))
    return Image(seen.pixels[y : y + 256, x : x + 320].copy())
