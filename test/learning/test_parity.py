"""The parity gate: an export that differs in one weight or one step is refused, an honest not."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import pytest

from inspection_cell.errors import DataError
from inspection_cell.learning.challenge import Challenge, ChallengeImage
from inspection_cell.learning.parity import Run, compare, run_challenge
from inspection_cell.observations import Image
from inspection_cell.views.detections import Detections
from inspection_cell.views.detectors import load_export
from inspection_cell.views.heads import LOWEST_SCORE

KNOWN = ('screw',)

WEIGHTS = 'w' * 64
BOX = (10.0, 10.0, 50.0, 50.0)


def flip_one_sign(content, places):
    at, count = places[0]
    weights = np.frombuffer(content, dtype=np.float32, count=count, offset=at)
    largest = int(np.abs(weights).argmax())
    content[at + 4 * largest + 3] ^= 0x80


def other_weights(content, places):
    generator = np.random.default_rng(1)
    for at, count in places:
        weights = np.frombuffer(content, dtype=np.float32, count=count, offset=at)
        weights *= 1.0 + 0.05 * generator.standard_normal(count).astype(np.float32)


@dataclass(frozen=True)
class Preprocessed:
    """A detector that prepares images in another way than the trained weights expect."""

    detector: object
    prepare: object
    width_scale: float = 1.0

    @property
    def classes(self):
        return self.detector.classes

    def detect(self, images, beside=0):
        prepared = [Image(np.ascontiguousarray(self.prepare(one.pixels))) for one in images]
        return [self.back(found) for found in self.detector.detect(prepared)]

    def back(self, found):
        boxes = found.boxes_px * [1.0, self.width_scale, 1.0, self.width_scale]
        return Detections(boxes, found.scores, found.labels)


@pytest.fixture(scope='module')
def honest(exported):
    return load_export(exported, exported.exports[0], threads=1, floor_score=LOWEST_SCORE)


def judged(detector, challenge, trained_run, folder):
    return compare(
        trained_run, run_challenge(detector, challenge), challenge, folder.file.weights_sha256
    )


def test_an_honest_export_passes_with_every_box_matched(exported):
    parity = exported.exports[0].parity
    assert exported.exports[0].proven
    assert parity.boxes >= 10
    assert parity.unmatched_share == 0
    assert parity.max_score_difference < 0.001


def test_one_weight_with_a_flipped_sign_is_refused(copied, challenge, trained_run, rewritten):
    damaged = rewritten(copied, flip_one_sign)
    detector = load_export(copied, damaged, threads=1, floor_score=LOWEST_SCORE)
    assert judged(detector, challenge, trained_run, copied).parity.problems


def test_the_export_of_another_model_is_refused(copied, challenge, trained_run, rewritten):
    other = rewritten(copied, other_weights)
    detector = load_export(copied, other, threads=1, floor_score=LOWEST_SCORE)
    comparison = judged(detector, challenge, trained_run, copied)
    assert any('partner' in problem for problem in comparison.parity.problems)
    assert comparison.worst[0].unmatched


def test_swapped_colours_are_refused(exported, honest, challenge, trained_run):
    swapped = Preprocessed(honest, lambda pixels: pixels[:, :, ::-1])
    assert judged(swapped, challenge, trained_run, exported).parity.problems


def test_stretching_instead_of_padding_is_refused(exported, honest, challenge, trained_run):
    stretched = Preprocessed(
        honest,
        lambda pixels: cv2.resize(pixels, (pixels.shape[1], pixels.shape[1])),
        width_scale=224 / 320,
    )
    assert judged(stretched, challenge, trained_run, exported).parity.problems


# The rules, on made-up boxes


def found(*boxes):
    """Detections of (score, label, shift in px)."""
    places = [np.add(BOX, (shift, 0, shift, 0)) for _, _, shift in boxes]
    return Detections(
        np.reshape(places, (-1, 4)), np.array([b[0] for b in boxes]), tuple(b[1] for b in boxes)
    )


def made_up(first, second, precision='fp32', images=12):
    """Compare two lists of boxes, on the first of several images that agree otherwise."""
    same = found((0.9, 'screw', 0.0))
    truth = found((1.0, 'screw', 0.0))
    blank = Image(np.zeros((64, 64), dtype=np.uint8))
    names = [f'{index}.png' for index in range(images)]
    challenge = Challenge(
        path='set',
        classes=('screw',),
        sha256='c' * 64,
        images=tuple(ChallengeImage(name, blank, truth) for name in names),
    )
    runs = [Run((one, *[same] * (images - 1)), 1.0, KNOWN) for one in (first, second)]
    return compare(*runs, challenge, 'a' * 64, precision)


def test_a_partner_just_below_the_threshold_is_a_partner():
    both = found((0.9, 'screw', 0.0), (0.255, 'screw', 100.0))
    below = found((0.9, 'screw', 0.0), (0.245, 'screw', 100.0))
    assert made_up(both, below).parity.problems == ()
    assert made_up(below, both).parity.problems == ()


def test_a_partner_far_below_the_threshold_is_none():
    both = found((0.9, 'screw', 0.0), (0.26, 'screw', 100.0))
    below = found((0.9, 'screw', 0.0), (0.20, 'screw', 100.0))
    assert made_up(both, below).parity.unmatched_share > 0
    assert made_up(below, both).parity.problems


@pytest.mark.parametrize(
    ('second', 'word'),
    [
        (found((0.86, 'screw', 0.0)), 'scores differ by up to 0.040'),
        (found((0.9, 'screw', 8.0)), 'no partner'),
        (found((0.9, 'scratch', 0.0)), 'no partner'),
        (found(), 'no partner'),
        (found((0.9, 'screw', 0.0), (0.9, 'screw', 200.0)), 'no partner'),
    ],
    ids=['score', 'shifted', 'class', 'lost', 'one more'],
)
def test_one_differing_box_is_refused(second, word):
    (problem, *_) = made_up(found((0.9, 'screw', 0.0)), second).parity.problems
    assert word in problem


def test_of_two_boxes_on_one_place_those_with_near_scores_are_partners():
    first = found((0.9, 'screw', 0.0), (0.4, 'screw', 0.5))
    second = found((0.9, 'screw', 0.5), (0.4, 'screw', 0.0))
    assert made_up(first, second).parity.max_score_difference == 0


def test_int8_may_lose_one_box_in_a_hundred_and_no_more():
    boxes = [(0.8, 'screw', 50.0 * index) for index in range(60)]
    one_less, three_less = found(*boxes[:-1]), found(*boxes[:-3])
    assert made_up(found(*boxes), one_less).parity.problems
    assert made_up(found(*boxes), one_less, 'int8').parity.problems == ()
    assert made_up(found(*boxes), three_less, 'int8').parity.problems


def test_int8_scores_may_differ_by_a_tenth():
    first = found((0.9, 'screw', 0.0))
    assert made_up(first, found((0.81, 'screw', 0.0)), 'int8').parity.problems == ()
    assert made_up(first, found((0.79, 'screw', 0.0)), 'int8').parity.problems


def test_low_scores_that_only_average_precision_sees_are_refused():
    """Below the threshold no box needs a partner, but the curve of precision moves."""
    same = found((0.9, 'screw', 0.0))
    truth = found((1.0, 'screw', 0.0), (1.0, 'screw', 100.0))
    blank = Image(np.zeros((64, 64), dtype=np.uint8))
    images = tuple(ChallengeImage(f'{i}', blank, truth) for i in range(12))
    challenge = Challenge('set', ('screw',), 'c' * 64, images)
    low = found((0.9, 'screw', 0.0), (0.2, 'screw', 100.0))
    comparison = compare(
        Run((low,) * 12, 1.0, KNOWN), Run((same,) * 12, 1.0, KNOWN), challenge, 'a' * 64
    )
    (problem,) = comparison.parity.problems
    assert 'mAP50 differs by -' in problem


def test_a_class_that_the_examination_leaves_out_is_not_proven():
    same, blank = found((0.9, 'screw', 0.0)), Image(np.zeros((64, 64), dtype=np.uint8))
    challenge = Challenge(
        path='set',
        classes=('screw',),
        sha256='c' * 64,
        images=tuple(ChallengeImage(str(n), blank, same) for n in range(12)),
    )
    runs = [Run((same,) * 12, 1.0, ('screw', 'scratch')) for _ in range(2)]
    (problem,) = compare(*runs, challenge, 'a' * 64).parity.problems
    assert 'find no scratch' in problem


def test_a_set_that_shows_next_to_nothing_proves_nothing():
    same = found((0.9, 'screw', 0.0))
    (problem,) = made_up(same, same, images=3).parity.problems
    assert '10 are needed' in problem


def test_a_class_that_the_weights_never_find_on_the_set_is_named(exported, challenge, trained_run):
    blind = tuple(
        one.chosen([i for i, label in enumerate(one.labels) if label != 'stain'])
        for one in trained_run.detections
    )
    run = replace(trained_run, detections=blind)
    (problem,) = compare(run, run, challenge, exported.file.weights_sha256).parity.problems
    assert 'find no stain' in problem


def test_outlines_that_differ_within_equal_boxes_are_refused():
    square = np.array([[10, 10], [50, 10], [50, 50], [10, 50]], dtype=np.float64)
    diamond = np.array([[30, 10], [50, 30], [30, 50], [10, 30]], dtype=np.float64)
    one, other = (
        replace(found((0.9, 'screw', 0.0)), polygons_px=(outline,))
        for outline in (square, diamond)
    )
    assert made_up(one, one).parity.problems == ()
    assert made_up(one, other).parity.problems


def test_runs_of_another_set_are_refused(challenge, trained_run):
    short = replace(trained_run, detections=trained_run.detections[1:])
    with pytest.raises(DataError, match='expected detections of'):
        compare(trained_run, short, challenge, WEIGHTS)
