"""True boxes of what a camera image shows, for training and for judging detectors."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Points
from inspection_cell.sim.body import Body
from inspection_cell.sim.defects import DefectKind, MissingScrew, TrueDefect
from inspection_cell.sim.marks import Mark
from inspection_cell.sim.parts import PART_TYPES
from inspection_cell.sim.shapes import Screw
from inspection_cell.sim.viewpoints import Viewpoint

CLASSES = ('screw', 'missing_screw', 'scratch', 'stain')  # in the order of the detector
MIN_VISIBLE = 0.4
MARK_INCIDENCE, SCREW_INCIDENCE = np.deg2rad([76.0, 80.0])
ABOVE_M = 3e-5  # test points lie this high above the surface
PAD_PX = 1.0


@dataclass(frozen=True, slots=True)
class Label:
    """One labelled thing in an image: its class and box x0, y0, x1, y1 in pixels."""

    name: str
    box_px: tuple[float, float, float, float]
    visible: float


def labels(body: Body, defects: Sequence[TrueDefect], camera: Viewpoint) -> tuple[Label, ...]:
    """Boxes of all screws, missing screws, scratches and stains of which 40 % are visible."""
    found = [*_screw_labels(body, defects, camera)]
    for defect in defects:
        if isinstance(defect.cause, Mark):
            outline = defect.cause.footprint()
            points = _dropped(body, outline, defect.normal)
            normals = np.broadcast_to(defect.normal, points.shape)
            seen = camera.sees(body, points, normals, MARK_INCIDENCE)
            found += _label(str(defect.kind), points, seen, camera)
    return tuple(found)


def _screw_labels(body: Body, defects: Sequence[TrueDefect], camera: Viewpoint) -> Iterable[Label]:
    if body.look not in PART_TYPES:
        return
    missing = {d.cause.index for d in defects if isinstance(d.cause, MissingScrew)}
    for index, screw in enumerate(PART_TYPES[body.look].screws):
        gone = index in missing
        points, normals = _seat(screw) if gone else _head(screw)
        incidence = MARK_INCIDENCE if gone else SCREW_INCIDENCE
        seen = camera.sees(body, points, normals, incidence)
        facing = camera.faces(points, normals)
        name = str(DefectKind.MISSING_SCREW) if gone else 'screw'
        yield from _label(name, points[facing], seen[facing], camera)


def _label(
    name: str, points: Points, seen: NDArray[np.bool_], camera: Viewpoint
) -> Iterable[Label]:
    visible = float(seen.mean()) if len(seen) else 0.0
    if visible < MIN_VISIBLE:
        return
    pixels = camera.pixels(points[seen])
    (x0, y0), (x1, y1) = pixels.min(axis=0) - PAD_PX, pixels.max(axis=0) + PAD_PX
    yield Label(name, (float(x0), float(y0), float(x1), float(y1)), visible)


def _dropped(body: Body, points: Points, normal: NDArray[np.float64]) -> Points:
    rays = np.empty((len(points), 6), dtype=np.float32)
    rays[:, :3], rays[:, 3:] = points + 0.003 * normal, -normal
    ranges = body.hit_ranges(rays).astype(np.float64)
    drop = np.where(ranges < 0.006, ranges, 0.003)
    lifted: Points = points + (0.003 + ABOVE_M - drop)[:, None] * normal
    return lifted


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
