"""One colour scale: what is within the tolerance is told from what is not, by a step."""

import numpy as np

from inspection_cell.showing.deviation_colours import FAR_ABOVE, FAR_BELOW, WITHIN, deviation_rgb

TOLERANCE_MM = (-0.2, 0.1)


def rgb(*deviation_mm):
    return deviation_rgb(np.array(deviation_mm), TOLERANCE_MM)


def hexadecimal(colour):
    return '#' + bytes(colour).hex()


def test_zero_and_the_ends_of_the_scale_have_the_colours_that_the_reports_have():
    assert [hexadecimal(c) for c in rgb(-0.6, 0.0, 0.3)] == [FAR_BELOW, WITHIN, FAR_ABOVE]


def test_beyond_the_scale_the_colour_stays():
    assert np.array_equal(rgb(-9.0, 9.0), rgb(-0.6, 0.3))


def test_the_colour_steps_at_each_limit_and_nowhere_else():
    deviations_mm = np.linspace(-0.6, 0.3, 9001)
    colours = deviation_rgb(deviations_mm, TOLERANCE_MM).astype(int)
    steps = np.flatnonzero(np.abs(np.diff(colours, axis=0)).max(axis=1) > 20)
    assert np.allclose(deviations_mm[steps], TOLERANCE_MM, atol=2e-4)
