"""A feature that one camera misses and the others show is hardly missing."""

import numpy as np
import pytest

from inspection_cell.cell import load_cell
from inspection_cell.findings import Finding, Presence, PresenceStatus, ViewFindings, ViewStatus
from inspection_cell.fusion.fuse import fuse
from inspection_cell.geometry import invert, transform_points
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import load_recipe
from inspection_cell.reference import load_reference

PRESENT = Presence(PresenceStatus.PRESENT, 'four screws', 1.0)


@pytest.fixture(scope='module')
def bracket():
    recipe = next(one for one in map(load_recipe, demo_recipes()) if one.part_type == 'bracket')
    return load_cell(demo_cell()), recipe, load_reference(recipe)


def said(bracket, missed):
    """The defects, when each of some cameras at `top` gives `missing_screw` such a score."""
    cell, recipe, reference = bracket
    (feature,) = recipe.file.detection.features
    held = recipe.file.presentations['top']
    views = []
    for name in held.sensors:
        if name not in cell.cameras:
            continue
        camera = cell.cameras[name].intrinsics.value()
        pose = invert(cell.sensors[name].pose.transform()) @ held.pose.transform()
        place = transform_points(pose, np.array(feature.positions_mm[:1]) / 1000.0)
        (pixel,) = camera.project(place)
        gate = feature.gate_mm / 1000.0 * camera.fx / place[0, 2]
        box = np.concatenate([pixel - gate, pixel + gate])
        found = (Finding('missing_screw', missed[name], box_px=box),) if name in missed else ()
        views.append(
            ViewFindings(
                'i1',
                ViewKey('top', name),
                ViewStatus.OK,
                presence=PRESENT,
                findings=found,
                transform_part_to_sensor=pose,
                intrinsics=camera,
            )
        )
    return fuse(recipe, cell, reference, views).defects


@pytest.mark.parametrize('sceptic', ['left', 'right', 'front'])
def test_a_screw_that_the_other_cameras_show_is_hardly_missing(bracket, sceptic):
    (defect,) = said(bracket, {sceptic: 0.45})
    assert defect.probability < 0.2
    assert {one.view.sensor for one in defect.contributions} == {'left', 'right', 'front'}


def test_a_screw_that_no_camera_shows_is_missing(bracket):
    (defect,) = said(bracket, {'left': 0.6, 'right': 0.7, 'front': 0.9})
    assert defect.probability > 0.98
