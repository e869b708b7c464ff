"""Boxes of a head with doubles: suppressed here as Ultralytics suppresses them."""

import numpy as np
import pytest
from ultralytics.utils.nms import non_max_suppression

from inspection_cell.errors import ModelError
from inspection_cell.observations import Image
from inspection_cell.ultralytics_adapter.offline import torch
from inspection_cell.views.heads import check_outputs, decode
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


def test_a_network_of_other_classes_or_with_another_head_is_refused():
    with pytest.raises(ModelError, match='expected 2 classes, the network has 3'):
        decode((candidates(0),), FITTED, 'detect', CLASSES[:2], nms_free=False)
    with pytest.raises(ModelError, match='expected a head for boxes'):
        check_outputs([(1, 300, 6)], 'detect', nms_free=False)
    with pytest.raises(ModelError, match='task segment'):
        check_outputs([(1, 40, 500), (1, 32, 64, 80)], 'segment', nms_free=False)
