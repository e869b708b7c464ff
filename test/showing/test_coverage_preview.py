"""The preview shows what would be covered, and names what nobody can see, and why."""

import json
import signal
import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from inspection_cell.cell import CellFile, load_cell
from inspection_cell.cli import main
from inspection_cell.errors import DataError
from inspection_cell.fusion.coverage import surface_coverage
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.recipe import RecipeFile, load_recipe
from inspection_cell.reference import ReferenceMesh, load_reference
from inspection_cell.showing.coverage_colours import COLOURS, levels
from inspection_cell.showing.coverage_page import page
from inspection_cell.showing.coverage_picture import SIDE_PX, draw
from inspection_cell.showing.coverage_preview import preview

SIZE_M = np.array((0.06, 0.04, 0.02))
AREAS_CM2 = {'x': 2 * 4, 'y': 2 * 6, 'z': 6 * 4}
FLAT = {'width': 1000, 'height': 1000, 'fx': 2000, 'fy': 2000, 'cx': 499.5, 'cy': 499.5}


def block():
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    triangles = [t for a, b, c, d in faces for t in ((a, b, c), (a, c, d))]
    return ReferenceMesh((corners - 0.5) * SIZE_M, np.array(triangles))


def posed(kind, position_mm, **fields):
    pose = {'position_mm': position_mm, 'look_at_mm': (0, 0, 0)}
    topic = '_'.join([kind, *(f'{abs(value)}' for value in position_mm)])
    return {'kind': kind, 'topic': topic, 'pose': pose} | fields


def station(sensors, **coverage):
    """A block of 60 x 40 x 20 mm before some sensors, and its preview."""
    cell = replace(
        load_cell(demo_cell()),
        file=CellFile.model_validate({'format': 1, 'name': 'bench', 'sensors': sensors}),
    )
    file = {
        'format': 1,
        'part_type': 'block',
        'reference': {'mesh': 'block.ply', 'units': 'm'},
        'zones': {'top': {'facing': {'direction': (0, 0, 1), 'max_angle_deg': 5}}},
        'presentations': {
            'one': {
                'pose': {'position_mm': (0, 0, 0), 'rpy_deg': (0, 0, 0)},
                'sensors': tuple(sensors),
            }
        },
        'detection': {'model': 'm'},
        'surface': {'tolerance_mm': (-0.2, 0.2)},
        'coverage': coverage,
    }
    recipe = replace(load_recipe(demo_recipes()[0]), file=RecipeFile.model_validate(file))
    return preview(recipe, cell, block())


ABOVE = posed('camera', (0, 0, 300), intrinsics=FLAT)


def unseen(shown):
    return {one.where: (one.area_cm2, one.why) for one in shown.unseen}


def test_a_camera_above_a_block_sees_its_top_and_the_five_other_faces_are_named():
    shown = station({'above': ABOVE})
    assert shown.coverage.share == pytest.approx(24 / 88, abs=0.003)
    assert shown.shares == (shown.coverage.share,)
    found = unseen(shown)
    assert set(found) == {f'facing {way}' for way in ('+x', '-x', '+y', '-y', '-z')}
    for way, (area_cm2, why) in found.items():
        assert area_cm2 == pytest.approx(AREAS_CM2[way[-1]], rel=0.03)
        assert why == 'turned away from every sensor'


@pytest.mark.parametrize(
    ('sensor', 'why'),
    [
        (posed('camera', (0, 0, 300), intrinsics=FLAT | {'cx': 4000.0}), 'outside every image'),
        (posed('camera', (0, 0, 300), intrinsics=FLAT, focus_mm=(100, 200)), 'out of focus'),
    ],
)
def test_the_reason_why_a_face_is_not_seen_is_told(sensor, why):
    assert unseen(station({'above': sensor}))['facing +z'][1].startswith(why)


def test_more_pixels_than_the_camera_has_are_too_coarse_for_it_alone():
    sensors = {'above': ABOVE, 'scanner': posed('scanner', (0, 0, 310), intrinsics=FLAT)}
    shown = station(sensors, min_pixels_per_mm=20)
    assert shown.shares == (0.0, pytest.approx(24 / 88, abs=0.003))
    assert 'too coarse' in unseen(station({'above': ABOVE}, min_pixels_per_mm=20))['facing +z'][1]


def test_a_scanner_without_intrinsics_sees_all_that_faces_it_and_says_so():
    shown = station({'scanner': posed('scanner', (0, 0, 300))})
    assert shown.coverage.share == pytest.approx(24 / 88, abs=0.003)
    assert 'field of view is not known' in shown.views[0].note
    assert station({'above': ABOVE}).views[0].note == ''


def test_demands_are_judged_as_the_verdict_judges_them():
    demand = {'minimum': 0.2, 'min_views': 2, 'zones': {'top': {'minimum': 1.0, 'min_views': 1}}}
    shown = station({'above': ABOVE}, **demand)
    assert shown.coverage.share == 0.0
    assert shown.zone_shares == {'top': 1.0}
    assert shown.coverage.unseen == ()
    short = station({'above': ABOVE}, zones={'top': {'minimum': 0.5, 'by': 'scanner'}})
    assert short.coverage.unseen == ('top',)


@pytest.mark.parametrize(('together', 'views'), [((), 2), (('scanner',), 1)])
def test_scans_that_are_judged_together_are_one_view(together, views):
    shown = station({'scanner': posed('scanner', (0, 0, 300))})
    held = shown.recipe.file.presentations['one']
    content = shown.recipe.file.model_dump() | {'presentations': {'one': held, 'two': held}}
    content['surface']['together'] = together
    recipe = replace(shown.recipe, file=RecipeFile.model_validate(content))
    twice = preview(recipe, shown.cell, shown.reference)
    up = np.array([[0.0, 0.0, 1.0]])
    assert twice.seen_by(0.01 * up, up).scanners.tolist() == [views]


@pytest.mark.parametrize('path', demo_recipes(), ids=lambda path: path.parent.name)
def test_the_preview_is_the_coverage_of_a_part_whose_views_are_all_valid(path):
    recipe, cell = load_recipe(path), load_cell(demo_cell())
    recipe = replace(
        recipe,
        file=RecipeFile.model_validate(recipe.file.model_dump() | {'coverage': {'by': 'camera'}}),
    )
    reference = load_reference(recipe)
    shown = preview(recipe, cell, reference)
    cameras = [view.camera for view in shown.views if not view.is_scanner]
    assert shown.coverage == surface_coverage(recipe, reference, [], cameras, [])


def test_a_recipe_without_a_reference_has_no_preview():
    recipe = load_recipe(demo_recipes()[0])
    with pytest.raises(DataError, match='needs a reference mesh'):
        preview(recipe, load_cell(demo_cell()), None)


def test_places_are_coloured_by_whether_enough_views_saw_them():
    assert levels(np.array([0, 1, 2, 3, 4, 9]), 2).tolist() == [0, 1, 2, 3, 4, 4]
    assert levels(np.array([0, 1, 2, 3, 9]), 1).tolist() == [0, 2, 3, 4, 4]


def test_the_picture_is_red_below_and_not_above():
    pixels = cv2.imdecode(np.frombuffer(draw(station({'above': ABOVE})), np.uint8), 1)
    red = np.array([int(COLOURS[0][k : k + 2], 16) for k in (5, 3, 1)])
    hue = pixels.astype(float) / np.maximum(pixels.max(axis=2, keepdims=True), 1)
    is_red = (np.abs(hue - red / red.max()) < 0.06).all(axis=2)
    height = len(pixels) // 2
    assert is_red[height:].sum() > 1.5 * is_red[:height].sum() > SIDE_PX


def test_the_page_holds_the_figures_and_loads_nothing():
    text = page(station({'above': ABOVE}, zones={'top': {'minimum': 0.5}}), b'picture')
    for words in ('block in bench', 'above at one', 'facing -z', '50% demanded', '24.0 cm²'):
        assert words in text
    assert '<script src' not in text
    assert '<link' not in text


@pytest.fixture
def command(capsys, monkeypatch):
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments):
        monkeypatch.setattr(sys, 'argv', ['inspection_cell', *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return ended.value.code or 0, *capsys.readouterr()

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_the_command_writes_page_and_picture_and_prints_one_json_object(command, tmp_path):
    files = {'--report': tmp_path / 'a.html', '--picture': tmp_path / 'a.png'}
    options = [value for pair in files.items() for value in pair]
    inputs = ('--recipe', demo_recipes()[1], '--cell', demo_cell())
    code, out, _ = command('recipe', 'preview', *inputs, *options, '--json')
    told = json.loads(out.splitlines()[-1])
    assert code == 0
    assert told['part_type'] == 'ring'
    assert told['minimum'] <= told['share'] < 1
    assert len(told['views']) == 8
    assert told['unseen'][0]['where'] == 'facing -z'
    assert all(path.stat().st_size > 10_000 for path in files.values())


def test_a_report_of_another_kind_is_refused_before_anything_is_written(command, tmp_path):
    inputs = ('--recipe', demo_recipes()[1], '--cell', demo_cell())
    code, _, error = command('recipe', 'preview', *inputs, '--report', tmp_path / 'a.pdf')
    assert (code, list(tmp_path.iterdir())) == (1, [])
    assert 'ends in .html' in error
