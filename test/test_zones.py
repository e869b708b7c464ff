"""Which surface belongs to a zone, against what geometry says about a cube and the real parts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import open3d as o3d
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.spatial.transform import Rotation

from inspection_cell.errors import ConfigError
from inspection_cell.file_check import check_files
from inspection_cell.recipe import Recipe, RecipeFile, load_recipe
from inspection_cell.reference import ReferenceMesh, load_mesh, load_reference
from inspection_cell.sections.zones import Box, Cylinder, Sphere, Zone
from inspection_cell.zones import ROUNDING_M, SurfaceZone, resolve_zones

CONFIG = Path(__file__).parents[1] / 'config' / 'recipes'
SIDE_M = 0.1
FACES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
coordinates = st.floats(-60, 60)
places = st.tuples(coordinates, coordinates, coordinates)
sizes = st.floats(1, 80)


def cube_arrays():
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=float)
    triangles = [t for a, b, c, d in FACES for t in ((a, b, c), (a, c, d))]
    return (corners - 0.5) * SIDE_M, np.array(triangles)


@pytest.fixture(scope='module')
def cube():
    """A cube of 100 mm around the origin: twelve triangles, the last two at the top (+z)."""
    return ReferenceMesh(*cube_arrays())


@pytest.fixture(scope='module')
def ring():
    recipe = load_recipe(CONFIG / 'ring' / 'recipe.yaml')
    return recipe, load_reference(recipe)


def zone(mesh, **entries):
    return SurfaceZone('here', Zone.model_validate(entries), mesh)


def top(mesh, x_mm, y_mm):
    """A point of the cube's top with the triangle that it lies on, as a ray from above gives."""
    to_sensor = np.diag([1.0, -1.0, -1.0, 1.0])
    to_sensor[:3, 3] = (-x_mm / 1000, y_mm / 1000, 0.3)
    ranges, triangles = mesh.cast(to_sensor, np.array([[0.0, 0.0, 1.0]]))
    return np.array([[x_mm / 1000, y_mm / 1000, 0.3 - float(ranges[0])]]), triangles


def recipe_with(zones):
    """The ring's recipe with these zones."""
    recipe = load_recipe(CONFIG / 'ring' / 'recipe.yaml')
    content = {**recipe.file.model_dump(), 'zones': zones, 'fusion': {}}
    return replace(recipe, file=RecipeFile.model_validate(content))


@settings(max_examples=60, deadline=None)
@given(places, st.tuples(sizes, sizes, sizes), places, places)
def test_a_point_is_in_a_turned_box_when_its_coordinates_along_the_box_say_so(
    centre, size, rpy, point
):
    box = Box(centre_mm=centre, size_mm=size, rpy_deg=rpy)
    along = Rotation.from_euler('xyz', rpy, degrees=True).inv().apply(np.subtract(point, centre))
    away_mm = np.abs(along) - np.array(size) / 2
    point_m = np.array([point]) / 1000
    shift_m = float(np.linalg.norm(box.nearest(point_m) - point_m))
    assert shift_m * 1000 == pytest.approx(np.linalg.norm(away_mm.clip(0)), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(places, sizes, sizes, places, places)
def test_the_nearest_points_of_ball_and_cylinder_are_as_far_as_geometry_says(
    centre, radius, length, axis, point
):
    point_m = np.array([point]) / 1000
    offset = np.subtract(point, centre)
    ball = Sphere(centre_mm=centre, radius_mm=radius)
    gap_mm = 1000 * float(np.linalg.norm(ball.nearest(point_m) - point_m))
    assert gap_mm == pytest.approx(max(np.linalg.norm(offset) - radius, 0), abs=1e-6)
    if np.linalg.norm(axis) < 1:
        return
    cylinder = Cylinder(centre_mm=centre, axis=axis, radius_mm=radius, length_mm=length)
    along = offset @ (np.array(axis) / np.linalg.norm(axis))
    across = np.sqrt(max(offset @ offset - along**2, 0.0))
    away = np.hypot(max(across - radius, 0), max(abs(along) - length / 2, 0))
    gap_mm = 1000 * float(np.linalg.norm(cylinder.nearest(point_m) - point_m))
    assert gap_mm == pytest.approx(away, abs=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.floats(-49, 49), st.floats(-49, 49))
def test_a_zone_smaller_than_a_triangle_has_sharp_borders_inside_it(cube, x_mm, y_mm):
    small = zone(cube, boxes=[{'centre_mm': [10, -20, 50], 'size_mm': [30, 12, 2]}])
    inside = abs(x_mm - 10) <= 15 and abs(y_mm + 20) <= 6
    away_mm = max(abs(abs(x_mm - 10) - 15), abs(abs(y_mm + 20) - 6))
    if away_mm > 1000 * ROUNDING_M:
        assert bool(small.contains(*top(cube, x_mm, y_mm))[0]) == inside


def test_a_box_that_ends_on_a_face_holds_that_face(cube):
    upper = zone(cube, boxes=[{'centre_mm': [0, 0, 60], 'size_mm': [100, 100, 20]}])
    assert upper.contains(*top(cube, 12.3, -45.6)).all()


@pytest.mark.parametrize(
    ('entries', 'share'),
    [
        ({'boxes': [{'centre_mm': [0, 0, 50], 'size_mm': [50, 50, 10]}]}, 0.25 / 6),
        ({'spheres': [{'centre_mm': [0, 0, 50], 'radius_mm': 30}]}, np.pi * 9 / 600),
        (
            {'cylinders': [{'centre_mm': [0, 0, 0], 'radius_mm': 30, 'length_mm': 200}]},
            2 * np.pi * 9 / 600,
        ),
        ({'faces': [[10, 11]]}, 1 / 6),
        ({'facing': {'direction': [0, 0, 1], 'max_angle_deg': 20}}, 1 / 6),
        (
            {
                'cylinders': [{'centre_mm': [0, 0, 0], 'radius_mm': 30, 'length_mm': 200}],
                'facing': {'direction': [0, 0, -2]},
            },
            np.pi * 9 / 600,
        ),
        (
            {'faces': [[0, 1]], 'boxes': [{'centre_mm': [50, 0, 0], 'size_mm': [2, 200, 200]}]},
            2 / 6,
        ),
    ],
)
def test_the_share_of_the_surface_is_what_geometry_says(cube, entries, share):
    assert zone(cube, **entries).samples.mean() == pytest.approx(share, abs=0.008)


def test_the_wall_of_the_rings_bore_is_its_area(ring):
    _, mesh = ring
    bore = zone(
        mesh,
        cylinders=[{'centre_mm': [0, 0, 15], 'radius_mm': 17.4, 'length_mm': 20}],
    )
    area_mm2 = bore.samples.mean() * mesh.areas.sum() * 1e6
    half_key = np.arcsin(4.5 / 17)  # the keyway is cut out of the wall, its sides reach into it
    expected = (2 * np.pi - 2 * half_key) * 17 * 20 + 2 * (17.4 - 17) * 20
    assert area_mm2 == pytest.approx(expected, rel=0.06)


def test_faces_are_counted_as_in_the_file_even_where_the_mesh_dropped_some():
    vertices, triangles = cube_arrays()
    with_flat = np.insert(triangles, 4, [0, 0, 1], axis=0)
    mesh = ReferenceMesh(vertices, with_flat)
    last = zone(mesh, faces=[[11, 12]])
    assert last.contains(*top(mesh, 20, 30)).all()
    assert last.samples.mean() == pytest.approx(1 / 6, abs=0.01)


def test_a_painted_zone_is_the_surface_of_that_colour(tmp_path):
    mesh = o3d.geometry.TriangleMesh.create_box(100, 100, 100).subdivide_midpoint(3)
    vertices = np.asarray(mesh.vertices)
    colours = np.full((len(vertices), 3), 0.5)
    colours[vertices[:, 2] > 99] = (1.0, 0.2, 0.0)
    mesh.vertex_colors = o3d.utility.Vector3dVector(colours)
    o3d.io.write_triangle_mesh(str(tmp_path / 'part.ply'), mesh)
    loaded = load_mesh(tmp_path / 'part.ply', 'mm')
    red = zone(loaded, painted=[{'rgb': [255, 50, 0]}])
    assert red.samples.mean() == pytest.approx(1 / 6, abs=0.01)
    assert not zone(loaded, painted=[{'rgb': [255, 80, 0]}]).samples.any()
    assert zone(loaded, painted=[{'rgb': [255, 80, 0], 'tolerance': 40}]).samples.any()


def test_points_of_a_scan_belong_to_the_zone_of_the_surface_that_they_are_nearest_to(cube):
    upper = zone(cube, boxes=[{'centre_mm': [0, 0, 50], 'size_mm': [40, 40, 1]}])
    points = np.array([[0, 0, 51.5], [19, -19, 48.7], [21, 0, 51.5], [0, 0, 0]]) / 1000
    assert upper.near(points).tolist()[:3] == [True, True, False]


@pytest.mark.parametrize(
    ('entries', 'empty'),
    [
        ({'boxes': [{'centre_mm': [17.3, -31.1, 50], 'size_mm': [0.2, 0.2, 0.2]}]}, False),
        ({'spheres': [{'centre_mm': [50.3, 3, 7], 'radius_mm': 0.31}]}, False),
        ({'spheres': [{'centre_mm': [50.3, 3, 7], 'radius_mm': 0.28}]}, True),
        ({'boxes': [{'centre_mm': [0, 0, 0], 'size_mm': [99, 99, 99]}]}, True),
        (
            {
                'boxes': [
                    {'centre_mm': [0, 0, 0], 'size_mm': [0.3, 150, 0.3], 'rpy_deg': [9, 8, 7]}
                ]
            },
            False,
        ),
        (
            {
                'boxes': [{'centre_mm': [17.3, -31.1, 50], 'size_mm': [0.2, 0.2, 0.2]}],
                'facing': {'direction': [0, 0, -1]},
            },
            True,
        ),
    ],
)
def test_a_zone_is_empty_only_when_no_surface_lies_in_it(cube, entries, empty):
    assert zone(cube, **entries).is_empty == empty


def test_zones_that_the_mesh_cannot_serve_are_refused_all_at_once(ring):
    _, mesh = ring
    wrong = recipe_with(
        {
            'in_the_air': {'spheres': [{'centre_mm': [0, 0, 500], 'radius_mm': 5}]},
            'too_far': {'faces': [[0, 3], [9000, 9180]]},
            'red': {'painted': [{'rgb': [255, 0, 0]}]},
            'fine': {'facing': {'direction': [0, 0, 1]}},
        }
    )
    with pytest.raises(ConfigError) as refused:
        resolve_zones(wrong, mesh)
    assert [problem.key for problem in refused.value.problems] == [
        'zones.in_the_air',
        'zones.too_far.faces',
        'zones.red.painted',
    ]
    text = str(refused.value)
    assert 'recipe.yaml' in text and '45.0' in text  # what the part spans
    assert '[9000, 9180]' in text and '0 to 9179' in text


def test_good_zones_come_by_name(ring):
    recipe, mesh = ring
    assert isinstance(recipe, Recipe)
    named = resolve_zones(recipe_with({'up': {'facing': {'direction': [0, 0, 1]}}}), mesh)
    assert list(named) == ['up'] and named['up'].name == 'up'


@pytest.mark.parametrize(
    'entries',
    [
        {},
        {'faces': [[5, 3]]},
        {'faces': [[-1, 3]]},
        {'boxes': [{'centre_mm': [0, 0, 0], 'size_mm': [1, 0, 1]}]},
        {'facing': {'direction': [0, 0, 0]}},
        {
            'cylinders': [
                {'centre_mm': [0, 0, 0], 'axis': [0, 0, 0], 'radius_mm': 1, 'length_mm': 1}
            ]
        },
        {'painted': [{'rgb': [256, 0, 0]}]},
        {'balls': []},
    ],
)
def test_entries_that_mean_nothing_are_refused(entries):
    with pytest.raises(ValidationError):
        Zone.model_validate(entries)


def test_check_names_a_zone_without_surface(tmp_path):
    ring = CONFIG / 'ring'
    (tmp_path / 'ring.ply').write_bytes((ring / 'ring.ply').read_bytes())
    air = 'zones:\n  air: {spheres: [{centre_mm: [0, 0, 400], radius_mm: 3}]}'
    text = (ring / 'recipe.yaml').read_text().replace('zones:', air)
    (tmp_path / 'recipe.yaml').write_text(text)
    (checked,) = check_files([tmp_path / 'recipe.yaml'])
    assert any('zones.air: no surface lies in it' in problem for problem in checked.problems)
