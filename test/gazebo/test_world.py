"""The world that is written, as Gazebo's own parser and as geometry see it."""

import math
import re
from xml.etree import ElementTree

import numpy as np
import pytest

from inspection_cell.gazebo.world import WAITING_M
from inspection_cell.geometry import (
    TRANSFORM_X_FORWARD_TO_OPTICAL,
    from_quaternion,
    invert,
    transform_points,
)
from inspection_cell.outcome import read_orders


def world_of(files):
    return ElementTree.parse(files.world).getroot().find('world')


def sensors_of(cell, files):
    """Of each camera and scanner: name, description, model element and sensor element."""
    models = {model.get('name'): model for model in world_of(files).findall('model')}
    for name, sensor in cell.posed_sensors.items():
        model = models[f'sensor_{name}']
        yield name, sensor, model, model.find('link/sensor')


def pose_of(model):
    values = [float(word) for word in model.findtext('pose').split()]
    assert model.find('pose').get('rotation_format') == 'quat_xyzw'
    return from_quaternion(values[:3], values[3:])


def number(element, path):
    return float(element.findtext(path))


def test_gazebos_own_parser_finds_nothing_that_it_does_not_know(written, sdf_problems):
    assert sdf_problems(written[2].world) == []


@pytest.mark.parametrize(
    ('element', 'misspelt'),
    [
        ('horizontal_fov', 'horisontal_fov'),
        ('triggered', 'trigered'),
        ('cast_shadows', 'cast_shadow'),
        ('max_step_size', 'max_stepsize'),
        ('uri', 'url'),
        ('static', 'statik'),
        ('lens', 'lense'),
    ],
)
def test_a_misspelt_element_is_found(written, sdf_problems, tmp_path, element, misspelt):
    text = written[2].world.read_text()
    assert f'<{element}>' in text
    copy = tmp_path / 'world.sdf'
    copy.write_text(re.sub(f'(</?){element}>', rf'\g<1>{misspelt}>', text))
    assert any(f'[{misspelt}]' in line for line in sdf_problems(copy))


def test_a_value_that_gazebo_cannot_read_is_found(written, sdf_problems, tmp_path):
    copy = tmp_path / 'world.sdf'
    text = written[2].world.read_text()
    copy.write_text(re.sub('<width>[0-9]+', '<width>wide', text))
    assert sdf_problems(copy)


def test_sensors_stand_where_the_cell_has_them_and_look_along_x(written):
    cell, _, files = written
    ahead = np.array([[0.4, 0.0, 0.0], [0.0, 0.1, 0.0], [0.0, 0.0, 0.1]])  # forward, left, up
    optical = np.array([[0.0, 0.0, 0.4], [-0.1, 0.0, 0.0], [0.0, -0.1, 0.0]])
    assert np.allclose(transform_points(TRANSFORM_X_FORWARD_TO_OPTICAL, ahead), optical)
    count = 0
    for _, sensor, model, element in sensors_of(cell, files):
        expected = transform_points(sensor.nominal.transform(), optical)
        assert np.allclose(transform_points(pose_of(model), ahead), expected, atol=1e-9)
        assert element.find('pose') is None
        assert model.find('link/pose') is None
        count += 1
    assert count == len(cell.posed_sensors)


def test_lenses_project_as_the_cells_intrinsics_do(written):
    """By the projection of Gazebo: pixels count from the corner of the image's first."""
    cell, recipes, files = written
    pose = next(iter(recipes[0].file.presentations.values())).pose.transform()
    points = np.random.default_rng(0).uniform(-0.04, 0.04, (50, 3)) @ pose[:3, :3].T + pose[:3, 3]
    for _, sensor, model, element in sensors_of(cell, files):
        lens = sensor.intrinsics
        camera = element.find('camera')
        assert number(camera, 'image/width') == lens.width
        assert number(camera, 'image/height') == lens.height
        assert number(camera, 'horizontal_fov') == pytest.approx(
            2 * math.atan(lens.width / 2 / lens.fx)
        )
        x, y, z = transform_points(invert(pose_of(model)), points).T
        flat = np.column_stack([-y / x, -z / x])
        k = camera.find('distortion')
        assert (k is None) == (not any(lens.distortion))
        if k is not None:
            flat = brown(flat, *(number(k, name) for name in ('k1', 'k2', 'k3', 'p1', 'p2')))
            centre = [float(word) for word in k.findtext('center').split()]
            assert centre[0] * lens.width == pytest.approx(number(camera, 'lens/intrinsics/cx'))
        fx, fy, cx, cy = (number(camera, f'lens/intrinsics/{n}') for n in ('fx', 'fy', 'cx', 'cy'))
        from_corner = flat * (fx, fy) + (cx, cy)
        seen = lens.value().project(transform_points(invert(sensor.nominal.transform()), points))
        assert np.allclose(from_corner - 0.5, seen, atol=1e-6)


def brown(flat, k1, k2, k3, p1, p2):
    x, y = flat.T
    r2 = x * x + y * y
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    return np.column_stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ]
    )


def test_every_sensor_is_triggered_and_has_a_topic_of_its_own(written):
    cell, _, files = written
    elements = [element for *_, element in sensors_of(cell, files)]
    assert all(element.findtext('camera/triggered') == 'true' for element in elements)
    topics = [element.findtext('topic') for element in elements]
    topics += [element.findtext('camera/trigger_topic') for element in elements]
    assert len({*topics}) == 2 * len(cell.posed_sensors)
    assert all(topic.startswith(f'/{cell.file.name}/') for topic in topics)
    kinds = {element.get('name'): element.get('type') for element in elements}
    assert kinds == {
        **dict.fromkeys(cell.cameras, 'camera'),
        **dict.fromkeys(cell.scanners, 'depth_camera'),
    }
    assert all(element.find('camera/optical_frame_id') is None for element in elements)


def test_the_systems_that_move_and_show_are_there_and_distortion_has_an_engine(written):
    cell, _, files = written
    systems = {system.get('name'): system for system in world_of(files).findall('plugin')}
    assert {name.rpartition('::')[2] for name in systems} == {
        'Physics', 'Sensors', 'UserCommands', 'SceneBroadcaster'
    }  # fmt: skip
    engine = systems['gz::sim::systems::Sensors'].findtext('render_engine')
    distorted = any(any(camera.intrinsics.distortion) for camera in cell.cameras.values())
    assert engine == ('ogre' if distorted else 'ogre2')


def test_every_ordered_part_is_a_model_with_a_mesh_out_of_sight(written):
    _, _, files = written
    models = {model.get('name'): model for model in world_of(files).findall('model')}
    orders = read_orders(files.parts)
    assert len(orders) == 2
    places = set()
    for order in orders:
        model = models[order.part_id]
        uri = model.findtext('link/visual/geometry/mesh/uri')
        assert (files.world.parent / uri).stat().st_size > 100_000
        assert (files.world.parent / uri).with_suffix('.mtl').is_file()
        assert model.findtext('static') == 'true'
        places.add(tuple(pose_of(model)[:3, 3]))
        assert pose_of(model)[2, 3] == WAITING_M
    assert len(places) == len(orders)
    assert any(not order.truth.good for order in orders)
