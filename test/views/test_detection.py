"""Camera inspection from observation to findings, with a detector that answers as told."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import yaml

from inspection_cell.cell import load_cell
from inspection_cell.errors import DataError, ModelError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import Finding, Presence, PresenceStatus, ViewStatus
from inspection_cell.geometry import transform_points
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.observations import Image, Observation, Scan, ViewKey
from inspection_cell.recipe import load_recipe
from inspection_cell.reference import load_reference
from inspection_cell.views.annotation import annotate
from inspection_cell.views.detection import DetectionInspector
from inspection_cell.views.detections import Detections
from inspection_cell.views.eight_bit import to_eight_bit
from inspection_cell.views.presence import MISSED_SCORE


class Told:
    """A detector that finds a box per pixel value: what it sees depends on the image alone."""

    backend = 'told'
    classes = ('screw', 'missing_screw', 'scratch', 'stain')
    model_hash = 'f' * 64

    def detect(self, images, beside=0):
        return [self._one(int(image.pixels.reshape(-1)[0])) for image in images]

    def _one(self, value):
        boxes = [[10, 10, 30, 20], [40, 10, 60, 20], [10, 40, 30, 50]]
        scores, labels = [0.9, 0.55, 0.2], ('scratch', 'stain', 'scratch')
        if value == 0:
            return Detections(np.zeros((0, 4)), np.zeros(0), ())
        return Detections(np.array(boxes), np.array(scores), labels)


AT_ORIGIN = {'position_mm': [0, 0, 0], 'rpy_deg': [0, 0, 0]}


def recipe(tmp_path, presentations=None, **detection):
    content = {
        'format': 1,
        'part_type': 'plate',
        'reference': 'none',
        'presentations': presentations or {'top': {'pose': AT_ORIGIN, 'sensors': ['left']}},
        'detection': {
            'model': 'm',
            'classes': {
                'scratch': {'min_score': 0.5, 'max_length_mm': 3.0},
                'stain': {'min_score': 0.6},
            },
            **detection,
        },
    }
    file = tmp_path / 'recipe.yaml'
    file.write_text(yaml.safe_dump(content))
    return load_recipe(file)


def observation(data, inspection_id='a1'):
    return Observation(inspection_id, ViewKey('top', 'left'), 123, data, np.eye(4), np.eye(4))


def picture(value=90, dtype=np.uint8, shape=(60, 80, 3)):
    pixels = np.full(shape, value, dtype=dtype)
    pixels[20:30, 20:50] = pixels.max() // 2
    return Image(pixels)


def test_only_classes_of_the_recipe_above_their_score_become_findings(tmp_path):
    inspector = DetectionInspector(recipe(tmp_path), None, Told(), None)
    findings = inspector.inspect(observation(picture())).view_findings
    assert findings.status is ViewStatus.OK
    assert [(f.label, f.score, f.limit, f.unit) for f in findings.findings] == [
        ('scratch', 0.9, 3.0, 'mm')
    ]
    assert findings.model_hash == Told.model_hash
    assert findings.stamp_ns == 123


def test_without_features_and_outline_presence_stays_unknown(tmp_path):
    inspector = DetectionInspector(recipe(tmp_path), None, Told(), None)
    presence = inspector.inspect(observation(picture())).view_findings.presence
    assert presence.status is PresenceStatus.UNKNOWN


def test_counted_features_that_are_not_there_mean_absent(tmp_path):
    demanding = recipe(tmp_path, features=[{'label': 'screw', 'count': 2}])
    inspector = DetectionInspector(demanding, None, Told(), None)
    presence = inspector.inspect(observation(picture())).view_findings.presence
    assert presence.status is PresenceStatus.ABSENT
    assert '0 of 2 screw' in presence.evidence


def test_the_image_is_written_with_its_hash_and_drawn_into_when_asked(tmp_path):
    import hashlib

    inspector = DetectionInspector(recipe(tmp_path), None, Told(), EvidenceFolder(tmp_path))
    inspection = inspector.inspect(observation(picture()))
    (file,) = inspection.view_findings.evidence
    assert file.kind == 'image'
    content = (tmp_path / file.name).read_bytes()
    assert content[:2] == b'\xff\xd8'
    assert hashlib.sha256(content).hexdigest() == file.sha256
    annotated = inspection.annotated()
    assert annotated.shape == (60, 80, 3)
    assert not np.array_equal(annotated, picture().pixels)


def test_a_full_or_unwritable_data_folder_is_an_error_not_a_result(tmp_path):
    (tmp_path / 'evidence').write_text('a file where the folder should be')
    inspector = DetectionInspector(recipe(tmp_path), None, Told(), EvidenceFolder(tmp_path))
    findings = inspector.inspect(observation(picture())).view_findings
    assert findings.status is ViewStatus.ERROR
    assert 'cannot write evidence' in findings.reason


def test_a_scan_in_place_of_an_image_is_malformed(tmp_path):
    inspector = DetectionInspector(recipe(tmp_path), None, Told(), None)
    scan = Scan(np.zeros((3, 3), dtype=np.float32))
    inspection = inspector.inspect(observation(scan))
    assert inspection.view_findings.status is ViewStatus.MALFORMED
    assert 'expected an image' in inspection.view_findings.reason
    assert inspection.annotated is None


def test_an_image_of_another_size_than_calibrated_is_malformed(tmp_path):
    from inspection_cell.geometry import Intrinsics

    inspector = DetectionInspector(recipe(tmp_path), None, Told(), None)
    camera = Intrinsics(640, 480, 500.0, 500.0, 320.0, 240.0)
    wrong = replace(observation(picture()), intrinsics=camera)
    findings = inspector.inspect(wrong).view_findings
    assert findings.status is ViewStatus.MALFORMED
    assert '640' in findings.reason and '80' in findings.reason


@pytest.mark.parametrize('dtype', [np.uint16, np.float32])
def test_deeper_images_are_inspected_in_eight_bit(tmp_path, dtype):
    inspector = DetectionInspector(recipe(tmp_path), None, Told(), None)
    inspection = inspector.inspect(observation(picture(4000, dtype, (60, 80))))
    assert inspection.view_findings.status is ViewStatus.OK
    assert inspection.annotated().dtype == np.uint8


def test_a_float_image_without_contrast_is_malformed(tmp_path):
    inspector = DetectionInspector(recipe(tmp_path), None, Told(), None)
    flat = Image(np.full((60, 80), np.nan, dtype=np.float32))
    assert inspector.inspect(observation(flat)).view_findings.status is ViewStatus.MALFORMED


def test_stretching_to_eight_bit_keeps_the_order_of_grey_values():
    values = np.linspace(100, 3000, 4800, dtype=np.float32).reshape(60, 80)
    eight = to_eight_bit(Image(values)).pixels.reshape(-1).astype(int)
    assert (np.diff(eight) >= 0).all()
    assert eight[0] == 0
    assert eight[-1] == 255


def test_eight_bit_images_pass_unchanged():
    image = picture()
    assert to_eight_bit(image) is image


def test_a_views_findings_do_not_depend_on_what_other_threads_look_at(tmp_path):
    inspector = DetectionInspector(recipe(tmp_path), None, Told(), None, steady_s=lambda: 0.0)
    seen = [observation(picture(value)) for value in (90, 0) * 8]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(inspector.inspect, seen))
    alone = [inspector.inspect(one) for one in seen]
    for one, other in zip(together, alone, strict=True):
        found, expected = one.view_findings.findings, other.view_findings.findings
        assert [finding.score for finding in found] == [finding.score for finding in expected]
    assert together[1].view_findings.findings == ()


class Counting(Told):
    """Counts its calls, and fails as a broken runtime would when it is told to."""

    def __init__(self, error=None):
        self.calls, self.beside, self._error = [], [], error

    def detect(self, images, beside=0):
        self.calls.append(len(images))
        self.beside.append(beside)
        if self._error is not None:
            raise self._error
        return super().detect(images, beside)


def test_an_image_that_cannot_be_used_does_not_reach_the_detector(tmp_path):
    detector = Counting()
    inspector = DetectionInspector(recipe(tmp_path), None, detector, None)
    scan = Scan(np.zeros((3, 3), dtype=np.float32))
    data = [picture(90), scan, picture(0), picture(4000, np.uint16, (60, 80))]
    views = [inspector.inspect(observation(one)).view_findings for one in data]
    assert detector.calls == [1, 1, 1]
    assert [view.status for view in views] == [
        *(ViewStatus.OK, ViewStatus.MALFORMED, ViewStatus.OK, ViewStatus.OK)
    ]
    assert [len(view.findings) for view in views] == [1, 0, 0, 1]


def test_only_the_sensors_that_the_recipe_names_are_sliced(tmp_path):
    detector = Counting()
    slicing = {'tile_px': 64, 'overlap_px': 8, 'sensors': ['left', 'right']}
    inspector = DetectionInspector(recipe(tmp_path, slicing=slicing), None, detector, None)
    for sensor in ('left', 'front', 'right'):
        inspector.inspect(replace(observation(picture()), view=ViewKey('top', sensor)))
    assert detector.calls == [2, 1, 2]  # two tiles of each sliced one


def test_the_detector_is_told_how_many_cameras_look_at_the_same_time(tmp_path):
    cell = load_cell(demo_cell())
    together = {
        'top': {'pose': AT_ORIGIN, 'sensors': ['left', 'right', 'scanner']},
        'side': {'pose': AT_ORIGIN, 'sensors': ['left']},
    }
    demanding = recipe(tmp_path, presentations=together)
    detector = Counting()
    inspector = DetectionInspector(demanding, None, detector, None, cell=cell)
    for presentation in together:
        key = ViewKey(presentation, 'left')
        inspector.inspect(replace(observation(picture()), view=key))
    assert detector.beside == [1, 0]


def test_what_the_detector_raises_is_not_taken_for_a_clean_part(tmp_path):
    detector = Counting(RuntimeError('out of memory'))
    inspector = DetectionInspector(recipe(tmp_path), None, detector, None)
    with pytest.raises(RuntimeError, match='out of memory'):
        inspector.inspect(observation(picture()))


class Outlining(Told):
    """Gives an outline with each box: a thin diagonal."""

    def _one(self, value):
        boxes = super()._one(value)
        outlines = [
            np.array([[x0, y0], [x1 - 2, y1], [x1, y1], [x0 + 2, y0]])
            for x0, y0, x1, y1 in boxes.boxes_px
        ]
        return Detections(boxes.boxes_px, boxes.scores, boxes.labels, tuple(outlines))


def test_a_finding_carries_its_outline(tmp_path):
    inspector = DetectionInspector(recipe(tmp_path), None, Outlining(), None)
    (finding,) = inspector.inspect(observation(picture())).view_findings.findings
    assert finding.polygon_px.tolist() == [[10, 10], [28, 20], [30, 20], [12, 10]]
    (boxed,) = (
        DetectionInspector(recipe(tmp_path), None, Told(), None)
        .inspect(observation(picture()))
        .view_findings.findings
    )
    assert boxed.polygon_px is None


def test_an_outline_is_drawn_along_itself_and_a_box_around():
    box = np.array([200.0, 200, 400, 300])
    outline = np.array([[200.0, 200], [400, 290], [400, 300], [200, 210]])
    grey = np.full((480, 640), 90, dtype=np.uint8)
    for polygon in (outline, None):
        finding = Finding('scratch', 0.9, box_px=box, polygon_px=polygon)
        red = annotate(grey, [finding], np.zeros((0, 4)), Presence())[..., 2] > 150
        assert red[245:260, 300].any() == (polygon is not None)
        assert red[280:303, 198:203].any() == (polygon is None)


def test_a_recipe_without_detection_is_refused(tmp_path):
    content = yaml.safe_load(recipe(tmp_path).path.read_text())
    del content['detection']
    file = tmp_path / 'other.yaml'
    file.write_text(yaml.safe_dump(content))
    with pytest.raises(ModelError, match='detection'):
        DetectionInspector(load_recipe(file), None, Told(), None)


@pytest.mark.parametrize(
    ('boxes', 'scores', 'labels'),
    [
        ([[5, 5, 1, 9]], [0.5], ('a',)),
        ([[1, 1, 5, 9]], [1.5], ('a',)),
        ([[1, 1, 5, 9]], [0.5], ('a', 'b')),
        ([[1, 1, 5, np.nan]], [0.5], ('a',)),
    ],
)
def test_detections_that_cannot_be_are_refused(boxes, scores, labels):
    with pytest.raises(DataError):
        Detections(np.array(boxes, dtype=float), np.array(scores), labels)


class Screws:
    """A detector that sees a screw at each pixel but one, and weakly that it is missing there."""

    backend = 'told'
    classes = ('screw', 'missing_screw', 'scratch', 'stain')
    model_hash = 'f' * 64

    def __init__(self, pixels, weak):
        self.boxes = np.hstack([pixels - 8.0, pixels + 8.0])
        self.weak = weak

    def detect(self, images, beside=0):
        count = len(self.boxes)
        scores = np.array([self.weak, *[0.9] * (count - 1)])
        labels = ('missing_screw', *['screw'] * (count - 1))
        return [Detections(self.boxes, scores, labels) for _ in images]


@pytest.mark.parametrize('weak', [0.32, 0.59, 0.8])
def test_a_weak_box_of_the_detector_does_not_take_the_place_of_a_stronger_sign(weak):
    bracket = next(r for r in map(load_recipe, demo_recipes()) if r.part_type == 'bracket')
    whole = bracket.file.detection.model_copy(update={'window': 'image'})
    bracket = replace(bracket, file=bracket.file.model_copy(update={'detection': whole}))
    cell, reference = load_cell(demo_cell()), load_reference(bracket)
    camera = cell.cameras['left'].intrinsics.value()
    held = bracket.file.presentations['top'].pose.transform()
    sensor = cell.sensors['left'].pose.transform()
    places = np.array(whole.features[0].positions_mm) / 1000.0
    pixels = camera.project(transform_points(np.linalg.inv(sensor) @ held, places))
    seen = Observation(
        *('a1', ViewKey('top', 'left'), 123),
        picture(shape=(camera.height, camera.width, 3)),
        *(held, sensor, camera),
    )
    inspector = DetectionInspector(bracket, reference, Screws(pixels, weak), None)
    findings = inspector.inspect(seen).view_findings.findings
    (missing,) = [one for one in findings if one.label == 'missing_screw']
    assert missing.score == max(weak, MISSED_SCORE)
