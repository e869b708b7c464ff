"""Markers, frames and coloured clouds as RViz takes them."""

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from visualization_msgs.msg import Marker

from inspection_cell.findings import Decision
from inspection_cell.frames import Frames
from inspection_cell.geometry import from_rpy
from inspection_cell.nodes.conversions.markers import colour_to_msg, markers_to_msg
from inspection_cell.nodes.conversions.sensor_data import deviation_to_msg
from inspection_cell.nodes.conversions.transforms import transform_from_msg, transform_to_msg
from inspection_cell.showing.part_markers import (
    DECISION_COLOURS,
    ColouredSurface,
    DefectMark,
    Frustum,
    PartMarkers,
)

FRAMES = Frames('demo/')
UP = np.array([0.0, 0.0, 1.0])
TRIANGLES = np.random.default_rng(3).random((5, 3, 3))


def mark(text='D1 scratch 0.93', normal=UP):
    return DefectMark(text, '#ff4a45', np.array([0.01, 0.02, 0.03]), normal, 0.004)


def shown(*defects, surfaces=None):
    corners = np.array([[-1, -1, 2], [1, -1, 2], [1, 1, 2], [-1, 1, 2]]) * 0.1
    default = (ColouredSurface('seen', '#102030', TRIANGLES),)
    return PartMarkers(
        0.1,
        'REJECT p-1',
        np.array([0.0, 0.0, 0.05]),
        DECISION_COLOURS[Decision.REJECT],
        default if surfaces is None else surfaces,
        defects,
        (Frustum('left', corners, '#ffffff'),),
    )


def wired(msg):
    return deserialize_message(serialize_message(msg), type(msg))


def markers(*defects, **given):
    return wired(markers_to_msg(shown(*defects, **given), FRAMES)).markers


def of(made, namespace):
    return [marker for marker in made if marker.ns == namespace]


def test_what_was_shown_before_is_deleted_first():
    made = markers(mark())
    assert [marker.action for marker in made].index(Marker.DELETEALL) == 0
    assert {marker.action for marker in made[1:]} == {Marker.ADD}


def test_each_marker_has_a_name_of_its_own_and_stays_with_its_frame():
    made = markers(mark(), mark('D2 dent 0.5'))[1:]
    assert len({(marker.ns, marker.id) for marker in made}) == len(made)
    assert all(marker.frame_locked for marker in made)
    frames = {marker.ns: marker.header.frame_id for marker in made}
    assert frames.pop('left looks') == 'demo/left_optical_frame'
    assert set(frames.values()) == {'demo/part'}


def test_triangles_arrive_as_they_are_in_their_colour():
    (surface,) = of(markers(), 'seen')
    assert surface.type == Marker.TRIANGLE_LIST
    points = np.array([(point.x, point.y, point.z) for point in surface.points])
    assert np.array_equal(points, TRIANGLES.reshape(-1, 3))
    assert surface.color == wired(colour_to_msg('#102030'))
    assert (surface.color.r, surface.color.a) == (pytest.approx(16 / 255), 1.0)
    assert (surface.scale.x, surface.pose.orientation.w) == (1.0, 1.0)


def test_an_empty_surface_is_no_marker_because_viewers_complain_of_it():
    nothing = ColouredSurface('not seen', '#ffffff', np.empty((0, 3, 3)))
    assert of(markers(surfaces=(nothing,)), 'not seen') == []


def test_a_defect_is_a_sphere_with_a_label_and_an_arrow_that_ends_on_it():
    made = markers(mark())
    (sphere,), (arrow,), (label,) = (of(made, n) for n in ('defects', 'normals', 'labels'))
    assert (sphere.type, sphere.scale.x, sphere.pose.position.z) == (Marker.SPHERE, 0.004, 0.03)
    assert arrow.points[1] == sphere.pose.position
    assert arrow.points[0].z > arrow.points[1].z  # it stands on the surface
    assert (label.type, label.text) == (Marker.TEXT_VIEW_FACING, 'D1 scratch 0.93')
    assert label.scale.z > 0


def test_a_defect_without_a_normal_has_no_arrow():
    made = markers(mark(normal=None))
    assert len(of(made, 'defects')) == 1
    assert of(made, 'normals') == []


def test_a_frustum_has_four_sides_and_a_rim():
    (frustum,) = of(markers(), 'left looks')
    assert (frustum.type, len(frustum.points)) == (Marker.LINE_LIST, 16)
    assert sum(point.z == 0.0 for point in frustum.points) == 4
    assert frustum.scale.x > 0


def test_the_verdict_is_a_text():
    (text,) = of(markers(), 'verdict')
    assert (text.text, text.pose.position.z) == ('REJECT p-1', 0.05)


def test_transforms_survive_the_wire_as_the_pose_of_the_child_in_the_parent():
    pose = from_rpy((0.1, -0.2, 0.3), (0.4, 0.5, -0.6))
    msg = wired(transform_to_msg(pose, 'demo/cell', 'demo/part', 1_500_000_000))
    assert (msg.header.frame_id, msg.child_frame_id) == ('demo/cell', 'demo/part')
    assert (msg.header.stamp.sec, msg.header.stamp.nanosec) == (1, 500_000_000)
    assert msg.transform.translation.x == 0.1
    assert transform_from_msg(msg) == pytest.approx(pose)


def test_the_colours_of_a_cloud_are_packed_as_viewers_read_them():
    points = np.random.default_rng(2).random((4, 3))
    colours = np.array([[255, 0, 0], [1, 2, 3], [0, 0, 0], [255, 255, 255]], dtype=np.uint8)
    cloud = wired(deviation_to_msg(points, points[:, 0], colours))
    fields = {field.name: field.offset for field in cloud.fields}
    assert list(fields) == ['x', 'y', 'z', 'deviation', 'rgb']
    rows = np.frombuffer(cloud.data, np.uint8).reshape(4, cloud.point_step)
    packed = rows[:, fields['rgb'] : fields['rgb'] + 4].copy().view('<u4')[:, 0]
    assert [f'{value:06x}' for value in packed] == ['ff0000', '010203', '000000', 'ffffff']
