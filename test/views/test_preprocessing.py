"""What a network sees of an image, and the way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_cell.errors import DataError
from inspection_cell.observations import Image
from inspection_cell.views.preprocessing import GREY, SHORTEST, STRIDE, fit

SIDES = st.integers(1, 700)


def noise(*shape: int) -> Image:
    return Image(np.random.default_rng(7).integers(0, 255, shape, dtype=np.uint8))


@settings(max_examples=40, deadline=None)
@given(height=SIDES, width=SIDES, image_size=st.none() | st.integers(32, 640))
def test_points_come_back_to_where_they_were(height, width, image_size):
    fitted = fit(noise(height, width), image_size)
    corners = np.array([[0, 0, width, height], [width / 2, height / 3, width, height]])
    in_network = (corners.reshape(-1, 2) * fitted.scale).reshape(-1, 4)
    assert fitted.to_image(in_network) == pytest.approx(corners)
    assert (in_network[:, 2:] <= np.array(fitted.pixels.shape[1::-1]) + 1e-9).all()


@settings(max_examples=40, deadline=None)
@given(height=SIDES, width=SIDES, image_size=st.none() | st.integers(32, 640))
def test_the_network_gets_colour_in_whole_strides_of_sufficient_size(height, width, image_size):
    pixels = fit(noise(height, width), image_size).pixels
    assert pixels.shape[2] == 3
    assert all(side % STRIDE == 0 and side >= SHORTEST for side in pixels.shape[:2])
    assert pixels.flags.c_contiguous


def test_an_image_that_fits_is_not_changed():
    image = noise(960, 1280, 3)
    assert np.array_equal(fit(image).pixels, image.pixels)


def test_the_border_is_grey_and_lies_right_and_below():
    image = noise(200, 250, 3)
    pixels = fit(image).pixels
    assert pixels.shape == (224, 256, 3)
    assert np.array_equal(pixels[:200, :250], image.pixels)
    assert (pixels[200:] == GREY).all()
    assert (pixels[:, 250:] == GREY).all()


def test_the_longest_side_becomes_the_image_size():
    fitted = fit(noise(300, 600, 3), 320)
    assert fitted.scale == pytest.approx([320 / 600, 160 / 300])
    assert fitted.pixels.shape == (160, 320, 3)


def test_boxes_are_cut_at_the_borders_of_the_image():
    fitted = fit(noise(100, 150))
    cut = fitted.inside(np.array([[-5.0, 20.0, 170.0, 130.0]]))
    assert cut.tolist() == [[0.0, 20.0, 150.0, 100.0]]


def test_more_than_eight_bits_are_refused():
    with pytest.raises(DataError, match='8 bit pixels, got uint16'):
        fit(Image(np.zeros((64, 64), dtype=np.uint16)))


def test_an_image_beyond_a_networks_memory_is_refused_at_full_size_and_taken_scaled():
    image = Image(np.broadcast_to(np.uint8(90), (9000, 12000)))  # 108 million pixels
    with pytest.raises(DataError, match=r'got 12000×9000: set image_size or slicing'):
        fit(image)
    fitted = fit(image, 640)
    assert fitted.pixels.shape == (480, 640, 3)
    assert fitted.to_image(np.array([640.0, 480.0])) == pytest.approx([12000, 9000])
