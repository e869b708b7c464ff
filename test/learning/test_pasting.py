"""Defects set into other images: what the labels say is what the pixels show."""

import cv2
import numpy as np
import pytest

from inspection_cell.errors import DataError
from inspection_cell.learning.datasets import LabelledFile
from inspection_cell.learning.label_files import Truth
from inspection_cell.learning.pasting import AT_EDGE_PX, MOST_PASTED, Pasting
from inspection_cell.views.overlap import iou_matrix, shared_areas

DARK, BRIGHT = 0, 255  # a dot of class `pit`, one of class `chip`


def dotted(folder, index, shape=(90, 120), dots=(), outlines=False):
    """A grey image with rectangles (x0, y0, x1, y1, label)."""
    height, width = shape
    pixels = np.full(shape, 100 + 10 * index, dtype=np.uint8)
    for x0, y0, x1, y1, label in dots:
        pixels[y0:y1, x0:x1] = DARK if label == 'pit' else BRIGHT
    file = folder / f'{index}.png'
    cv2.imwrite(str(file), pixels)
    size = np.array([width, height, width, height])
    boxes = np.array([dot[:4] for dot in dots]).reshape(-1, 4) / size
    corners = [np.array([[a, b], [c, b], [c, d], [a, d]]) for a, b, c, d in boxes]
    labels = tuple(dot[4] for dot in dots)
    return LabelledFile(file, Truth(boxes, labels, tuple(corners) if outlines else ()))


@pytest.fixture(params=[False, True], ids=['boxes', 'outlines'])
def files(request, tmp_path):
    """One pit and many chips, one of them at the image's lower edge, and good images."""
    made = [
        dotted(tmp_path, 0, dots=[(20, 30, 32, 40, 'pit')], outlines=request.param),
        dotted(tmp_path, 1, dots=[(60, 70, 80, 90, 'chip')], outlines=request.param),
        *(dotted(tmp_path, index, (80, 100)) for index in (2, 3, 4)),
    ]
    return made, tmp_path / 'made'


def test_labels_and_pixels_agree_in_every_image_that_is_made(files):
    sources, folder = files
    found = {'pit': 0, 'chip': 0}
    for file in Pasting(sources, seed=3).write(60, folder):
        pixels = cv2.imread(str(file.image), cv2.IMREAD_UNCHANGED)
        height, width = pixels.shape
        truth = file.truth.in_pixels(width, height)
        assert len(truth) <= 1 + MOST_PASTED
        shown = [boxes_of(pixels < 40), boxes_of(pixels > 220)]
        for label, boxes in zip(('pit', 'chip'), shown, strict=True):
            told = truth.boxes_px[np.array(truth.labels, dtype=object) == label]
            assert len(told) == len(boxes)
            if len(told):
                assert (iou_matrix(told, boxes).max(axis=1) > 0.75).all()
            found[label] += len(told)
        together = shared_areas(truth.boxes_px, truth.boxes_px)
        assert (together[~np.eye(len(together), dtype=bool)] == 0).all()
        for box, outline in zip(truth.boxes_px, truth.polygons_px, strict=bool(truth.polygons_px)):
            np.testing.assert_allclose(outline.min(axis=0), box[:2], atol=1e-6)
            np.testing.assert_allclose(outline.max(axis=0), box[2:], atol=1e-6)
    assert min(found.values()) > 0.35 * sum(found.values())  # the rare class as often as the other


def test_what_ends_with_the_image_stays_at_an_edge(files):
    sources, folder = files
    for file in Pasting(sources, seed=4).write(40, folder):
        height = cv2.imread(str(file.image), 0).shape[0]
        for label, (_, top, _, bottom) in zip(file.truth.labels, file.truth.boxes, strict=True):
            at_edge = min(top, 1 - bottom) * height <= AT_EDGE_PX
            assert at_edge or label == 'pit'


def test_the_same_seed_makes_the_same_images(files):
    sources, folder = files
    first, again, other = (
        Pasting(sources, seed).write(6, folder / name)
        for seed, name in ((1, 'first'), (1, 'again'), (2, 'other'))
    )
    read = [[one.image.read_bytes() for one in made] for made in (first, again, other)]
    assert read[0] == read[1] != read[2]


def test_a_colour_image_takes_the_defect_of_a_grey_one(tmp_path):
    grey = dotted(tmp_path, 0, dots=[(20, 30, 32, 40, 'pit')])
    colour = tmp_path / 'colour.png'
    cv2.imwrite(str(colour), np.full((90, 120, 3), (60, 90, 120), dtype=np.uint8))
    plain = LabelledFile(colour, Truth(np.empty((0, 4)), ()))
    made = Pasting([grey, plain], seed=0).write(12, tmp_path / 'made')
    shapes = {cv2.imread(str(one.image), cv2.IMREAD_UNCHANGED).ndim for one in made}
    assert shapes == {2, 3}
    assert all(len(one.truth) for one in made)


def test_without_any_defect_there_is_nothing_to_paste(tmp_path):
    with pytest.raises(DataError, match='expected images with labelled defects'):
        Pasting([dotted(tmp_path, 0)], seed=0)


def boxes_of(shown):
    """Boxes (N, 4) of the connected regions of a mask."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(shown.astype(np.uint8))
    low = stats[1:, :2].astype(float)
    return np.concatenate([low, low + stats[1:, 2:4]], axis=1).reshape(-1, 4)
