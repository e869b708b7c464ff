"""Calibration: scores with a known distortion become probabilities, in the same order."""

import numpy as np
import pytest

from inspection_cell.errors import DataError
from inspection_cell.learning.calibration import (
    LEAST,
    ScoredHits,
    expected_error,
    fit_calibration,
    reliability,
)
from inspection_cell.views.calibrated import probabilities

SLOPE, OFFSET = 0.5, -1.0  # of the distortion


def distorted(count: int, seed: int = 0, label: str = 'dent') -> ScoredHits:
    """Detections that are true with p, logit(p) = SLOPE · logit(score) + OFFSET."""
    generator = np.random.default_rng(seed)
    scores = generator.uniform(0.05, 0.99, count)
    truth = 1 / (1 + np.exp(-(SLOPE * np.log(scores / (1 - scores)) + OFFSET)))
    hits = generator.uniform(size=count) < truth
    return ScoredHits((label,) * count, scores, hits, np.arange(count) // 4)


def joined(*parts: ScoredHits) -> ScoredHits:
    return ScoredHits(
        tuple(label for one in parts for label in one.labels),
        np.concatenate([one.scores for one in parts]),
        np.concatenate([one.hits for one in parts]),
        np.concatenate([one.images for one in parts]),
    )


def test_a_known_distortion_is_found_and_undone_on_images_not_fitted_on():
    fitted = fit_calibration(distorted(4000))
    calibration = fitted.per_class['dent']
    assert calibration.slope == pytest.approx(SLOPE, abs=0.06)
    assert calibration.offset == pytest.approx(OFFSET, abs=0.12)
    assert fitted.error_before > 0.2
    assert fitted.error < 0.03
    assert fitted.helps


def test_a_new_calibration_must_beat_the_one_in_use_and_keeps_what_it_cannot_fit():
    first = joined(distorted(2000), distorted(2000, 1, 'stain'))
    present = fit_calibration(first).calibrations('first', '0' * 64)
    few = joined(distorted(400, 2), distorted(LEAST, 3, 'stain'))
    again = fit_calibration(few, present=present)
    assert again.error_before < 0.1  # by the one in use, not by raw scores
    assert again.per_class['stain'] == present.per_class['stain']
    assert set(again.kept) == {'stain'}
    alone = fit_calibration(distorted(LEAST, 3, 'stain'), present=present)
    assert not alone.helps


def test_ranks_within_a_class_are_kept():
    found = distorted(500)
    fitted = fit_calibration(found)
    after = probabilities(found.scores, found.labels, fitted.calibrations('x', '0' * 64))
    np.testing.assert_array_equal(np.argsort(after), np.argsort(found.scores))


def test_a_class_with_few_detections_keeps_its_scores_and_is_named():
    rare = distorted(LEAST, label='rare')
    fitted = fit_calibration(joined(distorted(400), rare))
    assert set(fitted.per_class) == {'dent'}
    assert str(LEAST) in fitted.kept['rare']
    after = probabilities(rare.scores, rare.labels, fitted.calibrations('x', '0' * 64))
    np.testing.assert_array_equal(after, rare.scores)


def test_scores_that_say_the_opposite_are_left_alone():
    found = distorted(600)
    backwards = ScoredHits(found.labels, 1 - found.scores, found.hits, found.images)
    fitted = fit_calibration(backwards)
    assert fitted.per_class == {}
    assert not fitted.helps
    assert 'not more often true' in fitted.kept['dent']


def test_detections_that_scores_separate_cleanly_do_not_make_the_fit_diverge():
    scores = np.linspace(0.05, 0.95, 60)
    found = ScoredHits(('dent',) * 60, scores, scores > 0.5, np.arange(60))
    calibration = fit_calibration(found).per_class['dent']
    assert 0 < calibration.slope < 20


def test_the_calibration_error_of_a_hand_made_example():
    # 10 of score 0.95 with 8 true, 10 of score 0.15 with 2 true: (0.15 + 0.05) / 2.
    scores = np.repeat([0.95, 0.15], 10)
    hits = np.array([True] * 8 + [False] * 2 + [True] * 2 + [False] * 8)
    bins = reliability(scores, hits)
    assert [one.count for one in bins] == [10, 10]
    assert expected_error(bins) == pytest.approx(0.1)


def test_no_detections_are_refused():
    nothing = ScoredHits((), np.zeros(0), np.zeros(0, dtype=bool), np.zeros(0, dtype=np.intp))
    with pytest.raises(DataError, match='gave none'):
        fit_calibration(nothing)
