"""Cloud decoding against points of known place."""

from array import array
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_cell.capture.cloud_decoding import CloudField, decode_cloud
from inspection_cell.errors import DataError
from inspection_cell.geometry import TRANSFORM_X_FORWARD_TO_OPTICAL, transform_points

FLOAT32, FLOAT64 = 7, 8
XYZ = tuple(CloudField(name, 4 * index, FLOAT32, 1) for index, name in enumerate('xyz'))


def random_points(count, seed=0):
    return np.random.default_rng(seed).normal(0.0, 0.1, (count, 3)).astype(np.float32)


def message(points, order='xyz', dtype='<f4', offset=0, gap=0, tail=0, height=1, row_padding=0):
    """Fields, sizes and bytes of a cloud with junk wherever no coordinate stands.

    Args:
        order: of the coordinates in a point.
        offset: bytes before the first, `gap` after each, `tail` after the last coordinate.
        row_padding: bytes after each row.
    """
    item = np.dtype(dtype).itemsize
    point_step, width = offset + 3 * (item + gap) + tail, len(points) // height
    raw = np.full((len(points), point_step), 0xFF, np.uint8)
    fields = [CloudField('intensity', 0, 2, 1)]
    for place, name in enumerate(order):
        begin = offset + place * (item + gap)
        column = points[:, 'xyz'.index(name)].astype(dtype)
        raw[:, begin : begin + item] = np.frombuffer(column.tobytes(), 'u1').reshape(-1, item)
        fields.append(CloudField(name, begin, FLOAT32 if item == 4 else FLOAT64, 1))
    rows = np.pad(raw.reshape(height, -1), ((0, 0), (0, row_padding)), constant_values=0xEE)
    big = dtype.startswith('>')
    return fields, width, height, point_step, rows.shape[1], big, array('B', rows.tobytes())


@pytest.mark.parametrize('order', [''.join(names) for names in permutations('xyz')])
def test_fields_may_come_in_any_order(order):
    points = random_points(50)
    assert np.array_equal(decode_cloud(*message(points, order=order)).points, points)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    dtype=st.sampled_from(['<f4', '>f4', '<f8', '>f8']),
    offset=st.integers(0, 9),
    gap=st.integers(0, 5),
    tail=st.integers(0, 9),
    height=st.integers(1, 5),
    width=st.integers(0, 12),
    row_padding=st.integers(0, 9),
    seed=st.integers(0, 1000),
)
def test_any_layout_gives_the_points_that_were_stored(
    dtype, offset, gap, tail, height, width, row_padding, seed
):
    points = random_points(height * width, seed)
    fields = message(
        points,
        dtype=dtype,
        offset=offset,
        gap=gap,
        tail=tail,
        height=height,
        row_padding=row_padding,
    )
    scan = decode_cloud(*fields)
    assert np.array_equal(scan.points, points)
    assert not scan.points.flags.writeable


def test_points_with_an_invalid_coordinate_are_dropped_and_the_order_is_kept():
    points = random_points(100)
    points[3, 0], points[50, 1], points[99, 2] = np.nan, np.inf, -np.inf
    kept = np.delete(points, [3, 50, 99], axis=0)
    assert np.array_equal(decode_cloud(*message(points, height=10)).points, kept)


def test_doubles_beyond_single_precision_are_invalid():
    fields = list(XYZ)
    fields[1] = CloudField('y', 16, FLOAT64, 1)
    raw = np.zeros(2, dtype=[('x', '<f4'), ('z', '<f4', (3,)), ('y', '<f8')])
    raw['y'] = 1e300, 0.5
    scan = decode_cloud(fields, 2, 1, 24, 48, False, raw.tobytes())
    assert scan.points.tolist() == [[0.0, 0.5, 0.0]]


def test_a_cloud_with_x_forward_is_turned_into_the_optical_frame():
    points = random_points(60)
    points[7] = np.inf
    in_front = np.array([1.0, 0.0, 0.0])  # x forward: straight ahead of the sensor
    left, up = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
    named = np.array([in_front, left, up], dtype=np.float32)
    decoded = decode_cloud(*message(named), 'x_forward').points
    assert decoded.tolist() == [[0, 0, 1], [-1, 0, 0], [0, -1, 0]]
    turned = transform_points(TRANSFORM_X_FORWARD_TO_OPTICAL, np.delete(points, 7, axis=0))
    for fields in (message(points), message(points, order='zxy', dtype='>f8')):
        assert np.array_equal(decode_cloud(*fields, 'x_forward').points, turned)


@pytest.mark.parametrize('nothing', [0, 5])
def test_a_cloud_without_a_valid_point_is_an_empty_scan(nothing):
    points = np.full((nothing, 3), np.nan, np.float32)
    assert decode_cloud(*message(points)).points.shape == (0, 3)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        ({'fields': XYZ[:2]}, ["'z'", 'x, y']),
        ({'fields': ()}, ["'x'", 'none']),
        ({'fields': (*XYZ, XYZ[0])}, ["one field 'x'", 'x, y, z, x']),
        ({'fields': (*XYZ[:2], CloudField('z', 8, 5, 1))}, ['FLOAT32', 'datatype 5']),
        ({'fields': (*XYZ[:2], CloudField('z', 8, 7, 3))}, ['FLOAT32', '3 of datatype 7']),
        ({'fields': (*XYZ[:2], CloudField('z', 13, 7, 1))}, ["'z' at 0 to 12", '13']),
        ({'fields': (*XYZ[:2], CloudField('z', -1, 7, 1))}, ["'z' at 0 to 12", '-1']),
        ({'data': bytes(159)}, ['160 bytes', '159']),
        ({'data': bytes(161)}, ['160 bytes', '161']),
        ({'row_step': 0}, ['at least 80', 'got 0']),
        ({'point_step': 0}, ['point step of at least 1']),
        ({'width': -5}, ['no negative size']),
    ],
)
def test_malformed_clouds_are_refused_with_what_was_expected_and_what_came(changes, words):
    good = {
        'fields': XYZ,
        'width': 5,
        'height': 2,
        'point_step': 16,
        'row_step': 80,
        'is_bigendian': False,
        'data': bytes(160),
    }
    assert len(decode_cloud(**good).points) == 10
    with pytest.raises(DataError) as caught:
        decode_cloud(**{**good, **changes})
    for word in words:
        assert word in str(caught.value)


number = st.integers(-1, 20)
field = st.builds(
    CloudField, st.sampled_from(['x', 'y', 'z', 'i']), number, st.integers(0, 9), st.integers(0, 2)
)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.data())
def test_random_headers_and_bytes_give_a_scan_or_a_data_error(data):
    fields = data.draw(st.one_of(st.just(XYZ), st.lists(field, max_size=5)))
    width, height, point_step = data.draw(number), data.draw(number), data.draw(number)
    least = max(0, width * point_step)
    row_step = data.draw(st.sampled_from([least, least + 3, 0, 2**70]))
    exact = max(0, row_step * height)
    length = data.draw(st.sampled_from([exact if exact < 10_000 else 0, 0, 1, 48]))
    content = np.random.default_rng(data.draw(st.integers(0, 99))).bytes(length)
    big = data.draw(st.booleans())
    try:
        scan = decode_cloud(fields, width, height, point_step, row_step, big, content)
    except DataError as error:
        assert len(str(error)) > 20
    else:
        assert len(scan.points) <= width * height
