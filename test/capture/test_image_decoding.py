"""Image decoding against arrays of known content."""

import sys
from array import array

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_cell.capture.image_decoding import ENCODINGS, decode_image
from inspection_cell.errors import DataError

BIG = sys.byteorder == 'big'
HEIGHT, WIDTH = 6, 8
SHARED = ['mono8', 'bgr8', 'mono16', '16UC1', '32FC1']
COLOUR = {'bgr8': (0, 1, 2), 'rgb8': (2, 1, 0), 'bgra8': (0, 1, 2), 'rgba8': (2, 1, 0)}
BAYER = [name for name in ENCODINGS if name.startswith('bayer')]


def stored(encoding, seed=0, dtype=None):
    """Random pixels as the encoding stores them."""
    kind = ENCODINGS[encoding]
    shape = (HEIGHT, WIDTH) if kind.channels == 1 else (HEIGHT, WIDTH, kind.channels)
    raw = np.random.default_rng(seed).integers(0, 255, shape)
    return raw.astype(dtype or kind.dtype)


def message(pixels, padding=0):
    """Bytes of a message with `padding` junk bytes after each row, and its step."""
    rows = np.frombuffer(pixels.tobytes(), np.uint8).reshape(len(pixels), -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=0xAB)
    return array('B', rows.tobytes()), rows.shape[1]


@pytest.mark.parametrize('padding', [0, 4, 12])
@pytest.mark.parametrize('encoding', SHARED)
def test_layouts_that_fit_share_the_memory_of_the_message_and_are_read_only(encoding, padding):
    pixels = stored(encoding)
    data, step = message(pixels, padding)
    image = decode_image(encoding, WIDTH, HEIGHT, step, BIG, data)
    assert np.array_equal(image.pixels, pixels)
    assert image.pixels.dtype == pixels.dtype
    assert np.shares_memory(image.pixels, np.frombuffer(data, np.uint8))
    assert not image.pixels.flags.writeable


@pytest.mark.parametrize('padding', [0, 3])
@pytest.mark.parametrize('encoding', COLOUR)
def test_colours_come_out_as_blue_green_red(encoding, padding):
    pixels = stored(encoding)
    data, step = message(pixels, padding)
    image = decode_image(encoding, WIDTH, HEIGHT, step, False, data)
    assert np.array_equal(image.pixels, pixels[:, :, COLOUR[encoding]])
    assert not image.pixels.flags.writeable


@pytest.mark.parametrize('encoding', ['mono16', '16UC1', '32FC1'])
def test_both_byte_orders_give_the_same_values(encoding):
    pixels = stored(encoding)
    for order in '<>':
        data, step = message(pixels.astype(pixels.dtype.newbyteorder(order)), padding=4)
        image = decode_image(encoding, WIDTH, HEIGHT, step, order == '>', data)
        assert np.array_equal(image.pixels, pixels)
        assert image.pixels.dtype.isnative


@pytest.mark.parametrize('padding', [0, 5])
@pytest.mark.parametrize('encoding', BAYER)
def test_a_mosaic_of_one_colour_gives_that_colour_everywhere(encoding, padding):
    colour = {'b': 200, 'g': 120, 'r': 30}
    first, second, third, fourth = (colour[letter] for letter in encoding[6:10])
    tile = np.array([[first, second], [third, fourth]], np.uint8)
    data, step = message(np.tile(tile, (HEIGHT // 2, WIDTH // 2)), padding)
    image = decode_image(encoding, WIDTH, HEIGHT, step, False, data)
    assert np.array_equal(image.pixels, np.full((HEIGHT, WIDTH, 3), (200, 120, 30)))


@pytest.mark.parametrize('kind', [bytes, bytearray, memoryview, np.frombuffer])
def test_any_kind_of_buffer_serves(kind):
    pixels = stored('mono8')
    data = kind(pixels.tobytes()) if kind is not np.frombuffer else kind(pixels.tobytes(), 'u1')
    assert np.array_equal(decode_image('mono8', WIDTH, HEIGHT, WIDTH, False, data).pixels, pixels)


def test_padded_views_are_taken_by_opencv():
    data, step = message(stored('bgr8'), padding=7)
    image = decode_image('bgr8', WIDTH, HEIGHT, step, False, data)
    expected = cv2.cvtColor(np.ascontiguousarray(image.pixels), cv2.COLOR_BGR2GRAY)
    assert np.array_equal(cv2.cvtColor(image.pixels, cv2.COLOR_BGR2GRAY), expected)


@pytest.mark.parametrize(
    ('fields', 'words'),
    [
        (('yuv422', 8, 6, 16, False, bytes(96)), ["'yuv422'", 'mono8']),
        (('mono8', 8, 6, 8, False, bytes(47)), ['48 bytes', '47', '8×6']),
        (('mono8', 8, 6, 8, False, bytes(49)), ['48 bytes', '49']),
        (('bgr8', 8, 6, 23, False, bytes(138)), ['at least 24', '23']),
        (('mono16', 8, 6, 17, False, bytes(102)), ['units of 2', '17']),
        (('mono8', 0, 6, 8, False, bytes(48)), ['1×1', '0×6']),
        (('mono8', 8, 0, 8, False, b''), ['1×1', '8×0']),
        (('bayer_rggb8', 1, 1, 1, False, b'x'), ['4×4', '1×1']),
        (('mono8', 8, 6, 8, False, [0] * 48), ['contiguous buffer', 'list']),
        (('mono8', 8, 6, 8, False, np.zeros(96, np.uint8)[::2]), ['contiguous buffer']),
    ],
)
def test_malformed_messages_are_refused_with_what_was_expected_and_what_came(fields, words):
    with pytest.raises(DataError) as caught:
        decode_image(*fields)
    for word in words:
        assert word in str(caught.value)


small = st.integers(-1, 9)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.data())
def test_random_headers_and_bytes_give_an_image_or_a_data_error(data):
    encoding = data.draw(st.sampled_from([*ENCODINGS, '', 'bgr16']))
    width, height = data.draw(small), data.draw(small)
    step = data.draw(st.one_of(st.integers(-5, 40), st.integers(0, 2**70)))
    exact = max(0, step * height)
    length = data.draw(st.sampled_from([exact if exact < 1000 else 0, 0, 1, 7, 64]))
    content = data.draw(st.binary(min_size=length, max_size=length))
    try:
        image = decode_image(encoding, width, height, step, data.draw(st.booleans()), content)
    except DataError as error:
        assert len(str(error)) > 20
    else:
        assert image.pixels.shape[:2] == (height, width)
