"""What is shown of a verdict is what fusion counted: seen surface, defects, decisions."""

from dataclasses import replace

import numpy as np
import open3d as o3d
import pytest

from inspection_cell.findings import (
    Decision,
    Defect,
    Presence,
    Reason,
    Source,
    Verdict,
    ViewStatus,
)
from inspection_cell.fusion.fuse import fuse
from inspection_cell.fusion.places import places_of
from inspection_cell.geometry import transform_points
from inspection_cell.observations import ViewKey
from inspection_cell.reference import ReferenceMesh
from inspection_cell.seen_surface import Seen, SeenSurface
from inspection_cell.showing.part_markers import DECISION_COLOURS, PROVEN, PartMarker
from inspection_cell.showing.surface_triangles import FINE, ShownSurface
from inspection_cell.verdict import judge


def verdict_on(world, *views):
    fused = fuse(world.recipe, world.cell, world.reference, views)
    given = {'inspection_id': 'i1', 'part_id': 'p-7', 'stamp_ns': 1, 'cell_hash': 'c'}
    return judge(world.recipe, fused, views, **given)


def shown(world, verdict):
    return PartMarker(world.recipe, world.cell, world.reference).of(verdict)


def areas(corners):
    a, b, c = np.moveaxis(corners, 1, 0)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2


def normals(corners):
    a, b, c = np.moveaxis(corners, 1, 0)
    cross = np.cross(b - a, c - a)
    return cross / np.linalg.norm(cross, axis=1, keepdims=True)


@pytest.mark.parametrize('by', ['any', 'camera', 'scanner'])
@pytest.mark.parametrize(
    'names', [('left',), ('left', 'below'), ('scanner',), ('scanner', 'below')]
)
def test_the_samples_shown_as_seen_are_the_coverage_that_fusion_tells(world, by, names):
    world = world.with_recipe(coverage={'minimum': 0.9, 'by': by})
    views = [world.scan() if name == 'scanner' else world.camera(name) for name in names]
    verdict = verdict_on(world, *views)
    surface = SeenSurface(world.recipe, world.cell, world.reference)
    enough = surface.of(verdict.views) == Seen.ENOUGH
    assert surface.places.share(enough) == pytest.approx(verdict.coverage.share, abs=1e-12)
    assert verdict.coverage.share < 1.0


def test_what_a_camera_above_sees_is_coloured_and_the_back_of_the_thin_plate_is_not(world):
    markers = shown(world, verdict_on(world, world.camera('left')))
    not_seen, too_few, seen = markers.surfaces
    assert len({surface.colour for surface in markers.surfaces}) == 3
    assert len(too_few.corners) == 0
    assert (normals(seen.corners)[:, 2] > -0.5).all()  # never the lower face
    up = normals(not_seen.corners)[:, 2] > 0.5
    assert areas(not_seen.corners[up]).sum() < 0.02 * 0.006  # of the upper face's 60 cm²


def test_one_triangle_seen_by_half_is_drawn_in_both_colours(world):
    half = world.reference.samples[:, 0] > 0.0
    markers = shown(world, verdict_on(world, world.scan(seen=half)))
    not_seen, _, seen = (surface.corners.mean(axis=1)[:, 0] for surface in markers.surfaces)
    assert seen.min() > -0.005
    assert not_seen.max() < 0.005


@pytest.mark.parametrize(
    'change', [{'presence': Presence()}, {'status': ViewStatus.ERROR}, {'reference_hash': 'other'}]
)
def test_a_scan_that_proves_nothing_colours_nothing(world, change):
    not_seen, *others = shown(world, verdict_on(world, world.scan(**change))).surfaces
    assert all(len(surface.corners) == 0 for surface in others)
    assert areas(not_seen.corners).sum() == pytest.approx(world.reference.areas.sum())


def test_the_drawn_triangles_are_the_reference_in_small_pieces(world):
    reference = world.reference
    corners = ShownSurface(reference, places_of(reference, {})).corners
    assert areas(corners).sum() == pytest.approx(reference.areas.sum())
    assert areas(corners).max() < reference.areas.sum() / 1000
    assert reference.distances_m(corners.reshape(-1, 3)).max() < 1e-6


def test_a_fine_reference_is_drawn_with_fewer_triangles_and_the_same_shape():
    ball = o3d.geometry.TriangleMesh.create_sphere(0.05, 120)
    reference = ReferenceMesh(np.asarray(ball.vertices), np.asarray(ball.triangles))
    assert len(reference.triangles) > 2 * FINE
    corners = ShownSurface(reference, places_of(reference, {})).corners
    assert len(corners) < FINE
    assert areas(corners).sum() == pytest.approx(reference.areas.sum(), rel=0.03)


def test_a_zone_that_demands_more_views_than_saw_it_is_shown_as_seen_by_too_few(world):
    right = {'boxes': [{'centre_mm': (35, 0, 0), 'size_mm': (30, 80, 10)}]}
    demand = {'minimum': 0.0, 'zones': {'right': {'minimum': 0.9, 'min_views': 2}}}
    world = world.with_recipe(zones={'right': right}, coverage=demand)
    one = shown(world, verdict_on(world, world.camera('left'))).surfaces[Seen.TOO_FEW]
    centres = one.corners.mean(axis=1)
    assert centres[:, 0].min() > 0.02 - 0.003
    assert areas(one.corners).sum() > 0.9 * 0.03 * 0.06
    two = [world.camera('left'), world.camera('right')]
    both = shown(world, verdict_on(world, *two)).surfaces[Seen.TOO_FEW].corners
    assert areas(both).sum() < 0.2 * areas(one.corners).sum()


def with_defects(*defects, reasons=(), decision=Decision.REJECT):
    return Verdict('i1', 'p-7', 'plate', decision, tuple(reasons), tuple(defects))


def scratch(probability=0.93, at=(0.01, 0.0, 0.002), sensor='left', **changes):
    source = Source(ViewKey('top', sensor), 'scratch', 0.9)
    place = None if at is None else np.array(at)
    up = np.array([0.0, 0.0, 1.0])
    return Defect('scratch', probability, place, up, sources=(source,), **changes)


def test_a_defect_is_marked_at_its_place_with_its_number_and_probability(world):
    first, second = scratch(length_mm=12.0), scratch(0.4, (-0.02, 0.0, 0.002), 'right')
    marks = shown(world, with_defects(first, second)).defects
    assert [mark.text for mark in marks] == ['D1 scratch 0.93', 'D2 scratch 0.40']
    assert marks[0].position_m is first.position_m
    assert marks[0].diameter_m == pytest.approx(0.012)
    assert marks[1].diameter_m > 0.001  # one without a length can still be seen


def test_each_defect_has_the_colour_of_what_it_alone_leads_to(world):
    reject, forgiven, numbered = scratch(), scratch(0.2, sensor='right'), scratch(0.7)
    reasons = [
        Reason('defect', 'scratch 0.93 seen by left at top; none', decision=Decision.REJECT),
        Reason('rule_count', '2 scratches: D3, D21; limit 1', decision=Decision.REVIEW),
        Reason('defect_improbable', 'scratch 0.20 seen by right at top', decision=Decision.ACCEPT),
    ]
    marks = shown(world, with_defects(reject, forgiven, numbered, reasons=reasons)).defects
    colours = [DECISION_COLOURS[d] for d in (Decision.REJECT, Decision.ACCEPT, Decision.REVIEW)]
    assert [mark.colour for mark in marks] == colours


def test_a_defect_that_no_reason_tells_of_has_the_colour_of_the_verdict(world):
    (mark,) = shown(world, with_defects(scratch(), decision=Decision.REVIEW)).defects
    assert mark.colour == DECISION_COLOURS[Decision.REVIEW]


def test_the_headline_tells_decision_part_first_reasons_and_defects_without_a_place(world):
    reasons = [Reason(f'r{n}', f'reason {n} ' + 'x' * 200 * (n == 1)) for n in range(5)]
    lines = shown(world, with_defects(scratch(0.5, None), reasons=reasons)).headline.splitlines()
    assert lines[0] == 'REJECT p-7'
    assert lines[1] == 'reason 0'
    assert len(lines[2]) <= 90
    assert lines[4:] == ['and 2 more', 'D1 scratch 0.50 has no place']


def test_a_frustum_ends_where_the_part_is_and_projects_onto_the_rim_of_the_image(world):
    frustum = shown(world, verdict_on(world, world.camera('left'))).frusta[0]
    camera = world.cell.cameras['left']
    pixels = camera.intrinsics.value().project(frustum.corners_m)
    assert pixels[[0, 2]] == pytest.approx(np.array([[-0.5, -0.5], [1279.5, 959.5]]))
    part = transform_points(world.part_to_sensor('left'), np.zeros((1, 3)))
    reach = np.linalg.norm(frustum.corners_m, axis=1)
    assert reach == pytest.approx(np.linalg.norm(part), rel=0.02)


def test_a_sensor_whose_view_is_no_proof_is_shown_otherwise_than_the_others(world):
    blind = world.camera('right', presence=Presence())
    frusta = shown(world, verdict_on(world, world.camera('left'), blind)).frusta
    colours = {frustum.sensor: frustum.colour for frustum in frusta}
    assert colours['left'] == PROVEN
    assert colours['right'] == colours['below'] == DECISION_COLOURS[Decision.UNKNOWN]


def test_without_a_reference_there_is_a_headline_and_no_surface(world):
    marker = PartMarker(world.recipe, world.cell, None)
    markers = marker.of(replace(verdict_on(world), reasons=()))
    assert markers.surfaces == ()
    assert markers.headline == 'UNKNOWN p-7'
