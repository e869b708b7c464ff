"""Lighting sequences: what the shots of one view show, taken together.

They are images of one camera at one pose, so no independent witnesses: a view with several shots
speaks once. What several shots show at one place is one finding, with the best score and all that
any of them shows of it; the view saw a class when at least one shot that looks for it did.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from inspection_cell.errors import DataError
from inspection_cell.findings import Presence
from inspection_cell.observations import Image, ImageSeries, Observation, ShotImage
from inspection_cell.views.detections import Detections
from inspection_cell.views.eight_bit import to_eight_bit
from inspection_cell.views.outlines import hull_of
from inspection_cell.views.overlap import SAME_THING, areas, shared_areas
from inspection_cell.views.tiles import concatenated


@dataclass(frozen=True, slots=True)
class Together:
    """The detections of a view, best score first, each with the shots that show it."""

    detections: Detections
    shots: tuple[tuple[str, ...], ...]


@dataclass(slots=True)
class _Thing:
    label: str
    score: float
    boxes: list[NDArray[np.float64]]
    polygons: list[NDArray[np.float64]] = field(default_factory=list)
    shots: list[str] = field(default_factory=list)


def looks_of(observation: Observation) -> tuple[ShotImage, ...]:
    """The 8 bit images of a view; a view of one image is a shot without a name.

    Raises:
        DataError: for what is no image, or not of the size that the calibration says.
    """
    data = observation.data
    if isinstance(data, Image):
        return (ShotImage('', _usable(observation, data, '')),)
    if not isinstance(data, ImageSeries):
        kind = type(data).__name__
        raise DataError(f'{observation.view}: expected an image, got a {kind}')
    looks = tuple(
        ShotImage(one.shot, _usable(observation, one.image, f', shot {one.shot}'))
        for one in data.shots
    )
    sizes = {look.image.pixels.shape[:2] for look in looks}
    if len(sizes) > 1:
        raise DataError(f'{observation.view}: expected shots of one size, got {sorted(sizes)}')
    return looks


def together(
    looks: Sequence[ShotImage], found: Sequence[Detections], min_scores: Mapping[str, float]
) -> Together:
    """Take what several shots show as what one view shows.

    Args:
        looks: the shots.
        found: what each of them shows, of that what counts in it.
        min_scores: by class and feature, from where on a detection counts; weaker ones, and
            other labels, are kept apart.
    """
    if len(found) == 1:
        return Together(found[0], ((),) * len(found[0]))
    things: list[_Thing] = []
    for look, one in zip(looks, found, strict=True):
        strong = [
            index
            for index, label in enumerate(one.labels)
            if one.scores[index] >= min_scores.get(label, np.inf)
        ]
        _join(things, look.shot, one.chosen(strong))
    joined = [_detection(thing) for thing in things]
    shots = [tuple(thing.shots) for thing in things]
    for look, one in zip(looks, found, strict=True):
        weak = [
            index
            for index, label in enumerate(one.labels)
            if one.scores[index] < min_scores.get(label, np.inf)
        ]
        joined.append(one.chosen(weak))
        shots += [(look.shot,)] * len(weak)
    whole = concatenated(joined)
    order = np.argsort(-whole.scores, kind='stable')
    return Together(whole.chosen(order), tuple(shots[index] for index in order))


def best_presence(proofs: Sequence[Presence]) -> Presence:
    """What several shots say about presence: one that proves it is enough."""
    rank = {'PRESENT': 2, 'ABSENT': 1, 'UNKNOWN': 0}
    return max(proofs, key=lambda proof: (rank[proof.status.name], proof.score))


def _usable(observation: Observation, data: Image, where: str) -> Image:
    image = to_eight_bit(data)
    height, width = image.pixels.shape[:2]
    camera = observation.intrinsics
    if camera is not None and (camera.width, camera.height) != (width, height):
        raise DataError(
            f'{observation.view}{where}: expected {camera.width}×{camera.height} pixels as the '
            f'calibration says, got {width}×{height}'
        )
    return image


def _join(things: list[_Thing], shot: str, found: Detections) -> None:
    """Add what one shot shows: each detection to the thing that it shows too, or as a new one."""
    known = len(things)
    overlap = np.zeros((len(found), known))
    for column, thing in enumerate(things):
        boxes = np.array(thing.boxes)
        smaller = np.minimum(areas(found.boxes_px)[:, None], areas(boxes)[None])
        shared = shared_areas(found.boxes_px, boxes) / np.maximum(smaller, 1e-9)
        same = np.array([label == thing.label for label in found.labels], dtype=np.bool_)
        overlap[:, column] = np.where(same, shared.max(axis=1), 0.0)
    overlap[overlap < SAME_THING] = 0.0
    rows, columns = linear_sum_assignment(overlap, maximize=True)
    partner = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    for row, label in enumerate(found.labels):
        column = partner.get(row, -1)
        if column < 0 or not overlap[row, column]:
            things.append(_Thing(label, 0.0, []))
            column = len(things) - 1
        thing, polygon = things[column], found.polygon(row)
        thing.score = max(thing.score, float(found.scores[row]))
        thing.boxes.append(found.boxes_px[row])
        thing.shots.append(shot)
        if polygon is not None:
            thing.polygons.append(polygon)


def _detection(thing: _Thing) -> Detections:
    """One thing with all that its shots show of it: a part of it may be within its limit."""
    boxes = np.array(thing.boxes)
    box = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
    outlines: tuple[NDArray[np.float64], ...] = tuple(thing.polygons)
    if len(outlines) > 1:
        outlines = (hull_of(thing.polygons),)
    return Detections(box[None], np.array([thing.score]), (thing.label,), outlines)
