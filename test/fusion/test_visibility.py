"""What a camera would have seen of a place: image, angle, focus, size, and what hides it."""

from dataclasses import replace

import numpy as np
import pytest
from brute_coverage import BruteForce
from covered_part import Covered

from inspection_cell.cell import load_cell
from inspection_cell.errors import DataError
from inspection_cell.findings import ViewFindings, ViewStatus
from inspection_cell.fusion.looked_at import LookedAt
from inspection_cell.fusion.visibility import CameraView, sightings
from inspection_cell.fusion.visibility_cache import VisibilityCache
from inspection_cell.geometry import Intrinsics, from_rpy, look_at, transform_points
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import load_recipe
from inspection_cell.reference import load_reference

STEEP = np.radians(75)
UNDERSIDE = (np.array([[0.0, 0.0, -0.002]]), np.array([[0.0, 0.0, -1.0]]))
KEY = ViewKey('top', 'below')


def camera(world, name='below', **changes):
    intrinsics = world.cell.cameras[name].intrinsics.value()
    return replace(
        CameraView(ViewKey('top', name), intrinsics, world.part_to_sensor(name)), **changes
    )


@pytest.fixture(scope='module')
def bracket():
    return Covered.demo('bracket', 4e-3, by='camera')


@pytest.mark.parametrize(
    ('focus_m', 'sharp'),
    [(None, True), ((0.3, 0.34), False), ((0.34, 0.36), True), ((0.36, 1), False)],
)
def test_a_place_counts_only_within_the_focus(world, focus_m, sharp):
    view = camera(world, focus_m=focus_m)
    assert view.sees(world.reference, *UNDERSIDE, STEEP).tolist() == [sharp]


def test_focus_is_measured_along_the_optical_axis_not_along_the_ray():
    view = CameraView(KEY, Intrinsics(1000, 1000, 500, 500, 499.5, 499.5), np.eye(4), (0.39, 0.41))
    aside = np.array([[0.3, 0.0, 0.4]])
    assert np.linalg.norm(aside) > 0.41
    assert view.sharp(aside).all()


def test_a_place_counts_only_where_a_millimetre_has_enough_pixels(world):
    view = camera(world)
    (exact,) = view.resolution(*UNDERSIDE)
    assert exact == pytest.approx(1500 / 0.348, rel=0.02)
    for least, seen in ((0.99 * exact, True), (1.01 * exact, False)):
        found = view.sees(world.reference, *UNDERSIDE, STEEP, min_pixels_per_m=least)
        told = sightings(world.reference, [view], *UNDERSIDE, STEEP, min_pixels_per_m=least)
        assert found.tolist() == told.seen[0].tolist() == [seen]


@pytest.mark.parametrize('turned_deg', [0, 30, 60])
def test_the_resolution_is_what_a_small_step_along_the_slope_moves_in_the_image(turned_deg):
    intrinsics = Intrinsics(1280, 960, 1500, 1500, 639.5, 479.5)
    view = CameraView(KEY, intrinsics, from_rpy((0, 0, 0.4), (np.radians(turned_deg), 0, 0)))
    place, normal, step = np.zeros((1, 3)), np.array([[0.0, 0.0, -1.0]]), np.array([[0, 1e-5, 0]])
    pixels = [
        intrinsics.project(p @ view.transform_part_to_sensor[:3, :3].T + (0, 0, 0.4))
        for p in (place, place + step)
    ]
    moved = np.linalg.norm(pixels[1] - pixels[0]) / 1e-5
    assert view.resolution(place, normal)[0] == pytest.approx(moved, rel=1e-3)


def test_what_a_lens_model_folds_back_into_the_image_is_outside():
    barrel = Intrinsics(1280, 960, 900, 900, 639.5, 479.5, 'plumb_bob', (-0.3, 0.0, 0.0, 0.0, 0.0))
    view = CameraView(KEY, barrel, np.eye(4))
    far_aside = np.array([[1.75, 0.0, 1.0]])
    u, _ = barrel.project(far_aside)[0]
    assert 0 < u < 1280
    assert not view.inside(far_aside).any()
    assert view.inside(np.array([[0.7, 0.4, 1.0]])).all()


def test_what_stands_between_hides_a_place_and_what_stands_behind_does_not(bracket):
    brute = BruteForce(bracket.reference.vertices, bracket.reference.triangles, 4e-3)
    view = bracket.cameras(bracket.held(np.random.default_rng(3)))[0]
    shown = view.shows(brute.points, brute.normals, STEEP)
    seen = view.sees(bracket.reference, brute.points, brute.normals, STEEP)
    exact = brute.sees(view.camera, view.transform_part_to_sensor, 75)
    assert shown.sum() > 1.1 * seen.sum()
    assert brute.share(seen != exact) < 0.003


def test_a_kept_view_is_the_exact_one_at_the_named_pose(bracket):
    kept, anew = bracket.cache(), VisibilityCache(bracket.recipe, bracket.reference)
    for view in bracket.cameras(bracket.named()):
        assert np.array_equal(kept.seen(view), anew.seen(view))
    assert (kept.cast, anew.reused) == (0, 0)


def test_the_robots_errors_are_within_what_is_kept_and_hardly_change_the_share(bracket):
    generator = np.random.default_rng(5)
    kept, anew = bracket.cache(), VisibilityCache(bracket.recipe, bracket.reference)
    for _ in range(8):
        for view in bracket.cameras(bracket.held(generator)):
            difference = kept.places.share(kept.seen(view)) - anew.places.share(anew.seen(view))
            assert abs(difference) < 0.005
    assert kept.reused >= 0.9 * (kept.reused + kept.cast)


def test_a_camera_that_stands_far_from_its_named_place_is_computed_anew(bracket):
    kept, anew = bracket.cache(), VisibilityCache(bracket.recipe, bracket.reference)
    moved = bracket.held(np.random.default_rng(0), anywhere=True)
    for view in bracket.cameras(moved):
        assert np.array_equal(kept.seen(view), anew.seen(view))
    assert kept.reused == 0


def test_turning_a_camera_on_its_place_moves_no_shadow(bracket):
    view = bracket.cameras(bracket.named())[0]
    kept = bracket.cache()
    rolled = replace(
        view,
        transform_part_to_sensor=from_rpy((0, 0, 0), (0.02, 0.02, 1.5))
        @ view.transform_part_to_sensor,
    )
    exact = rolled.sees(bracket.reference, kept.places.points, kept.places.normals, STEEP)
    assert np.array_equal(kept.seen(rolled), exact)
    assert kept.reused == 1


def test_what_was_seen_does_not_depend_on_the_parts_before(bracket):
    generator = np.random.default_rng(8)
    parts = [bracket.cameras(bracket.held(generator)) for _ in range(3)]
    one, other = bracket.cache(), bracket.cache()
    forth = [[one.seen(view) for view in part] for part in parts]
    back = [[other.seen(view) for view in part] for part in reversed(parts)]
    for first, second in zip(forth, reversed(back), strict=True):
        assert np.array_equal(first, second)


def test_the_cells_focus_counts_though_the_view_does_not_bring_it(bracket):
    sensors = {name: sensor.model_dump() for name, sensor in bracket.cell.sensors.items()}
    for name in bracket.cell.cameras:
        sensors[name]['focus_mm'] = (10.0, 20.0)
    file = type(bracket.cell.file).model_validate(
        bracket.cell.file.model_dump() | {'sensors': sensors}
    )
    blurred = replace(bracket, cell=replace(bracket.cell, file=file))
    views = blurred.cameras(bracket.named())
    assert not any(blurred.cache().seen(view).any() for view in views)


def test_what_was_kept_of_another_reference_is_refused(bracket, world):
    with pytest.raises(DataError, match='expected what was kept of this recipe'):
        bracket.cache().check(world.recipe, world.reference)


def test_a_camera_looks_where_its_axis_points():
    view = CameraView(
        KEY,
        Intrinsics(100, 100, 100, 100, 49.5, 49.5),
        np.linalg.inv(look_at((0, 0, 1), (0, 0, 0))),
    )
    assert view.inside(np.zeros((1, 3))).all()
    assert not view.inside(np.array([[0, 0, 2.0]])).any()


@pytest.fixture(scope='module')
def demo():
    recipe = next(one for one in map(load_recipe, demo_recipes()) if one.part_type == 'bracket')
    return load_cell(demo_cell()), recipe, load_reference(recipe)


def view_of(demo, name='left'):
    cell, recipe, _ = demo
    held = recipe.file.presentations['top'].pose.transform()
    sensor = cell.sensors[name].pose.transform()
    return ViewFindings(
        *('i', ViewKey('top', name), ViewStatus.OK),
        transform_part_to_sensor=np.linalg.inv(sensor) @ held,
        transform_sensor_to_cell=sensor,
        intrinsics=cell.cameras[name].intrinsics.value(),
    )


@pytest.mark.parametrize(('off_mm', 'beside'), [(0.3, False), (12.0, True)])
def test_what_lies_beside_the_window_that_the_detector_was_shown_was_not_seen(
    demo, off_mm, beside
):
    cell, recipe, reference = demo
    view = view_of(demo)
    pose = view.transform_part_to_sensor @ from_rpy((off_mm / 1e3, 0, 0), (0, 0, 0))
    window = LookedAt(recipe, reference, cell).window(view, pose)
    assert (window is not None) == beside
    whole = CameraView(view.view, view.intrinsics, pose)
    looked = replace(whole, window=window)
    samples = reference.samples
    shown, image = looked.inside(samples), whole.inside(samples)
    assert not (shown & ~image).any()
    assert (shown.sum() < image.sum()) == beside
    pixels = view.intrinsics.project(transform_points(pose, samples[shown]))
    if beside:
        assert (pixels >= window[:2] - 0.5).all()
        assert (pixels < window[2:] - 0.5).all()
