"""True boxes of what a camera image shows, for training and for judging detectors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Points
from inspection_cell.sim.body import Body
from inspection_cell.sim.defects import DefectKind, MissingScrew, TrueDefect
from inspection_cell.sim.lighting import Floats
from inspection_cell.sim.marks import Mark
from inspection_cell.sim.parts import PART_TYPES
from inspection_cell.sim.renderer import Shot
from inspection_cell.sim.shapes import Screw
from inspection_cell.sim.viewpoints import Viewpoint
from inspection_cell.sim.visibility import mark_change

CLASSES = ('screw', 'missing_screw', 'scratch', 'stain')  # in the order of the detector
MIN_VISIBLE = 0.4  # share of a screw or of its seat
MIN_SEEN = 0.3  # share of a mark's pixels that must differ visibly; fewer are a hint at most
MIN_SEEN_PX = 14  # and how many at least
MARK_INCIDENCE, SCREW_INCIDENCE = np.deg2rad([76.0, 80.0])
PAD_PX = 1.0
OUTLINE_GAP_PX = 7  # gaps of a scratch that its outline runs over


@dataclass(frozen=True, slots=True, eq=False)  # its array cannot be compared as one
class Label:
    """One labelled thing in an image.

    Attributes:
        box_px: x0, y0, x1, y1 in pixels.
        visible: share of it that shows.
        outline_px: (K, 2) around what shows, pixels.
        defect: index of the part's defect; None for a good screw.
    """

    name: str
    box_px: tuple[float, float, float, float]
    visible: float
    outline_px: NDArray[np.float64]
    defect: int | None = None


def labels(
    body: Body,
    defects: Sequence[TrueDefect],
    camera: Viewpoint,
    shot: Shot,
    light: Floats,
    image_noise: float = 0.0,
) -> tuple[Label, ...]:
    """What one picture shows: screws and missing ones, and the marks that can be made out.

    Args:
        body: the part, with its marks.
        defects: of the part.
        camera: where it was seen from.
        shot: how it was taken.
        light: (H, W, 3) the picture that `render` made of it.
        image_noise: standard deviation of the camera's noise, grey levels.
    """
    found = [*_screw_labels(body, defects, camera)]
    for index, defect in enumerate(defects):
        if isinstance(defect.cause, Mark):
            found += _mark_label(body, defect.cause, shot, light, image_noise, index, defect.kind)
    return tuple(found)


def _mark_label(
    body: Body,
    mark: Mark,
    shot: Shot,
    light: Floats,
    image_noise: float,
    index: int,
    kind: DefectKind,
) -> Iterable[Label]:
    change = mark_change(body, mark, shot, light)
    if change is None:
        return
    seen = change.seen(image_noise)
    rows, columns = np.nonzero(seen)
    visible = len(rows) / _face_on_px(mark, shot)
    if len(rows) < MIN_SEEN_PX or visible < MIN_SEEN:
        return
    x, y = change.corner_px
    box = (
        float(columns.min() + x) - 0.5,
        float(rows.min() + y) - 0.5,
        float(columns.max() + x) + 0.5,
        float(rows.max() + y) + 0.5,
    )
    outline = _outline(seen) + change.corner_px
    yield Label(str(kind), box, min(visible, 1.0), outline, index)


def _screw_labels(body: Body, defects: Sequence[TrueDefect], camera: Viewpoint) -> Iterable[Label]:
    if body.look not in PART_TYPES:
        return
    missing = {
        d.cause.index: number
        for number, d in enumerate(defects)
        if isinstance(d.cause, MissingScrew)
    }
    for index, screw in enumerate(PART_TYPES[body.look].screws):
        gone = index in missing
        points, normals = _seat(screw) if gone else _head(screw)
        incidence = MARK_INCIDENCE if gone else SCREW_INCIDENCE
        seen = camera.sees(body, points, normals, incidence)
        facing = camera.faces(points, normals)
        name = str(DefectKind.MISSING_SCREW) if gone else 'screw'
        yield from _label(name, points[facing], seen[facing], camera, missing.get(index))


def _label(
    name: str,
    points: Points,
    seen: NDArray[np.bool_],
    camera: Viewpoint,
    defect: int | None,
) -> Iterable[Label]:
    visible = float(seen.mean()) if len(seen) else 0.0
    if visible < MIN_VISIBLE:
        return
    pixels = camera.pixels(points[seen])
    (x0, y0), (x1, y1) = pixels.min(axis=0) - PAD_PX, pixels.max(axis=0) + PAD_PX
    hull = cv2.convexHull(pixels.astype(np.float32)).reshape(-1, 2).astype(np.float64)
    yield Label(name, (float(x0), float(y0), float(x1), float(y1)), visible, hull, defect)


def _face_on_px(mark: Mark, shot: Shot) -> float:
    """How many pixels the mark would cover if it faced the camera."""
    distance = np.linalg.norm(shot.transform_camera_to_part[:3, 3] - mark.position_m)
    area = mark.length_m * mark.width_m * (np.pi / 4 if mark.round else 1.0)
    return float(area * (shot.intrinsics.fx / distance) ** 2)


def _outline(seen: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Outline (K, 2) x, y around the pixels (H, W), over small gaps."""
    padded = np.pad(seen, OUTLINE_GAP_PX).astype(np.uint8)
    kernel = np.ones((OUTLINE_GAP_PX, OUTLINE_GAP_PX), dtype=np.uint8)
    joined = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, kernel)
    found, _ = cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if len(found) == 1 and len(found[0]) > 3:
        outline = found[0]
    else:  # several pieces: what lies around them all
        outline = cv2.convexHull(np.concatenate(found))
    points: NDArray[np.float64] = outline.reshape(-1, 2).astype(np.float64) - OUTLINE_GAP_PX
    return points


def _head(screw: Screw) -> tuple[Points, Points]:
    """Points and normals on a screw's rim and side, metres."""
    angles = np.arange(24) * (np.pi / 12)
    outward = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(24)])
    seat, up = np.array(screw.seat), np.array([0.0, 0.0, 1.0])
    top = seat + (screw.height + 0.03) * up + 0.85 * screw.radius * outward
    sides = [
        seat + share * screw.height * up + (screw.radius + 0.03) * outward
        for share in (0.1, 0.5, 0.9)
    ]
    points = np.concatenate([top, *sides]) / 1000.0
    return points, np.concatenate([np.tile(up, (24, 1)), *([outward] * 3)])


def _seat(screw: Screw) -> tuple[Points, Points]:
    """Points and normals on the surface around a missing screw's hole, metres."""
    angles = np.arange(24) * (np.pi / 12)
    outward = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(24)])
    up = np.array([0.0, 0.0, 1.0])
    rings = [np.array(screw.seat) + 0.03 * up + r * screw.radius * outward for r in (0.75, 1.0)]
    return np.concatenate(rings) / 1000.0, np.tile(up, (48, 1))
