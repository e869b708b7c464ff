"""Boxes of a head with doubles: suppressed here as Ultralytics suppresses them."""

import numpy as np
import pytest
from ultralytics.utils.nms import non_max_suppression

from inspection_cell.errors import ModelError
from inspection_cell.observations import Image
from inspection_cell.ultralytics_adapter.offline import torch
from inspection_cell.views.heads import check_outputs, decode, from_rows
from inspection_cell.views.preprocessing import fit

CLASSES = ('scratch', 'stain', 'screw')
FITTED = fit(Image(np.zeros((256, 320, 3), dtype=np.uint8)))


def candidates(seed, count=400, things=25):
    """(1, 4 + C, N): many boxes around each of some things, with scores for every class."""
    random = np.random.default_rng(seed)
    centres = random.uniform((40, 40), (280, 216), (things, 2))[random.integers(0, things, count)]
    sizes = random.uniform(15, 50, (things, 2))[random.integers(0, things, count)]
    boxes = np.hstack([centres, sizes]) + random.normal(0, 2, (count, 4))
    scores = random.uniform(0, 1, (count, len(CLASSES))) ** 3
    return np.hstack([boxes, scores]).T[None].astype(np.float32)


@pytest.mark.parametrize('seed', range(20))
def test_doubles_are_suppressed_as_ultralytics_does(seed):
    output = candidates(seed)
    ours = decode((output,), FITTED, 'detect', CLASSES, 0.25, nms_free=False)
    (theirs,) = non_max_suppression(torch.from_numpy(output.copy()), 0.25, 0.7, nc=len(CLASSES))
    theirs = theirs.numpy()
    assert 20 < len(ours) == len(theirs) < (output[0, 4:].max(axis=0) > 0.25).sum()
    assert ours.labels == tuple(CLASSES[int(number)] for number in theirs[:, 5])
    assert ours.scores == pytest.approx(theirs[:, 4], abs=1e-6)
    assert ours.boxes_px == pytest.approx(theirs[:, :4].clip(0, [320, 256, 320, 256]), abs=1e-3)


def test_nothing_above_the_floor_gives_no_boxes():
    output = candidates(0)
    output[0, 4:] = 0.01
    assert len(decode((output,), FITTED, 'detect', CLASSES, nms_free=False)) == 0


@pytest.mark.parametrize('nms_free', [True, False])
@pytest.mark.parametrize('bad', [np.nan, np.inf])
def test_a_network_that_gives_no_numbers_has_not_looked(bad, nms_free):
    shape = (1, 300, 6) if nms_free else (1, 4 + len(CLASSES), 525)
    output = np.zeros(shape, dtype=np.float32)
    output[0, 3, 4] = bad
    with pytest.raises(ModelError, match='no finite numbers'):
        decode([output], FITTED, 'detect', CLASSES, nms_free=nms_free)


def test_a_mask_in_two_pieces_has_an_outline_around_both():
    mask = np.zeros((40, 100), dtype=np.uint8)
    mask[10:14, 5:40] = mask[10:14, 44:95] = 1
    rows = np.array([[0.0, 0, 100, 40, 0.9, 0]])
    (outline,) = from_rows(rows, FITTED, CLASSES, [(0, 0, mask)]).polygons_px
    assert np.ptp(outline[:, 0]) == pytest.approx(89, abs=1)


def test_a_probable_thing_without_a_mask_is_outlined_by_its_box():
    rows = np.array([[10.0, 20, 60, 40, 0.97, 0]])
    found = from_rows(rows, FITTED, CLASSES, [(10, 20, np.zeros((20, 50), dtype=np.uint8))])
    assert found.scores == pytest.approx([0.97])
    (outline,) = found.polygons_px
    assert [*outline.min(axis=0), *outline.max(axis=0)] == pytest.approx([*found.boxes_px[0]])


def test_a_network_of_other_classes_or_with_another_head_is_refused():
    with pytest.raises(ModelError, match='expected 2 classes, the network has 3'):
        decode((candidates(0),), FITTED, 'detect', CLASSES[:2], nms_free=False)
    with pytest.raises(ModelError, match='expected a head for boxes'):
        check_outputs([(1, 300, 6)], 'detect', nms_free=False)
    with pytest.raises(ModelError, match='task segment'):
        check_outputs([(1, 40, 500), (1, 32, 64, 80)], 'segment', nms_free=False)
