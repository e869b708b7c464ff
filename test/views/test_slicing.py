"""Tiles of a large image: everything found once, whatever the seams cut."""

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from exported_models import export_of
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from inspection_cell.observations import Image
from inspection_cell.sections.detection import ClassLimit, Detection, Slicing
from inspection_cell.views.detections import Detections
from inspection_cell.views.detectors import load_export
from inspection_cell.views.overlap import iou_matrix
from inspection_cell.views.slicing import SlicedDetector, detector_for_sensor
from inspection_cell.views.tiles import merge, tile_starts

MIN_BLOB = 4  # pixels that a thing shows in a tile before it is found


class BlobDetector:
    """Finds bright things exactly: each connected one is a box; its grey value is its label.

    Ground truth for the seams: what it finds in a whole image is what tiles must give.
    """

    backend, classes, model_hash = 'blobs', ('a', 'b'), '0' * 64

    def __init__(self, *, outlines: bool = False) -> None:
        self.calls: list[int] = []
        self._outlines = outlines

    def detect(self, images: Sequence[Image], beside: int = 0) -> list[Detections]:
        self.calls.append(len(images))
        return [self._one(image.pixels) for image in images]

    def _one(self, pixels: np.ndarray) -> Detections:
        boxes, labels, outlines = [], [], []
        for value, label in ((200, 'a'), (100, 'b')):
            _, numbers, stats, _ = cv2.connectedComponentsWithStats(
                (pixels == value) * np.uint8(1)
            )
            for number, (x, y, width, height, area) in enumerate(stats):
                if number and area >= MIN_BLOB:
                    boxes.append((x, y, x + width, y + height))
                    labels.append(label)
                    mask = (numbers == number).astype(np.uint8)
                    found, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
                    outlines.append(found[0][:, 0, :].astype(np.float64))
        return Detections(
            np.array(boxes, dtype=np.float64).reshape(-1, 4),
            np.linspace(0.9, 0.6, len(boxes)),
            tuple(labels),
            tuple(outlines) if self._outlines else (),
        )


def rows_of(found: Detections) -> list[tuple[str, ...]]:
    rows = zip(found.labels, found.boxes_px.tolist(), strict=True)
    return sorted((label, *map(str, box)) for label, box in rows)


@given(
    length=st.integers(1, 5000),
    tile_px=st.integers(64, 1024),
    overlap=st.floats(0.02, 0.5),
)
def test_tiles_cover_a_side_and_overlap_as_demanded(length, tile_px, overlap):
    overlap_px = int(overlap * tile_px)
    starts = tile_starts(length, tile_px, overlap_px)
    assert starts[0] == 0
    assert starts[-1] == max(length - tile_px, 0)
    steps = np.diff(starts)
    assert (steps > 0).all()
    assert (steps <= tile_px - overlap_px).all()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_thing_smaller_than_the_overlap_is_found_once_and_in_place(data):
    pixels = np.zeros((500, 700), dtype=np.uint8)
    for row in range(5):  # one in each field of a coarse grid: they never touch
        for column in range(7):
            if data.draw(st.booleans()):
                width, height = (data.draw(st.integers(2, 40)) for _ in range(2))
                x = column * 100 + data.draw(st.integers(1, 98 - width))
                y = row * 100 + data.draw(st.integers(1, 98 - height))
                value = data.draw(st.sampled_from([100, 200]))
                pixels[y : y + height, x : x + width] = value
    whole = BlobDetector().detect([Image(pixels)])[0]
    tiled = SlicedDetector(BlobDetector(), 128, 48).detect([Image(pixels)])[0]
    assert rows_of(tiled) == rows_of(whole)


@settings(max_examples=60, deadline=None)
@given(
    ends=st.tuples(*[st.integers(5, 590)] * 4),
    thickness=st.integers(2, 6),
)
def test_a_scratch_across_any_seams_stays_one(ends, thickness):
    pixels = np.zeros((600, 600), dtype=np.uint8)
    cv2.line(pixels, ends[:2], ends[2:], 200, thickness)
    whole = BlobDetector().detect([Image(pixels)])[0]
    tiled = SlicedDetector(BlobDetector(), 128, 32).detect([Image(pixels)])[0]
    assert rows_of(tiled) == rows_of(whole)


def test_two_things_side_by_side_at_a_seam_stay_two():
    pixels = np.zeros((200, 400), dtype=np.uint8)
    pixels[50:54, 60:220] = 200  # both go across the seams
    pixels[80:84, 60:220] = 200
    found = SlicedDetector(BlobDetector(), 128, 32).detect([Image(pixels)])[0]
    assert found.boxes_px[np.argsort(found.boxes_px[:, 1])].tolist() == [
        [60, 50, 220, 54],
        [60, 80, 220, 84],
    ]


def test_other_labels_at_the_same_place_stay_apart():
    pixels = np.zeros((200, 400), dtype=np.uint8)
    pixels[50:90, 60:220] = 200
    pixels[60:70, 80:200] = 100
    found = SlicedDetector(BlobDetector(), 128, 32).detect([Image(pixels)])[0]
    assert sorted(found.labels) == ['a', 'b']


def test_the_outline_of_a_cut_thing_goes_around_all_of_it():
    pixels = np.zeros((300, 500), dtype=np.uint8)
    cv2.line(pixels, (20, 40), (470, 260), 200, 9)
    found = SlicedDetector(BlobDetector(outlines=True), 160, 40).detect([Image(pixels)])[0]
    assert len(found) == len(found.polygons_px) == 1
    area = cv2.contourArea(found.polygons_px[0].astype(np.float32))
    assert area == pytest.approx((pixels > 0).sum(), rel=0.15)


def test_pieces_of_a_cut_thing_that_do_not_touch_have_one_outline_around_them():
    pieces = [np.array([[x, 0.0], [x + 40, 0], [x + 40, 6], [x + 2, 6], [x, 3]]) for x in (0, 60)]
    boxes = np.array([[0.0, 0, 62, 6], [58, 0, 100, 6]])
    found = Detections(boxes, np.array([0.9, 0.8]), ('a', 'a'), tuple(pieces))
    cut = np.array([[False, False, True, False], [True, False, False, False]])
    one = merge(found, np.array([0, 1]), cut)
    assert one.boxes_px.tolist() == [[0, 0, 100, 6]]
    assert np.ptp(one.polygons_px[0][:, 0]) == pytest.approx(100, abs=2)


def test_what_one_tile_cut_and_another_shows_whole_keeps_all_that_both_show():
    boxes = np.array([[33.0, 0, 190, 20], [5, 0, 100, 20]])
    cut = np.array([[False] * 4, [False, False, True, False]])
    found = Detections(boxes, np.array([0.9, 0.8]), ('a', 'a'))
    assert merge(found, np.array([0, 1]), cut).boxes_px.tolist() == [[5, 0, 190, 20]]


def test_all_tiles_of_all_images_go_in_one_call():
    inner = BlobDetector()
    sliced = SlicedDetector(inner, 128, 32)
    images = [Image(np.zeros((200, 300), dtype=np.uint8)), Image(np.zeros((50, 60), np.uint8))]
    assert [len(found) for found in sliced.detect(images)] == [0, 0]
    assert inner.calls == [2 * 3 + 1]
    assert sliced.detect([]) == []


def test_only_the_named_labels_come_from_the_tiles():
    pixels = np.zeros((200, 400), dtype=np.uint8)
    pixels[20:60, 60:220] = 200
    pixels[100:103, 100:101] = 100  # too small for the whole image, and for tiles
    pixels[120:160, 300:340] = 100
    inner = BlobDetector()
    found = SlicedDetector(inner, 128, 32, labels=('b',)).detect([Image(pixels)])[0]
    assert rows_of(found) == rows_of(BlobDetector().detect([Image(pixels)])[0])
    assert inner.calls == [len(tile_starts(400, 128, 32)) * len(tile_starts(200, 128, 32)) + 1]


def test_the_recipe_chooses_per_sensor():
    inner = BlobDetector()
    classes = {'scratch': ClassLimit()}
    whole = Detection(model='m', classes=classes)
    slicing = Slicing(tile_px=256, overlap_px=64, sensors=('left',), labels=('scratch',))
    tiled = Detection(model='m', classes=classes, slicing=slicing)
    assert detector_for_sensor(inner, whole, 'left') is inner
    assert detector_for_sensor(inner, tiled, 'right') is inner
    assert isinstance(detector_for_sensor(inner, tiled, 'left'), SlicedDetector)


def test_a_recipe_with_impossible_tiles_or_unknown_labels_is_refused():
    with pytest.raises(ValidationError, match='overlap_px must be at most half of tile_px'):
        Slicing(tile_px=128, overlap_px=65)
    with pytest.raises(ValidationError, match=r"slicing\.labels: 'dent' is no class"):
        Detection(model='m', slicing=Slicing(tile_px=128, overlap_px=32, labels=('dent',)))


def test_a_real_network_finds_every_screw_once_on_tiles(exported, screws):
    detector = load_export(exported, export_of(exported, 'onnxruntime'))
    known = detector.detect([screws])[0].of('screw', 0.5)
    corners = np.array([(20, 30), (500, 60), (260, 400)])
    pixels = np.full((700, 900, 3), screws.pixels[0, 0], dtype=np.uint8)
    for x, y in corners:
        pixels[y : y + 256, x : x + 320] = screws.pixels
    found = SlicedDetector(detector, 448, 128).detect([Image(pixels)])[0].of('screw')
    assert len(known) >= 1
    for corner in corners:
        overlap = iou_matrix(known.boxes_px + np.tile(corner, 2), found.boxes_px)
        assert ((overlap > 0.6).sum(axis=1) == 1).all()
