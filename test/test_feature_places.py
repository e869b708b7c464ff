"""Features are expected where a camera can see them, or the recipe is refused."""

from dataclasses import replace

import pytest

from inspection_cell.cell import load_cell
from inspection_cell.errors import ConfigError
from inspection_cell.feature_places import check_features, check_seen
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.recipe import load_recipe
from inspection_cell.reference import ReferenceMesh, load_reference


@pytest.fixture(scope='module')
def bracket():
    recipe = next(r for r in map(load_recipe, demo_recipes()) if r.part_type == 'bracket')
    return recipe, load_reference(recipe)


def moved(recipe, scale=1.0, shift_mm=(0.0, 0.0, 0.0)):
    detection = recipe.file.detection
    (feature,) = detection.features
    places = tuple(
        tuple(scale * value + by for value, by in zip(place, shift_mm, strict=True))
        for place in feature.positions_mm
    )
    features = (feature.model_copy(update={'positions_mm': places}),)
    detection = detection.model_copy(update={'features': features})
    return replace(recipe, file=recipe.file.model_copy(update={'detection': detection}))


def test_the_features_of_the_shipped_parts_lie_on_them():
    for recipe in map(load_recipe, demo_recipes()):
        check_features(recipe, load_reference(recipe))


def test_metres_for_millimetres_are_told_place_by_place(bracket):
    recipe, reference = bracket
    with pytest.raises(ConfigError) as caught:
        check_features(moved(recipe, scale=1e-3), reference)
    keys = [problem.key for problem in caught.value.problems]
    assert keys[0] == 'detection.features.0.positions_mm.0'
    assert len(keys) == len(recipe.file.detection.features[0].positions_mm)
    assert 'mm from another' in str(caught.value)


def test_a_place_within_the_material_is_told(bracket):
    recipe, reference = bracket
    with pytest.raises(ConfigError, match='mm inside the part'):
        check_features(moved(recipe, shift_mm=(0.0, 0.0, -8.0)), reference)


def test_a_place_that_no_camera_sees_is_told_with_the_cell(bracket):
    recipe, reference = bracket
    cell = load_cell(demo_cell())
    check_seen(recipe, reference, cell)
    under = moved(recipe, shift_mm=(0.0, 0.0, -reference.diagonal_m * 200))
    with pytest.raises(ConfigError, match='no camera sees it'):
        check_seen(under, reference, cell)


def test_another_origin_is_told(bracket):
    recipe, reference = bracket
    with pytest.raises(ConfigError, match='mm beside the part'):
        check_features(moved(recipe, shift_mm=(200.0, 0.0, 0.0)), reference)


def test_in_an_open_mesh_nothing_is_inside(bracket):
    recipe, reference = bracket
    opened = ReferenceMesh(reference.vertices, reference.triangles[1:])
    check_features(recipe, opened)
    check_features(moved(recipe, shift_mm=(0.0, 0.0, -8.0)), opened)
