"""Lighting sequences in the inspector: shots of one view speak once, and lose nothing."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import PresenceStatus, ViewStatus
from inspection_cell.geometry import Intrinsics
from inspection_cell.observations import (
    Image,
    ImageSeries,
    Observation,
    Scan,
    ShotImage,
    ViewKey,
)
from inspection_cell.recipe import load_recipe
from inspection_cell.views.detection import DetectionInspector
from inspection_cell.views.detections import Detections
from inspection_cell.views.shots import together

NOTHING = Detections(np.zeros((0, 4)), np.zeros(0), ())


def found(*rows):
    """Detections of rows (label, score, x0, y0, x1, y1)."""
    if not rows:
        return NOTHING
    boxes = np.array([row[2:] for row in rows], dtype=np.float64)
    return Detections(boxes, np.array([row[1] for row in rows]), tuple(row[0] for row in rows))


class Lit:
    """A detector that knows what each brightness shows."""

    backend = 'lit'
    classes = ('screw', 'scratch', 'stain')
    model_hash = 'e' * 64

    def __init__(self, shows):
        self.shows, self.calls = shows, []

    def detect(self, images, beside=0):
        self.calls.append(len(images))
        return [self.shows.get(int(image.pixels[0, 0, 0]), NOTHING) for image in images]


BRIGHT, DARK = 200, 20
SCREWS = [('screw', 0.9, 2, 2, 8, 8), ('screw', 0.9, 70, 2, 78, 8)]


def recipe(tmp_path, shots=None):
    content = {
        'format': 1,
        'part_type': 'plate',
        'reference': 'none',
        'presentations': {
            'top': {'pose': {'position_mm': [0, 0, 0], 'rpy_deg': [0, 0, 0]}, 'sensors': ['left']}
        },
        'detection': {
            'model': 'm',
            'classes': {'scratch': {'min_score': 0.3}, 'stain': {'min_score': 0.3}},
            'features': [{'label': 'screw', 'count': 2}],
            'shots': shots or {},
        },
    }
    file = tmp_path / 'recipe.yaml'
    file.write_text(yaml.safe_dump(content))
    return load_recipe(file)


def image(grey, shape=(60, 80, 3)):
    return Image(np.full(shape, grey, dtype=np.uint8))


def series(**greys):
    return ImageSeries(tuple(ShotImage(shot, image(grey)) for shot, grey in greys.items()))


def observation(data):
    return Observation('a1', ViewKey('top', 'left'), 123, data, np.eye(4), np.eye(4))


def looked(tmp_path, shows, shots=None, **greys):
    greys = greys or {'bright': BRIGHT, 'dark': DARK}
    inspector = DetectionInspector(recipe(tmp_path, shots), None, Lit(shows), None)
    return inspector.inspect(observation(series(**greys))).view_findings


def told(view):
    return [(f.label, f.score, tuple(f.box_px), f.shots) for f in view.findings]


def test_what_two_shots_show_is_one_finding_with_the_best_score_and_all_of_its_extent(tmp_path):
    shows = {
        BRIGHT: found(('scratch', 0.9, 20, 20, 30, 24), *SCREWS),
        DARK: found(('scratch', 0.6, 22, 20, 50, 25)),
    }
    assert told(looked(tmp_path, shows)) == [
        ('scratch', 0.9, (20, 20, 50, 25), ('bright', 'dark'))
    ]


def test_each_finding_says_which_shot_shows_it(tmp_path):
    shows = {
        BRIGHT: found(('stain', 0.7, 40, 40, 50, 50), *SCREWS),
        DARK: found(('scratch', 0.6, 22, 20, 50, 25), ('scratch', 0.5, 5, 50, 30, 55)),
    }
    assert told(looked(tmp_path, shows)) == [
        ('stain', 0.7, (40, 40, 50, 50), ('bright',)),
        ('scratch', 0.6, (22, 20, 50, 25), ('dark',)),
        ('scratch', 0.5, (5, 50, 30, 55), ('dark',)),
    ]


def test_a_shot_gives_only_findings_of_what_it_is_to_look_for(tmp_path):
    shows = {
        BRIGHT: found(('scratch', 0.8, 20, 20, 30, 24), *SCREWS),
        DARK: found(('stain', 0.9, 40, 40, 50, 50), ('scratch', 0.6, 60, 20, 70, 25)),
    }
    shots = {'dark': {'labels': ['scratch']}, 'bright': {'labels': ['stain', 'screw']}}
    assert told(looked(tmp_path, shows, shots)) == [('scratch', 0.6, (60, 20, 70, 25), ('dark',))]


def test_presence_is_proven_by_the_first_shot_or_by_those_that_the_recipe_names(tmp_path):
    shows = {BRIGHT: found(*SCREWS)}
    proven, named = PresenceStatus.PRESENT, {'bright': {'presence': True}}
    assert looked(tmp_path, shows).presence.status is proven
    dark_first = {'dark': DARK, 'bright': BRIGHT}
    assert looked(tmp_path, shows, **dark_first).presence.status is PresenceStatus.ABSENT
    assert looked(tmp_path, shows, named, **dark_first).presence.status is proven
    both = {**named, 'dark': {'presence': True}}
    assert looked(tmp_path, shows, both, **dark_first).presence.status is proven
    assert looked(tmp_path, {}, both).presence.status is PresenceStatus.ABSENT


def test_a_series_of_one_shot_gives_the_findings_of_the_image_alone(tmp_path):
    shows = {BRIGHT: found(('scratch', 0.9, 20, 20, 30, 24), ('stain', 0.1, 1, 1, 5, 5), *SCREWS)}
    inspector = DetectionInspector(recipe(tmp_path), None, Lit(shows), None)
    alone = inspector.inspect(observation(image(BRIGHT))).view_findings
    of_series = inspector.inspect(observation(series(bright=BRIGHT))).view_findings
    assert told(alone) == told(of_series) == [('scratch', 0.9, (20, 20, 30, 24), ())]
    assert alone.presence == of_series.presence


def test_all_shots_go_to_the_detector_in_one_call_and_leave_their_files(tmp_path):
    detector = Lit({DARK: found(('scratch', 0.6, 22, 20, 50, 25))})
    inspector = DetectionInspector(
        recipe(tmp_path), None, detector, EvidenceFolder(tmp_path, host='here')
    )
    inspection = inspector.inspect(observation(series(bright=BRIGHT, dark=DARK)))
    assert detector.calls == [2]
    names = {file.name.split('/')[-1]: file for file in inspection.view_findings.evidence}
    assert list(names) == ['top.left.bright.image.jpg', 'top.left.dark.image.jpg']
    assert len({file.sha256 for file in names.values()}) == 2
    shown = cv2.imread(str(tmp_path / names['top.left.dark.image.jpg'].name))
    assert abs(int(shown.mean()) - DARK) < 2
    annotated = inspection.annotated()
    assert annotated.shape == (60, 160, 3)
    marked = (annotated != image(DARK).pixels[0, 0]).any(axis=2)
    assert marked[18:27, 80 + 20 : 80 + 52].any()  # drawn in the shot that shows it


@pytest.mark.parametrize(
    ('data', 'words'),
    [
        (
            ImageSeries((ShotImage('bright', image(9)), ShotImage('dark', image(9, (50, 80, 3))))),
            'shot dark: expected 80×60 pixels',
        ),
        (Scan(np.zeros((1, 3), dtype=np.float32)), 'expected an image, got a Scan'),
    ],
)
def test_a_bad_shot_spoils_the_view_and_is_named(tmp_path, data, words):
    inspector = DetectionInspector(recipe(tmp_path), None, Lit({}), None)
    camera = Intrinsics(80, 60, 100.0, 100.0, 39.5, 29.5)
    view = inspector.inspect(replace(observation(data), intrinsics=camera)).view_findings
    assert view.status is ViewStatus.MALFORMED
    assert words in view.reason


def test_shots_of_different_sizes_are_refused_without_a_calibration_too(tmp_path):
    mixed = ImageSeries((ShotImage('a', image(9)), ShotImage('b', image(9, (50, 80, 3)))))
    inspector = DetectionInspector(recipe(tmp_path), None, Lit({}), None)
    view = inspector.inspect(observation(mixed)).view_findings
    assert view.status is ViewStatus.MALFORMED
    assert 'shots of one size' in view.reason


def looks(count):
    return [ShotImage(f'shot_{number}', image(0)) for number in range(count)]


def test_outlines_of_one_thing_are_joined():
    first = Detections(
        np.array([[0.0, 0.0, 10.0, 10.0]]),
        np.array([0.5]),
        ('scratch',),
        (np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]]),),
    )
    second = replace(
        first,
        boxes_px=np.array([[2.0, 2.0, 14.0, 10.0]]),
        polygons_px=(np.array([[2.0, 2.0], [14.0, 2.0], [14.0, 10.0]]),),
    )
    (outline,) = together(looks(2), [first, second], {'scratch': 0.3}).detections.polygons_px
    assert {tuple(point) for point in outline.tolist()} >= {(0.0, 0.0), (14.0, 2.0), (14.0, 10.0)}


DETECTION = st.tuples(
    st.sampled_from(['scratch', 'stain', 'screw']),
    st.floats(0.01, 1.0),
    st.floats(0, 60),
    st.floats(0, 40),
    st.floats(1, 20),
    st.floats(1, 20),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(DETECTION, max_size=5), min_size=2, max_size=4))
def test_whatever_the_shots_show_nothing_is_lost_and_two_of_one_shot_stay_two(shown):
    parts = [
        found(*((label, score, x, y, x + w, y + h) for label, score, x, y, w, h in rows))
        for rows in shown
    ]
    limits = {'scratch': 0.3, 'stain': 0.3}
    seen = together(looks(len(parts)), parts, limits)
    boxes, scores = seen.detections.boxes_px, seen.detections.scores
    assert (np.diff(scores) <= 0).all()
    for number, part in enumerate(parts):
        name = f'shot_{number}'
        for label in set(part.labels):
            own = [
                i
                for i, shots in enumerate(seen.shots)
                if seen.detections.labels[i] == label and name in shots
            ]
            assert len(own) == part.labels.count(label)
        for index, label in enumerate(part.labels):
            box = part.boxes_px[index]
            assert any(
                seen.detections.labels[i] == label
                and name in seen.shots[i]
                and scores[i] >= part.scores[index]
                and (boxes[i, :2] <= box[:2]).all()
                and (boxes[i, 2:] >= box[2:]).all()
                for i in range(len(seen.shots))
            )


def test_one_screw_that_two_shots_show_is_one_screw():
    bright, dark = (found(('screw', score, 20, 20, 30, 30)) for score in (0.9, 0.6))
    looks = [ShotImage(name, image(BRIGHT)) for name in ('bright', 'dark')]
    seen = together(looks, [bright, dark], {'screw': 0.4})
    assert seen.detections.labels == ('screw',)
    assert seen.detections.scores.tolist() == [0.9]
