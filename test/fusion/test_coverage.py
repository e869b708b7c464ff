"""Coverage is what valid views really saw: angle, occlusion, image, registration."""

from functools import cache

import numpy as np
import pytest
import yaml
from covered_part import Covered

from inspection_cell.errors import ConfigError
from inspection_cell.findings import Decision, Presence, PresenceStatus, ViewStatus
from inspection_cell.fusion.fuse import fuse
from inspection_cell.locations import demo_recipes
from inspection_cell.recipe import load_recipe
from inspection_cell.verdict import judge

# The plate of 100 x 60 x 4 mm: a face is 6000 mm² of 13280 mm².
FACE = 6000 / 13280
ZONES = {
    'upper': {'facing': {'direction': (0, 0, 1), 'max_angle_deg': 5}},
    'lower': {'facing': {'direction': (0, 0, -1), 'max_angle_deg': 5}},
    # 10 mm of the upper edge at the end of x: 2 mm of the end, 4 mm of the upper face.
    'edge': {'boxes': [{'centre_mm': (50, 0, 2), 'size_mm': (8, 10, 4)}]},
}


def coverage(world, *views):
    return fuse(world.recipe, world.cell, world.reference, views).coverage


def test_a_camera_above_covers_the_upper_face_and_not_the_lower(world):
    assert coverage(world, world.camera('left')).share == pytest.approx(FACE, abs=0.03)


def test_cameras_on_both_sides_cover_both_faces(world):
    share = coverage(world, world.camera('left'), world.camera('below')).share
    assert share == pytest.approx(2 * FACE, abs=0.04)


def test_seeing_the_same_face_twice_covers_it_once(world):
    one = coverage(world, world.scan()).share
    assert coverage(world, world.scan(), world.camera('left')).share < one + 0.03


@pytest.mark.parametrize(
    'change',
    [
        {'status': ViewStatus.ERROR},
        {'status': ViewStatus.MISSING},
        {'status': ViewStatus.LATE},
        {'status': ViewStatus.REFUSED},
        {'presence': Presence()},
        {'presence': Presence(PresenceStatus.ABSENT)},
        {'transform_part_to_sensor': None},
        {'intrinsics': None},
    ],
)
def test_a_view_that_proves_nothing_covers_nothing(world, change):
    assert coverage(world, world.camera('left', **change)).share == 0.0


def test_a_registered_scan_lets_the_camera_beside_it_count(world):
    unjudged = world.camera('below', presence=Presence())
    assert coverage(world, unjudged).share == 0.0
    assert coverage(world, unjudged, world.scan()).share == pytest.approx(2 * FACE, abs=0.04)


def test_a_scan_that_speaks_of_other_samples_covers_nothing(world):
    assert coverage(world, world.scan(seen=np.ones(10, dtype=bool))).share == 0.0


def test_a_part_outside_the_image_is_not_covered(world):
    aside = world.part_to_sensor('left').copy()
    aside[0, 3] += 1.0
    assert coverage(world, world.camera('left', transform_part_to_sensor=aside)).share == 0.0


def test_only_the_sensors_that_the_recipe_names_count(world):
    scanned = world.with_recipe(coverage={'minimum': 0.9, 'by': 'scanner'})
    pictured = world.with_recipe(coverage={'minimum': 0.9, 'by': 'camera'})
    assert coverage(scanned, scanned.camera('below')).share == 0.0
    assert coverage(pictured, pictured.scan()).share == 0.0


def test_more_views_never_cover_less(world):
    views, last = [], 0.0
    for view in world.all_clean():
        views.append(view)
        share = coverage(world, *views).share
        assert share >= last
        last = share
    assert last > 0.9


def test_what_falls_short_is_named(world):
    short = coverage(world, world.scan(), world.camera('below', status=ViewStatus.MISSING))
    assert short.unseen == ('below at top',)


def zoned(world, zones, **demand):
    return world.with_recipe(zones=ZONES, coverage={'zones': zones, **demand})


def shares(found):
    return {zone.name: zone.share for zone in found.zones}


def test_a_place_counts_when_enough_views_saw_it(world):
    twice = world.with_recipe(coverage={'minimum': 0.4, 'min_views': 2})
    assert coverage(twice, twice.camera('left'), twice.camera('below')).share < 0.03
    both = coverage(twice, twice.camera('left'), twice.camera('right'), twice.camera('below'))
    assert both.share == pytest.approx(FACE, abs=0.03)
    with_scan = coverage(twice, twice.camera('left'), twice.scan())
    assert with_scan.share == pytest.approx(FACE, abs=0.03)


def test_one_view_that_proves_nothing_is_no_second_view(world):
    twice = world.with_recipe(coverage={'min_views': 2})
    late = twice.camera('right', status=ViewStatus.LATE)
    assert coverage(twice, twice.camera('left'), late).share == 0.0


def test_each_zone_is_judged_by_its_own_share_and_named_when_it_falls_short(world):
    two = zoned(world, {'upper': {'minimum': 0.9}, 'lower': {'minimum': 0.9}}, minimum=0.4)
    found = coverage(two, two.camera('left'), two.camera('below', status=ViewStatus.MISSING))
    assert found.share >= found.minimum
    assert shares(found) == {'upper': 1.0, 'lower': 0.0}
    assert found.unseen == ('lower',)
    assert coverage(two, two.camera('left'), two.camera('below')).unseen == ()


def test_a_zone_that_falls_short_is_named_before_the_views_that_lack(world):
    one = zoned(world, {'lower': {'minimum': 0.5}}, minimum=0.9)
    found = coverage(one, one.camera('left'), one.camera('below', status=ViewStatus.MISSING))
    assert found.unseen == ('lower', 'below at top')


def test_a_zone_may_ask_for_other_sensors_and_more_views_than_the_part(world):
    asked = {'upper': {'minimum': 1.0, 'by': 'camera', 'min_views': 2}, 'lower': {'minimum': 1.0}}
    one = zoned(world, asked, minimum=0.5)
    scanned = coverage(one, one.camera('left'), one.scan(), one.camera('below'))
    assert shares(scanned) == {'upper': 0.0, 'lower': 1.0}
    pictured = coverage(one, one.camera('left'), one.camera('right'), one.camera('below'))
    assert shares(pictured) == {'upper': 1.0, 'lower': 1.0}


def test_the_share_of_a_zone_with_few_samples_is_exact(world):
    one = zoned(world, {'edge': {'minimum': 0.9}})
    samples = np.abs(one.reference.samples - (0.05, 0, 0.002)) <= (0.004, 0.005, 0.002)
    assert samples.all(axis=1).sum() < 60
    found = coverage(one, one.camera('left'))  # looks from the other end: the upper face alone
    assert shares(found)['edge'] == pytest.approx(4 / 6, abs=0.01)
    assert shares(coverage(one, one.scan()))['edge'] == pytest.approx(4 / 6, abs=0.1)


def test_a_zone_without_any_surface_is_never_covered(world):
    nowhere = {'nowhere': {'spheres': [{'centre_mm': (0, 0, 90), 'radius_mm': 1}]}}
    one = world.with_recipe(zones=nowhere, coverage={'zones': {'nowhere': {'minimum': 0.01}}})
    assert coverage(one, *one.all_clean()).unseen == ('nowhere',)


def test_a_camera_must_show_enough_pixels_and_a_scan_need_not(world):
    coarse = world.with_recipe(coverage={'minimum': 0.4, 'min_pixels_per_mm': 100.0})
    assert coverage(coarse, coarse.camera('left')).share == 0.0
    assert coverage(coarse, coarse.scan()).share == coverage(world, world.scan()).share > 0.4


@pytest.mark.parametrize(
    ('demand', 'key'),
    [
        ({'zones': {'rim': {'minimum': 0.5}}}, 'coverage.zones.rim: rim: a zone of the recipe'),
        ({'min_views': 9}, 'coverage.min_views: 9: at most 8'),
        ({'zones': {'top': {'minimum': 0.5, 'min_views': 9}}}, 'coverage.zones.top.min_views: 9'),
    ],
)
def test_zones_and_views_that_the_recipe_does_not_have_are_refused_at_load(tmp_path, demand, key):
    source = demo_recipes()[0]
    content = yaml.safe_load(source.read_text())
    content['reference']['mesh'] = str(source.parent / content['reference']['mesh'])
    content['zones'] = {'top': {'facing': {'direction': [0, 0, 1]}}}
    path = tmp_path / 'recipe.yaml'
    path.write_text(yaml.safe_dump(content | {'coverage': demand}))
    with pytest.raises(ConfigError) as refused:
        load_recipe(path)
    assert key in str(refused.value)


@cache
def demo_part(part_type):
    return Covered.demo(part_type, 3e-3, by='camera')


@pytest.mark.parametrize('anywhere', [False, True])
@pytest.mark.parametrize('part_type', ['bracket', 'ring'])
def test_coverage_is_that_of_brute_force_over_every_triangle_and_camera(part_type, anywhere):
    part = demo_part(part_type)
    generator, kept = np.random.default_rng(20_261_203), part.cache()
    for _ in range(3):
        cameras = part.cameras(part.held(generator, anywhere=anywhere))
        found, exact = part.product(cameras, kept), part.exact(cameras) > 0
        assert found.share == pytest.approx(part.brute.share(exact), abs=0.005)
        for zone in found.zones:
            truth = part.brute.share(exact, part.members[zone.name])
            assert zone.share == pytest.approx(truth, abs=0.015)


def test_without_a_camera_coverage_falls_as_computed_and_the_verdict_names_the_zone():
    part = demo_part('ring')
    poses = part.held(np.random.default_rng(20_261_204))
    exact = part.exact(part.cameras(poses, {'left'})) > 0
    left_over = part.brute.share(exact, part.members['minus_x'])
    presentations = {
        name: held.model_dump() | {'sensors': [s for s in held.sensors if s != 'left']}
        for name, held in part.recipe.file.presentations.items()
    }
    demand = {'by': 'camera', 'zones': {'minus_x': {'minimum': left_over + 0.05}}}
    for recipe, decision, unseen in (
        (part.with_recipe(coverage=demand), Decision.ACCEPT, ()),
        (
            part.with_recipe(coverage=demand, presentations=presentations),
            Decision.REVIEW,
            ('minus_x',),
        ),
    ):
        views = recipe.views(poses)
        fused = fuse(recipe.recipe, recipe.cell, recipe.reference, views)
        identity = {'inspection_id': 'i1', 'part_id': 'p', 'stamp_ns': 1, 'cell_hash': ''}
        verdict = judge(recipe.recipe, fused, views, **identity)
        assert (verdict.decision, fused.coverage.unseen) == (decision, unseen)
        asked = [r.text for r in verdict.reasons if r.decision is not Decision.ACCEPT]
        assert any('minus_x' in text for text in asked) == bool(unseen)
    assert fused.coverage.share == pytest.approx(part.brute.share(exact), abs=0.005)
    (zone,) = fused.coverage.zones
    assert zone.share == pytest.approx(left_over, abs=0.01)
