"""A box in an image is found again on the part, at the surface that it really shows."""

from dataclasses import replace

import numpy as np
import open3d as o3d
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_cell.findings import Finding
from inspection_cell.fusion.projection import Located, length_mm, locate
from inspection_cell.geometry import transform_points
from inspection_cell.observations import ViewKey
from inspection_cell.reference import ReferenceMesh


def placed(world, name, points_mm, margin_m=0.006):
    view = world.camera(name)
    finding = world.seen(name, 'scratch', points_mm)
    (found,) = locate(world.reference, view, [finding], view.transform_part_to_sensor, margin_m)
    return found


@settings(max_examples=40, deadline=None)
@given(
    st.floats(-45, 40),
    st.floats(-25, 22),
    st.floats(0.5, 5),
    st.sampled_from(['left', 'right', 'below']),
)
def test_any_mark_on_a_face_is_placed_where_it_is(world, x_mm, y_mm, size_mm, name):
    z_mm = -2 if name == 'below' else 2
    found = placed(world, name, [(x_mm, y_mm, z_mm), (x_mm + size_mm, y_mm, z_mm)])
    truth = np.array([x_mm + size_mm / 2, y_mm, z_mm]) / 1000.0
    assert np.linalg.norm(found.position_m - truth) < 4e-4
    assert found.normal == pytest.approx([0, 0, np.sign(z_mm)])


def test_the_extent_lies_on_the_surface_and_measures_the_mark(world):
    found = placed(world, 'left', [(-15, 3, 2), (15, 3, 2)])
    assert found.extent_m[:, 2] == pytest.approx(0.002, abs=1e-5)
    assert length_mm([found]) == pytest.approx(30.0, abs=1.5)


def test_hits_far_behind_the_mark_do_not_lengthen_it(world):
    found = placed(world, 'left', [(48, 0, 2), (49.9, 0, 2), (49.9, 1, -2)])
    assert length_mm([found]) < 8.0


def test_a_box_beside_the_part_is_off_it_and_one_at_its_outline_is_not(world):
    assert placed(world, 'left', [(70, 0, 2), (72, 1, 2)]).off_part
    near = placed(world, 'left', [(52, 0, 2), (54, 1, 2)])
    assert not near.off_part
    assert near.position_m is not None


def test_a_finding_that_knows_its_place_keeps_it(world):
    here = np.array([0.01, 0.02, 0.002])
    view = world.scan()
    (found,) = locate(world.reference, view, [Finding('dent', 1.0, position_m=here)], None, 0.006)
    assert np.array_equal(found.position_m, here)


def test_nothing_has_no_length():
    assert length_mm([]) == 0.0
    assert (
        length_mm([Located(ViewKey('top', 'left'), Finding('dent', 1.0), np.zeros((1, 3)))]) == 0
    )


@pytest.mark.parametrize('beyond_mm', [1.0, 4.0, 9.0])
def test_what_reaches_beyond_the_part_is_as_long_as_the_image_shows_it(world, beyond_mm):
    found = placed(world, 'left', [(46, -1, 2), (50 + beyond_mm, 1, 2)])
    assert found.position_m[0] < 0.0501
    assert length_mm([found]) > 0.95 * (4 + beyond_mm)


def test_a_box_that_touches_the_part_with_one_corner_has_the_length_of_the_box(world):
    found = placed(world, 'left', [(49.5, 29.5, 2), (60, 45, 2)])
    assert len(found.extent_m) <= 4
    assert length_mm([found]) > 15


def test_a_box_around_an_open_part_is_placed_on_it(world):
    bars = [
        ((0.1, 0.008, 0.004), (-0.05, -0.05, -0.002)),
        ((0.1, 0.008, 0.004), (-0.05, 0.042, -0.002)),
        ((0.008, 0.1, 0.004), (-0.05, -0.05, -0.002)),
        ((0.008, 0.1, 0.004), (0.042, -0.05, -0.002)),
    ]
    frame = o3d.geometry.TriangleMesh()
    for size_m, corner_m in bars:
        frame += o3d.geometry.TriangleMesh.create_box(*size_m).translate(corner_m)
    open_part = replace(
        world, reference=ReferenceMesh(np.asarray(frame.vertices), np.asarray(frame.triangles))
    )
    found = placed(open_part, 'left', [(x, y, 2) for x in (-53, 53) for y in (-53, 53)])
    assert not found.off_part
    assert length_mm([found]) > 100


def test_pieces_of_a_scan_are_as_long_together_as_from_rim_to_rim(world):
    finding = Finding('dent', 1.0, position_m=np.zeros(3), length_mm=2.0)
    other = replace(finding, position_m=np.array([0.006, 0, 0]), length_mm=4.0)
    view = world.scan()
    pieces = locate(world.reference, view, [finding, other], None, 0.006)
    assert length_mm(pieces) == pytest.approx(6.0 + 1.0 + 2.0)


def outlined(world, name, corners_mm, **finding):
    """The same mark by its outline, as a segmentation model gives it, and by its box alone."""
    view = world.camera(name)
    to_camera = world.part_to_sensor(name)
    pixels = view.intrinsics.project(transform_points(to_camera, np.array(corners_mm) / 1000))
    box = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])
    marks = [
        Finding('scratch', 0.9, box_px=box, polygon_px=pixels, **finding),
        Finding('scratch', 0.9, box_px=box, **finding),
    ]
    return locate(world.reference, view, marks, view.transform_part_to_sensor, 0.006)


def test_an_outline_gives_the_extent_that_a_box_only_bounds(world):
    across = [(-20, -10, 2), (-19.5, -10.5, 2), (20, 19.5, 2), (19.5, 20, 2)]
    by_outline, by_box = outlined(world, 'left', across)
    line = np.array([40, 30]) / 50
    away_mm = np.abs((by_outline.extent_m[:, :2] * 1000 + (20, 10)) @ (-line[1], line[0]))
    assert away_mm.max() < 1.5
    assert length_mm([by_outline]) == pytest.approx(50, abs=1.5)
    offsets_mm = by_box.extent_m[:, :2] * 1000 + (20, 10)
    assert np.abs(offsets_mm @ (-line[1], line[0])).max() > 15


def test_the_place_of_an_outline_is_on_it_even_where_its_middle_is_not(world):
    hook = [(0, 0, 2), (30, 0, 2), (30, 20, 2), (29, 20, 2), (29, 1, 2), (0, 1, 2)]
    by_outline, by_box = outlined(world, 'left', hook)
    x_mm, y_mm = by_outline.position_m[:2] * 1000
    assert y_mm < 1.3 or x_mm > 28.7
    assert by_box.position_m * 1000 == pytest.approx([15, 10, 2], abs=2.0)


def test_an_outline_at_the_edge_of_the_part_is_tried_again_by_its_box(world):
    beyond = [(51, 0, 2), (53, 0, 2), (53, 1, 2), (51, 1, 2)]
    by_outline, _ = outlined(world, 'left', beyond)
    assert by_outline.position_m is not None and not by_outline.off_part
