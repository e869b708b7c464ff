"""Presence in camera views, against views computed from a known plate and camera."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from inspection_cell.findings import PresenceStatus
from inspection_cell.geometry import Intrinsics, from_rpy, look_at, transform_points
from inspection_cell.observations import Image, Observation, ViewKey
from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.detection import Detection, Feature, Silhouette
from inspection_cell.views.detections import Detections
from inspection_cell.views.presence import (
    MISSED_SCORE,
    counted_presence,
    expect_features,
    feature_presence,
    foreground,
    match,
    missing_findings,
    rendered_outline,
    silhouette_presence,
)
from inspection_cell.views.proof import PresenceProof
from inspection_cell.views.tiles import concatenated

CAMERA = Intrinsics(640, 480, 800.0, 800.0, 319.5, 239.5)
CORNERS_MM = ((-30.0, -20.0, 5.0), (30.0, -20.0, 5.0), (30.0, 20.0, 5.0), (-30.0, 20.0, 5.0))
SCREWS = Feature(label='screw', positions_mm=CORNERS_MM, gate_mm=4.0, min_score=0.4)


def plate() -> ReferenceMesh:
    """A box of 80 x 60 x 10 mm around the origin."""
    half = np.array([0.040, 0.030, 0.005])
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    triangles = [(a, b, c) for a, b, c, _ in quads] + [(a, c, d) for a, _, c, d in quads]
    return ReferenceMesh(signs * half, np.array(triangles))


def from_above(tilt_deg: float = 20.0) -> np.ndarray:
    """`transform_part_to_sensor` of a camera 0.35 m away, tilted from the plate's normal."""
    angle = np.deg2rad(tilt_deg)
    eye = 0.35 * np.array([np.sin(angle), 0.0, np.cos(angle)])
    return np.linalg.inv(look_at(eye, (0, 0, 0)))


def boxes_at(pixels: np.ndarray, labels: list[str], score: float = 0.9) -> Detections:
    boxes = np.hstack([pixels - 8.0, pixels + 8.0])
    return Detections(boxes, np.full(len(boxes), score), tuple(labels))


def screw_pixels(transform: np.ndarray) -> np.ndarray:
    return CAMERA.project(transform_points(transform, np.array(CORNERS_MM) / 1000.0))


KEY = ViewKey('top', 'left')
PICTURE = Image(np.zeros((480, 640, 3), dtype=np.uint8))
NOTHING = Detections(np.zeros((0, 4)), np.zeros(0), ())


def test_four_screws_where_the_pose_puts_them_prove_presence():
    transform = from_above()
    detections = boxes_at(screw_pixels(transform), ['screw'] * 4)
    expected = expect_features(SCREWS, plate(), CAMERA, transform, detections)
    presence = feature_presence([expected])
    assert presence is not None
    assert presence.status is PresenceStatus.PRESENT
    assert presence.score == 1.0
    assert missing_findings(expected, detections) == ()


def test_an_empty_picture_shows_absence_and_every_screw_missing():
    expected = expect_features(SCREWS, plate(), CAMERA, from_above(), NOTHING)
    presence = feature_presence([expected])
    assert presence is not None
    assert presence.status is PresenceStatus.ABSENT
    findings = missing_findings(expected, NOTHING)
    assert [finding.label for finding in findings] == ['missing_screw'] * 4
    assert all(finding.score == MISSED_SCORE for finding in findings)


def test_one_removed_screw_is_the_one_reported_missing():
    transform = from_above()
    pixels = screw_pixels(transform)
    detections = boxes_at(pixels[[0, 1, 3]], ['screw'] * 3)
    expected = expect_features(SCREWS, plate(), CAMERA, transform, detections)
    (finding,) = missing_findings(expected, detections)
    centre = (finding.box_px[:2] + finding.box_px[2:]) / 2
    assert np.linalg.norm(centre - pixels[2]) < 0.01
    assert feature_presence([expected]).status is PresenceStatus.PRESENT


def test_the_detectors_own_missing_screw_gives_its_score():
    transform = from_above()
    pixels = screw_pixels(transform)
    boxes = np.vstack([boxes_at(pixels, [''] * 4).boxes_px])
    labels = ('screw', 'screw', 'missing_screw', 'screw')
    detections = Detections(boxes, np.array([0.9, 0.9, 0.83, 0.9]), labels)
    expected = expect_features(SCREWS, plate(), CAMERA, transform, detections)
    (finding,) = missing_findings(expected, detections)
    assert finding.score == 0.83


@pytest.mark.parametrize('weak', [0.06, 0.3, 0.59])
def test_a_weak_sign_that_a_screw_is_missing_never_acquits(weak):
    transform = from_above()
    boxes = boxes_at(screw_pixels(transform), [''] * 4).boxes_px
    labels = ('screw', 'screw', 'missing_screw', 'screw')
    detections = Detections(boxes, np.array([0.9, 0.9, weak, 0.9]), labels)
    expected = expect_features(SCREWS, plate(), CAMERA, transform, detections)
    (finding,) = missing_findings(expected, detections)
    assert finding.score == MISSED_SCORE


def test_a_screw_seen_too_weakly_lowers_the_score_of_the_missing_one():
    transform = from_above()
    pixels = screw_pixels(transform)
    scores = np.array([0.9, 0.9, 0.3, 0.9])
    boxes = boxes_at(pixels, ['screw'] * 4).boxes_px
    detections = Detections(boxes, scores, ('screw',) * 4)
    expected = expect_features(SCREWS, plate(), CAMERA, transform, detections)
    (finding,) = missing_findings(expected, detections)
    assert finding.score == pytest.approx(MISSED_SCORE * (1 - 0.3 / 0.4))


@pytest.mark.parametrize('also_weakly', [False, True])
def test_a_neighbour_that_was_found_is_no_trace_of_a_missing_screw(also_weakly):
    close = SCREWS.model_copy(update={'positions_mm': ((0.0, 0.0, 5.0), (5.0, 0.0, 5.0))})
    transform = from_above()
    pixels = CAMERA.project(transform_points(transform, np.array(close.positions_mm) / 1000.0))
    beside = pixels[:1] + 0.3 * (pixels[1:] - pixels[:1])  # of the first, within both gates
    detections = boxes_at(
        np.repeat(beside, 1 + also_weakly, axis=0), ['screw'] * (1 + also_weakly)
    )
    scores = np.array([0.9, 0.3])[: len(detections)]
    detections = Detections(detections.boxes_px, scores, detections.labels)
    expected = expect_features(close, plate(), CAMERA, transform, detections)
    assert expected.matched.tolist() == [0, -1]
    (finding,) = missing_findings(expected, detections)
    assert finding.score == MISSED_SCORE


def test_screws_that_only_a_folding_lens_model_puts_into_the_image_are_not_expected():
    lens = Intrinsics(640, 480, 550.0, 550.0, 319.5, 239.5, 'plumb_bob', (-0.3, 0.0, 0.0, 0.0))
    place = np.array([[0.28 * 1.47, 0.0, 0.28]])
    (u, v) = lens.project(place)[0]
    assert 0 <= u < 640
    assert 0 <= v < 480
    far = np.eye(4)
    far[:3, 3] = place[0] - (0.0, 0.0, 0.005)
    at = Feature(label='screw', positions_mm=((0.0, 0.0, -5.0),), gate_mm=4.0)
    turned = far @ from_rpy(np.zeros(3), np.deg2rad([180.0, 0.0, 0.0]))
    assert not len(expect_features(at, plate(), lens, turned, NOTHING).pixels)


def test_screws_on_the_far_side_are_not_expected():
    expected = expect_features(SCREWS, plate(), CAMERA, from_above(180.0 - 20.0), NOTHING)
    assert len(expected.pixels) == 0
    assert feature_presence([expected]) is None


def test_screws_outside_the_image_are_not_expected():
    aside = from_rpy((0.18, 0.0, 0.0), (0, 0, 0)) @ from_above(0.0)
    expected = expect_features(SCREWS, plate(), CAMERA, aside, NOTHING)
    assert len(expected.pixels) == 0


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_matches_are_one_to_one_and_within_the_gate(positions, found, seed):
    generator = np.random.default_rng(seed)
    pixels = generator.uniform(0, 60, (positions, 2))
    centres = generator.uniform(0, 60, (found, 2))
    gates = generator.uniform(5, 30, positions)
    matched = match(pixels, gates, centres)
    used = matched[matched >= 0]
    assert len(set(used.tolist())) == len(used)
    for index in np.flatnonzero(matched >= 0):
        assert np.linalg.norm(pixels[index] - centres[matched[index]]) <= gates[index]
    free = set(range(found)) - set(used.tolist())
    for index in np.flatnonzero(matched < 0):  # no position stays empty beside a free detection
        assert all(np.linalg.norm(pixels[index] - centres[j]) > gates[index] for j in free)


def test_one_detection_never_proves_two_features():
    pixels = np.array([[10.0, 10.0], [14.0, 10.0]])
    matched = match(pixels, np.array([20.0, 20.0]), np.array([[12.0, 10.0]]))
    assert sorted(matched.tolist()) == [-1, 0]


def test_counted_features_prove_presence_without_a_reference():
    feature = Feature(label='screw', count=3)
    three = boxes_at(np.full((3, 2), 50.0), ['screw'] * 3)
    assert counted_presence([feature], three).status is PresenceStatus.PRESENT
    two = boxes_at(np.full((2, 2), 50.0), ['screw'] * 2)
    assert counted_presence([feature], two).status is PresenceStatus.ABSENT


def picture_of(transform: np.ndarray, part: int = 140, ground: int = 30) -> np.ndarray:
    outline = rendered_outline(plate(), CAMERA, transform, (480, 640))
    noise = np.random.default_rng(3).normal(0, 2, outline.shape)
    return np.where(outline, part, ground).__add__(noise).clip(0, 255).astype(np.uint8)


def test_the_outline_of_the_part_at_its_pose_proves_presence():
    transform = from_above()
    presence = silhouette_presence(Silhouette(), plate(), CAMERA, transform, picture_of(transform))
    assert presence.status is PresenceStatus.PRESENT
    assert presence.score > 0.95


def test_a_dark_part_on_a_bright_background_proves_presence_too():
    transform = from_above()
    presence = silhouette_presence(
        Silhouette(background='bright'), plate(), CAMERA, transform, picture_of(transform, 60, 220)
    )
    assert presence.score > 0.95


def test_an_empty_gripper_has_no_foreground_and_no_presence():
    noise = np.random.default_rng(3).normal(30, 2, (480, 640)).clip(0, 255).astype(np.uint8)
    assert foreground(noise, 'dark').mean() < 0.001
    presence = silhouette_presence(Silhouette(), plate(), CAMERA, from_above(), noise)
    assert presence.status is PresenceStatus.ABSENT


def test_a_part_turned_by_90_degrees_is_absent():
    turned = from_above() @ from_rpy((0, 0, 0), (0, 0, np.pi / 2))
    presence = silhouette_presence(Silhouette(), plate(), CAMERA, from_above(), picture_of(turned))
    assert presence.status is PresenceStatus.ABSENT


def proof(*features):
    detection = Detection(model='m', classes={}, features=features)
    return PresenceProof(detection, None, plate())


@pytest.mark.parametrize(('logos', 'told'), [(0, 'ABSENT'), (1, 'PRESENT')])
def test_what_is_counted_is_demanded_beside_what_has_its_place(logos, told):
    transform = from_above()
    seen = boxes_at(screw_pixels(transform), ['screw'] * 4)
    seen = concatenated([seen, boxes_at(np.full((logos, 2), 50.0), ['logo'] * logos)])
    both = proof(SCREWS, Feature(label='logo', count=1))
    here = Observation('i', KEY, 1, PICTURE, np.eye(4), np.linalg.inv(transform), CAMERA)
    presence = both.presence(here, PICTURE, seen, both.expected(here, seen))
    assert presence.status.name == told
    assert '4 of 4 expected' in presence.evidence
    assert f'{logos} of 1 logo' in presence.evidence


def test_a_feature_that_is_listed_twice_is_refused_for_one_detection_would_prove_both():
    with pytest.raises(ValidationError, match='each label once'):
        proof(SCREWS, SCREWS.model_copy(update={'gate_mm': 2.0}))
