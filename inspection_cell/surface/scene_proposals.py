"""Poses at which a part may lie in a scene: every look at it, laid on everything that stands out.

A template is laid on each place of the range picture; its distance follows from the scene there.
Normals and features are not asked for: at few noisy points on a part they tell nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Transform
from inspection_cell.surface.batch_alignment import Poses
from inspection_cell.surface.scene_judgement import ScenePart
from inspection_cell.surface.scene_templates import Single, Template
from inspection_cell.surface.scene_view import SceneView

_STRIDE = 2  # cells between places
_KEPT = 3  # places of each template
_DEPTHS = (0.25, 0.45, 0.65)  # quantiles of the scene's depths that may be the part's own
_MERGED, _CONTINUED = 0.5, 1.0  # against, in explained points
_BESIDE = 1.5  # distances within which the scene goes on in the part's surface
_WORTH = 0.25


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """The view with a margin of nothing, and the places in it where a part may be."""

    ranges: Single  # (H + 1, W + 1)
    stands_out: NDArray[np.bool_]
    cell_rad: float
    within_m: float
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    narrowed: Single  # cosine of the elevation of each place

    def look(
        self, points: Single, at: NDArray[np.intp], distances: Single
    ) -> tuple[Single, NDArray[np.bool_]]:
        """How far behind points (P, 3) the scene lies at places (K,): (K, P), and what there is.

        `distances` (K,) are those of the part's centre.
        """
        per_m = 1.0 / (distances[:, None] * self.cell_rad)
        columns = self.columns[at, None] + points[:, 0] * per_m / self.narrowed[at, None]
        rows = self.rows[at, None] + points[:, 1] * per_m
        height, width = self.ranges.shape
        y, x = np.rint(rows).astype(np.int32), np.rint(columns).astype(np.int32)
        y[(y < 0) | (y >= height)] = height - 1
        x[(x < 0) | (x >= width)] = width - 1
        return self.ranges[y, x] - (distances[:, None] + points[:, 2]), self.stands_out[y, x]


def propose(view: SceneView, part: ScenePart, templates: list[Template], within_m: float) -> Poses:
    """(H, 4, 4) `transform_part_to_scene`, the most promising first.

    Args:
        view: of the scene.
        part: to be found.
        templates: of the part.
        within_m: distance within which a point is explained.
    """
    picture = _picture(view)
    scores, poses = [], []
    for template in templates:
        for score, place, distance_m in _laid(picture, template, within_m):
            scores.append(score)
            place_there = picture.rows[place], picture.columns[place]
            poses.append(_pose(view, part, template, place_there, distance_m))
    order = np.argsort(-np.array(scores), kind='stable')
    return np.array(poses).reshape(-1, 4, 4)[order]


def _picture(view: SceneView) -> _Picture:
    height, width = view.ranges_m.shape
    ranges = np.full((height + 1, width + 1), np.nan, dtype=np.float32)
    ranges[:height, :width] = view.ranges_m
    stands_out = np.zeros(ranges.shape, dtype=np.bool_)
    stands_out[:height, :width] = view.stands_out
    every = np.zeros_like(stands_out)
    every[::_STRIDE, ::_STRIDE] = True
    rows, columns = np.nonzero(stands_out & every)
    elevation = view.low_rad[1] + rows * view.cell_rad
    narrowed = np.cos(elevation).astype(np.float32)
    return _Picture(ranges, stands_out, view.cell_rad, view.within_m, rows, columns, narrowed)


def _laid(
    picture: _Picture, template: Template, within_m: float
) -> list[tuple[float, int, float]]:
    """Score, place and distance of the best places of one template."""
    inner, count = template.inner, len(template.inner)
    every = np.arange(len(picture.rows))
    middle = int(np.argmin((inner[:, :2] ** 2).sum(axis=1)))
    distances = picture.ranges[picture.rows, picture.columns] - inner[middle, 2]
    distances = np.maximum(distances, np.float32(1e-3))
    gaps, out = picture.look(inner, every, distances)
    ordered = np.sort(gaps, axis=1)
    best, moved = np.full(len(every), -1.0), np.zeros(len(every))
    for quantile in _DEPTHS:
        depth = ordered[:, int(quantile * count)]
        left = gaps - depth[:, None]
        near = np.abs(left) < within_m
        score = (near & out).sum(axis=1) - (left >= within_m).sum(axis=1)
        score = (score - _MERGED * (near & ~out).sum(axis=1)) / count
        better = score > best
        best[better], moved[better] = score[better], depth[better]
    worth = np.flatnonzero(best > _WORTH)
    at = (distances + moved)[worth].astype(np.float32)
    beside, thing = picture.look(template.outer, worth, at)
    continued = ((np.abs(beside) < _BESIDE * picture.within_m) & thing).mean(axis=1)
    scores = (best[worth] - _CONTINUED * continued) * template.area_m2
    first = np.argsort(-scores, kind='stable')[:_KEPT]
    return [(float(scores[row]), int(worth[row]), float(at[row])) for row in first]


def _pose(
    view: SceneView,
    part: ScenePart,
    template: Template,
    place: tuple[int, int],
    distance_m: float,
) -> Transform:
    sight = view.directions[place]
    azimuth = view.low_rad[0] + place[1] * view.cell_rad
    x = view.rotation_scene_to_view.T @ (np.cos(azimuth), 0.0, -np.sin(azimuth))
    across = np.stack([x, np.cross(sight, x), sight], axis=1)
    pose = np.eye(4)
    pose[:3, :3] = across @ template.rotation
    pose[:3, 3] = view.sensor + distance_m * sight - pose[:3, :3] @ part.centre
    return pose
