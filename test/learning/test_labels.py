"""Labels and tiles: what a tile shows is what its text says."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inspection_cell.learning.labels import KEPT_SHARE, Labels, thickened
from inspection_cell.learning.tiling import tile_corners

NONE = np.zeros((0, 4))
seeds = st.integers(0, 2**32 - 1)


def random_labels(generator: np.random.Generator, count: int) -> Labels:
    low = generator.uniform((0, 0), (1200, 900), (count, 2))
    high = low + generator.uniform(4, 60, (count, 2))
    return Labels(np.hstack([low, high]), tuple(generator.integers(0, 4, count).tolist()))


@given(seeds, st.integers(0, 8))
@settings(max_examples=50, deadline=None)
def test_every_labelled_thing_lies_whole_in_some_tile(seed, count):
    generator = np.random.default_rng(seed)
    labels = random_labels(generator, count)
    corners = tile_corners(labels.boxes_px, (960, 1280), 256, generator)
    for box in labels.boxes_px.clip(0, (1280, 960, 1280, 960)):
        inside = [
            (box[:2] >= corner).all() and (box[2:] <= np.add(corner, 256)).all()
            for corner in corners
        ]
        assert any(inside)
    assert len(corners) <= count


@given(seeds, st.integers(0, 8), st.integers(0, 1024), st.integers(0, 704))
@settings(max_examples=50, deadline=None)
def test_boxes_of_a_tile_lie_in_it_and_keep_their_share(seed, count, x, y):
    labels = random_labels(np.random.default_rng(seed), count)
    cropped = labels.cropped(x, y, 256, 256)
    assert (cropped.boxes_px >= 0).all()
    assert (cropped.boxes_px <= 256).all()
    wanted = 0
    for x0, y0, x1, y1 in labels.boxes_px:
        wide = max(min(x1, x + 256) - max(x0, x), 0)
        tall = max(min(y1, y + 256) - max(y0, y), 0)
        wanted += wide * tall >= KEPT_SHARE * (x1 - x0) * (y1 - y0)
    assert len(cropped.classes) == wanted


@given(seeds, st.integers(0, 8))
@settings(max_examples=50, deadline=None)
def test_the_text_gives_the_boxes_back(seed, count):
    labels = random_labels(np.random.default_rng(seed), count)
    lines = labels.yolo_text(1280, 960).splitlines()
    assert len(lines) == count
    for line, label, box in zip(lines, labels.classes, labels.boxes_px, strict=True):
        index, cx, cy, w, h = (float(word) for word in line.split())
        assert int(index) == label
        found = [(cx - w / 2) * 1280, (cy - h / 2) * 960, (cx + w / 2) * 1280, (cy + h / 2) * 960]
        assert np.allclose(found, box, atol=0.01)


def test_an_image_without_defects_has_an_empty_text():
    assert Labels(NONE, ()).yolo_text(1280, 960) == ''


def test_thin_boxes_are_thickened_about_their_centre_within_the_image():
    thin = np.array([[100.0, 50.0, 130.0, 52.0], [0.0, 10.0, 3.0, 60.0], [20.0, 20.0, 50.0, 50.0]])
    grown = thickened(thin, (960, 1280), 10.0)
    assert np.allclose(grown[0], [100.0, 46.0, 130.0, 56.0])
    assert np.allclose(grown[1], [0.0, 10.0, 6.5, 60.0])
    assert np.array_equal(grown[2], thin[2])
