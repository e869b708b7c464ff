"""Lines drawn into pictures: whole or dashed, wherever they run."""

import numpy as np

from inspection_cell.views.annotation import canvas, draw_outline

SQUARE = np.array([(20.0, 20.0), (80.0, 20.0), (80.0, 80.0), (20.0, 80.0)])
RED = (0, 0, 255)


def drawn(outline_px, *, dashed):
    picture = canvas(np.zeros((100, 100), dtype=np.uint8))
    draw_outline(picture, outline_px, RED, 1, dashed=dashed)
    return picture[:, :, 2] > 100


def test_a_dashed_line_is_about_half_of_the_whole_one_and_on_it():
    whole, dashed = drawn(SQUARE, dashed=False), drawn(SQUARE, dashed=True)
    assert not (dashed & ~whole).any()
    assert 0.4 < dashed.sum() / whole.sum() < 0.75


def test_what_runs_far_out_of_the_picture_is_cut_at_its_rim():
    far = SQUARE * (1e7, 1.0)
    for dashed in (False, True):
        assert drawn(far, dashed=dashed).shape == (100, 100)


def test_the_picture_itself_stays_as_it_was():
    pixels = np.zeros((100, 100, 3), dtype=np.uint8)
    draw_outline(canvas(pixels), SQUARE, RED, 1)
    assert not pixels.any()
