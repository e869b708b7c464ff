import cv2
import numpy as np
import pytest

from inspection_cell.capture.compressed_decoding import decode_compressed
from inspection_cell.errors import DataError

GREY = np.arange(48 * 64, dtype=np.uint8).reshape(48, 64)
COLOUR = np.dstack([GREY, GREY.T.reshape(48, 64), 255 - GREY])


def file(pixels, suffix):
    return cv2.imencode(suffix, pixels)[1].tobytes()


@pytest.mark.parametrize('pixels', [GREY, COLOUR, GREY.astype(np.uint16) * 200])
@pytest.mark.parametrize('format_', ['png', 'bgr8; png compressed bgr8', 'mono16; png compressed'])
def test_a_png_gives_the_very_same_pixels(pixels, format_):
    image = decode_compressed(format_, file(pixels, '.png'))
    assert image.pixels.dtype == pixels.dtype
    assert np.array_equal(image.pixels, pixels)


def test_a_jpeg_is_decoded_to_blue_green_red_whatever_it_was_made_from():
    smooth = np.full((48, 64, 3), (200, 40, 10), dtype=np.uint8)
    image = decode_compressed('rgb8; jpeg compressed bgr8', file(smooth, '.jpg'))
    assert np.abs(image.pixels.astype(int) - smooth).max() <= 3


def test_transparency_is_left_out():
    with_alpha = np.dstack([COLOUR, GREY])
    assert np.array_equal(decode_compressed('png', file(with_alpha, '.png')).pixels, COLOUR)


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
@pytest.mark.parametrize('share', [0.0, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_short_is_refused_and_never_filled_up(suffix, share):
    content = file(COLOUR, suffix)
    with pytest.raises(DataError, match=r'cut short|expected a'):
        decode_compressed(
            'png' if suffix == '.png' else 'jpeg', content[: int(len(content) * share)]
        )


def test_a_damaged_png_is_refused():
    content = bytearray(file(COLOUR, '.png'))
    content[60:200] = bytes(140)
    with pytest.raises(DataError, match='damaged'):
        decode_compressed('png', bytes(content))


@pytest.mark.parametrize('format_', ['', 'tiff', 'h264', '16UC1; compressedDepth'])
def test_another_format_is_refused_with_its_name(format_):
    with pytest.raises(DataError, match='expected jpeg or png'):
        decode_compressed(format_, file(GREY, '.png'))


def test_a_png_that_is_called_jpeg_is_refused():
    with pytest.raises(DataError, match='expected a jpeg file'):
        decode_compressed('jpeg', file(GREY, '.png'))
