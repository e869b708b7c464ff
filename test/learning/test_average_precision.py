"""Average precision against hand-counted curves, and on drawn images."""

import numpy as np
import pytest

from inspection_cell.learning.average_precision import match_truth
from inspection_cell.views.detections import Detections


def boxes(*found):
    """Detections of (score, place); places are 100 px apart."""
    corners = [[100 * place, 0, 100 * place + 50, 50] for _, place in found]
    return Detections(
        np.reshape(corners, (-1, 4)), np.array([score for score, _ in found]), ('a',) * len(found)
    )


def test_all_found_and_nothing_else_is_one():
    truth = boxes((1, 0), (1, 1))
    assert match_truth([boxes((0.9, 0), (0.8, 1))], [truth], ['a']).map50() == 1


def test_a_false_alarm_above_the_last_hit_costs_what_the_curve_says():
    """Recall 0 to 0.5 at precision 1, 0.51 to 1 at 2/3: 51 and 50 of the 101 recalls."""
    truth = boxes((1, 0), (1, 1))
    matched = match_truth([boxes((0.9, 0), (0.8, 7), (0.7, 1))], [truth], ['a'])
    assert matched.map50() == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_a_second_box_on_one_thing_is_a_false_alarm():
    truth = boxes((1, 0), (1, 1))
    twice = match_truth([boxes((0.9, 0), (0.8, 0), (0.7, 1))], [truth], ['a'])
    assert twice.map50() == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_a_class_that_no_image_shows_does_not_count():
    truth = boxes((1, 0))
    assert match_truth([boxes((0.9, 0))], [truth], ['a', 'b']).map50() == 1


def test_weights_count_images_as_if_they_were_repeated():
    generator = np.random.default_rng(4)
    truths = [boxes((1, 0), (1, 1)) for _ in range(5)]
    found = [
        boxes(*((float(generator.random()), int(generator.integers(0, 4))) for _ in range(3)))
        for _ in range(5)
    ]
    counts = [2, 0, 1, 3, 1]
    repeated = [index for index, count in enumerate(counts) for _ in range(count)]
    drawn = match_truth(found, truths, ['a']).map50(np.array(counts, dtype=np.float64))
    whole = match_truth([found[i] for i in repeated], [truths[i] for i in repeated], ['a'])
    assert drawn == pytest.approx(whole.map50(), abs=0.02)
