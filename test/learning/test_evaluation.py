"""Evaluation against truth made by hand: precision, recall, false alarms, confusion."""

from pathlib import Path

import numpy as np
import pytest

from inspection_cell.learning import average_precision
from inspection_cell.learning.coco import match
from inspection_cell.learning.detection_run import DetectedImage, DetectionRun
from inspection_cell.learning.evaluation import Thresholds, measure
from inspection_cell.learning.evaluation_pictures import draw_evaluation
from inspection_cell.sections.detection import ClassLimit
from inspection_cell.views.detections import Detections

CLASSES = ('dent', 'scratch')
NOTHING = Detections(np.zeros((0, 4)), np.zeros(0), ())


def boxes(*rows: tuple[str, float, float, float], size: float = 20.0) -> Detections:
    """From (label, score, x, y): boxes of `size` pixels, best first."""
    rows = tuple(sorted(rows, key=lambda row: -row[1]))
    corners = [[x, y, x + size, y + size] for _, _, x, y in rows]
    scores = np.array([score for _, score, _, _ in rows])
    return Detections(np.array(corners), scores, tuple(label for label, *_ in rows))


def measured(*pairs: tuple[Detections, Detections], thresholds: Thresholds | None = None):
    images = tuple(
        DetectedImage(Path(f'{index}.png'), truth, found)
        for index, (truth, found) in enumerate(pairs)
    )
    return measure(DetectionRun(images, CLASSES, 1.0, 'by hand', '0' * 64), thresholds)


TRUTH = boxes(('dent', 1, 0, 0), ('dent', 1, 50, 0), ('scratch', 1, 0, 50))


def test_a_perfect_detector_has_an_average_precision_of_one():
    result = measured((TRUTH, TRUTH), (NOTHING, NOTHING))
    assert (result.map50, result.map50_95) == (pytest.approx(1.0), pytest.approx(1.0))
    assert result.per_class['dent'].recall == 1
    assert result.false_alarms_per_defect_free_image == 0
    np.testing.assert_array_equal(result.confusion, np.diag([2, 1, 0]))


def test_a_shifted_box_counts_up_to_the_overlap_that_it_has():
    # 20 px wide, shifted by 4: overlap 16/24 = 0.667, so right at 50, 55, 60 and 65 %.
    truth, found = boxes(('dent', 1, 0, 0)), boxes(('dent', 0.9, 4, 0))
    result = measured((truth, found))
    assert result.map50 == pytest.approx(1.0)
    assert result.map50_95 == pytest.approx(0.4)


def test_average_precision_of_a_hand_made_ranking():
    # Best first: hit, miss, hit of 2 true: precision 1 up to recall 0.5, then 2/3.
    truth = boxes(('dent', 1, 0, 0), ('dent', 1, 50, 0))
    found = boxes(('dent', 0.9, 0, 0), ('dent', 0.8, 0, 90), ('dent', 0.7, 50, 0))
    assert measured((truth, found)).map50 == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)


def test_a_second_box_on_one_defect_is_false():
    truth = boxes(('dent', 1, 0, 0))
    found = boxes(('dent', 0.9, 0, 0), ('dent', 0.8, 1, 0))
    assert measured((truth, found)).per_class['dent'].precision == 0.5


def test_precision_and_recall_are_those_at_each_classs_threshold():
    found = boxes(
        ('dent', 0.9, 0, 0), ('dent', 0.5, 0, 90), ('dent', 0.3, 50, 0), ('scratch', 0.3, 0, 50)
    )
    result = measured(
        (TRUTH, found), thresholds=Thresholds({'dent': 0.4, 'scratch': 0.2}, CLASSES)
    )
    dent, scratch = result.per_class['dent'], result.per_class['scratch']
    assert (dent.found, dent.precision, dent.recall) == (2, 0.5, 0.5)
    assert (scratch.found, scratch.precision, scratch.recall) == (1, 1.0, 1.0)


def test_the_share_found_rises_with_the_size_as_it_does_in_truth():
    generator = np.random.default_rng(3)
    pairs = []
    for _ in range(600):
        size = float(np.exp(generator.uniform(np.log(5), np.log(80))))
        truth = boxes(('dent', 1, 10, 10), size=size)
        is_found = generator.uniform() < size / (size + 20)
        found = boxes(('dent', 0.8 if is_found else 0.1, 10, 10), size=size)
        pairs.append((truth, found))
    of_dents = measured(*pairs).per_class['dent']
    sizes, shares = np.array(of_dents.detection_rate).T
    np.testing.assert_allclose(shares, sizes / (sizes + 20), atol=0.1)
    assert np.all(np.diff(shares) >= 0)
    recipe_takes = ClassLimit(detection_rate=of_dents.detection_rate)
    assert recipe_takes.detection_rate == of_dents.detection_rate


@pytest.mark.parametrize('count', [0, 14])
def test_of_few_true_things_no_share_by_size_is_claimed(count):
    one = boxes(('dent', 1, 0, 0))
    assert (
        measured(*[(one, one)] * count, (NOTHING, NOTHING)).per_class['dent'].detection_rate == ()
    )


def test_what_was_always_found_is_not_claimed_to_be_found_for_ever():
    one = boxes(('dent', 1, 0, 0))
    ((size, share),) = measured(*[(one, one)] * 18).per_class['dent'].detection_rate
    assert (size, share) == (20.0, 0.95)


def test_false_alarms_are_defects_found_on_images_without_any():
    screws = boxes(('scratch', 1, 0, 0))  # here a class that a good part may show
    found = boxes(('scratch', 0.9, 0, 0), ('dent', 0.8, 50, 0), ('dent', 0.1, 90, 0))
    thresholds = Thresholds({'dent': 0.4, 'scratch': 0.4}, ('dent',))
    result = measured((screws, found), (NOTHING, NOTHING), (TRUTH, found), thresholds=thresholds)
    assert (result.defect_free_images, result.false_alarms) == (2, 1)
    assert result.false_alarms_per_defect_free_image == 0.5


def test_the_confusion_matrix_tells_wrong_classes_from_missed_and_invented_things():
    found = boxes(('scratch', 0.9, 0, 0), ('scratch', 0.8, 0, 50), ('dent', 0.7, 90, 90))
    result = measured((TRUTH, found))
    expected = [[0, 1, 1], [0, 1, 0], [1, 0, 0]]  # rows dent, scratch, nothing
    np.testing.assert_array_equal(result.confusion, expected)


def test_outlines_are_compared_where_both_sides_have_them():
    triangle = np.array([[0.0, 0.0], [20.0, 0.0], [0.0, 20.0]])
    other = np.array([[20.0, 20.0], [20.0, 0.0], [0.0, 20.0]])
    box, score = np.array([[0.0, 0.0, 20.0, 20.0]]), np.ones(1)
    truth = Detections(box, score, ('dent',), (triangle,))
    same, across = truth, Detections(box, score, ('dent',), (other,))
    assert measured((truth, same)).map50 == pytest.approx(1.0)
    assert measured((truth, across)).map50 == 0
    assert measured((truth, across)).overlap == 'outlines'
    assert measured((truth, Detections(box, score, ('dent',)))).map50 == pytest.approx(1.0)


def test_both_ways_to_average_precision_agree_on_random_detections():
    generator = np.random.default_rng(5)
    truths, founds = [], []
    for _ in range(30):
        rows = [
            (str(generator.choice(CLASSES)), 1.0, *generator.uniform(0, 200, 2)) for _ in range(4)
        ]
        moved = [
            (label, generator.uniform(), x + generator.normal(0, 5), y + generator.normal(0, 5))
            for label, _, x, y in rows
        ]
        extra = [('dent', generator.uniform(0, 0.7), *generator.uniform(0, 200, 2))]
        truths.append(boxes(*rows))
        founds.append(boxes(*moved, *extra))
    images = [
        DetectedImage(Path(), truth, found) for truth, found in zip(truths, founds, strict=True)
    ]
    by_coco = np.mean([one.map50 for one in match(images, CLASSES).values()])
    ours = average_precision.match_truth(founds, truths, CLASSES).map50()
    assert ours == pytest.approx(by_coco, abs=1e-9)
    assert 0.2 < ours < 0.95


def test_pictures_show_something(tmp_path):
    pictures = draw_evaluation(measured((TRUTH, TRUTH)), tmp_path)
    assert all(picture.stat().st_size > 5000 for picture in pictures)
