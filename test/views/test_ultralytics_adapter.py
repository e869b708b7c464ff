"""The shipped model through the adapter: what it sees, and that nothing around it changes that."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from inspection_cell.cell import load_cell
from inspection_cell.errors import DataError, ModelError
from inspection_cell.models import (
    check_model_fits,
    file_sha256,
    find_model,
    load_model_folder,
    write_model_file,
)
from inspection_cell.observations import Image
from inspection_cell.recipe import load_recipe
from inspection_cell.sim.plan import PlannedPart
from inspection_cell.sim.seeds import Purpose
from inspection_cell.sim.station import Station
from inspection_cell.ultralytics_adapter.inference import UltralyticsDetector
from inspection_cell.ultralytics_adapter.offline import torch
from inspection_cell.views.image_files import detect_files, image_files

CONFIG = Path(__file__).resolve().parents[2] / 'config'
RECIPES = tuple(load_recipe(CONFIG / 'recipes' / n / 'recipe.yaml') for n in ('bracket', 'ring'))


@pytest.fixture(scope='module')
def folder():
    return load_model_folder(find_model(RECIPES[0]))


@pytest.fixture(scope='module')
def detector(folder):
    return UltralyticsDetector(folder)


def test_a_network_that_gives_no_numbers_has_not_looked(folder, tmp_path):
    content = torch.load(folder.weights, weights_only=False)
    head = content['model'].model[-1]
    for layer in head.one2one_cv3:
        torch.nn.init.constant_(layer[-1].bias, float('nan'))
    torch.save(content, tmp_path / 'weights.pt')
    damaged = folder.file.model_copy(
        update={'exports': (), 'weights_sha256': file_sha256(tmp_path / 'weights.pt')}
    )
    write_model_file(tmp_path, damaged)
    with pytest.raises(ModelError, match='no finite numbers'):
        UltralyticsDetector(load_model_folder(tmp_path))


@pytest.fixture(scope='module')
def station():
    return Station(load_cell(CONFIG / 'cells' / 'demo.yaml'), RECIPES, 5, purpose=Purpose.TEST)


@pytest.fixture(scope='module')
def good_bracket(station):
    return station.observe(station.present(PlannedPart('p', 'bracket'), 'top'), 'left')


@pytest.fixture(scope='module')
def crop(good_bracket, station):
    """320 by 320 pixels around a screw."""
    shown = station.present(PlannedPart('p', 'bracket'), 'top')
    box = next(label.box_px for label in station.labels(shown, 'left') if label.name == 'screw')
    x, y = (
        np.clip((box[i] + box[i + 2]) / 2 - 160, 0, limit) for i, limit in ((0, 960), (1, 640))
    )
    return Image(good_bracket.pixels[int(y) : int(y) + 320, int(x) : int(x) + 320].copy())


@pytest.mark.parametrize('recipe', RECIPES, ids=lambda recipe: recipe.part_type)
def test_the_shipped_model_fits_the_shipped_recipes(recipe, folder):
    check_model_fits(recipe, folder)


def test_the_shipped_model_says_how_it_was_made_and_how_good_it_is(folder):
    assert folder.weights.stat().st_size < 6_000_000
    assert folder.file.metrics.map50 > 0.5
    assert 'AGPL-3.0' in folder.file.licence
    assert 'AGPL-3.0' in (folder.path / 'LICENSE-NOTE.md').read_text()


def test_every_screw_of_a_good_bracket_is_found_in_place(detector, station, good_bracket):
    found = detector.detect([good_bracket])[0].of('screw', 0.4)
    shown = station.present(PlannedPart('p', 'bracket'), 'top')
    truth = [label.box_px for label in station.labels(shown, 'left') if label.name == 'screw']
    assert len(truth) == 4
    for box in np.array(truth):
        centre = (box[:2] + box[2:]) / 2
        assert np.linalg.norm(found.centres_px - centre, axis=1).min() < 6.0


def test_an_images_boxes_do_not_depend_on_the_rest_of_the_call(detector, crop):
    other = Image(np.full((97, 143), 90, dtype=np.uint8))
    alone = detector.detect([crop])[0]
    amid = detector.detect([other, crop, other])[1]
    assert len(alone) > 0
    assert alone.labels == amid.labels
    assert np.array_equal(alone.boxes_px, amid.boxes_px)
    assert np.array_equal(alone.scores, amid.scores)


def test_a_grey_image_gives_the_boxes_of_its_three_channel_copy(detector, crop):
    grey = cv2.cvtColor(crop.pixels, cv2.COLOR_BGR2GRAY)
    single = detector.detect([Image(grey)])[0]
    triple = detector.detect([Image(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR))])[0]
    assert len(single) > 0
    assert np.array_equal(single.boxes_px, triple.boxes_px)


@pytest.mark.parametrize('shape', [(31, 47), (200, 200, 3), (333, 65, 3)])
def test_boxes_lie_within_images_of_any_size(detector, shape):
    pixels = np.random.default_rng(1).integers(0, 255, shape, dtype=np.uint8)
    boxes = detector.detect([Image(pixels)])[0].boxes_px
    assert (boxes >= 0).all()
    assert (boxes <= [shape[1], shape[0], shape[1], shape[0]]).all()


def test_read_only_pixels_are_accepted(detector, crop):
    pixels = crop.pixels.copy()
    pixels.flags.writeable = False
    assert len(detector.detect([Image(pixels)])) == 1


def test_a_network_size_of_its_own_still_gives_boxes_in_image_pixels(folder, crop):
    twice = cv2.resize(crop.pixels, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    halved = UltralyticsDetector(folder, image_size=320).detect([Image(twice)])[0].of('screw', 0.4)
    whole = UltralyticsDetector(folder).detect([crop])[0].of('screw', 0.4)
    assert len(whole) >= 1
    assert len(halved) >= 1
    distances = np.linalg.norm(whole.centres_px - halved.centres_px[0] / 2, axis=1)
    assert distances.min() < 4.0


def test_sixteen_bit_pixels_are_refused(detector):
    with pytest.raises(DataError, match='8 bit'):
        detector.detect([Image(np.zeros((64, 64), dtype=np.uint16))])


def test_weights_that_are_no_network_are_refused(folder, tmp_path):
    (tmp_path / 'weights.pt').write_bytes(b'these are no weights')
    sha256 = file_sha256(tmp_path / 'weights.pt')
    changed = {'weights': 'weights.pt', 'weights_sha256': sha256}
    write_model_file(tmp_path, folder.file.model_copy(update=changed))
    with pytest.raises(ModelError, match='cannot be loaded'):
        UltralyticsDetector(load_model_folder(tmp_path))


def test_files_are_detected_with_their_names_and_a_time(detector, crop, tmp_path):
    cv2.imwrite(str(tmp_path / 'b.png'), crop.pixels)
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((64, 64, 3), dtype=np.uint8))
    result = detect_files(detector, image_files([tmp_path]))
    assert [image.file.name for image in result.images] == ['a.png', 'b.png']
    assert result.images[0].findings == ()
    assert result.backend == 'pytorch'
    assert result.ms_per_image > 0
