"""Where a part lies in a scene that holds other things too: a pose, or the reason for none.

Every look at the part is laid on everything that stands out in the scene; the best are drawn to
the scene's surface and judged by what the sensor should have seen, and saw. The same seed gives
the same answer.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Points, Transform, invert, transform_points
from inspection_cell.surface.batch_alignment import Poses, distinct
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.refinement import refine
from inspection_cell.surface.registration import MIN_POINTS
from inspection_cell.surface.scan_sample import MOST_TIMES_LARGER, finite_points
from inspection_cell.surface.scene_judgement import (
    LEAST_CELLS,
    Judged,
    ScenePart,
    judge_pose,
    scene_part,
)
from inspection_cell.surface.scene_proposals import propose
from inspection_cell.surface.scene_refinement import drawn, held, hopped, tried_beside
from inspection_cell.surface.scene_templates import look_from_everywhere
from inspection_cell.surface.scene_view import view_scene
from inspection_cell.surface.symmetry import TOLERANCE, offset, worst_mm

MIN_EXPLAINED = 0.9
MAX_CONTRADICTED = 0.2
MAX_CONTINUED = 0.4
_COARSE_ALONG, _FINE_ALONG = 28.0, 120.0  # the part's size in cells
# Least distances of the search, of the part's size: turned by half of what lies between two looks,
# its ends are off by the first.
_FIRST, _SECOND = 0.06, 0.03
_DRAWN, _TRIED, _FINISHED = 400, 10, 3
_HOPS, _SHARPER = 4, 0.75
_APART = 0.15  # of the radius: two poses whose surfaces lie this far apart are two
_RIVAL = 0.93  # share of the best score at which another pose is as good
_SAME = 0.1  # of the radius, and radians: by which two equivalent poses may err
_SAMPLED = 600
_HIDDEN_COUNTS = 0.5
_HELD_BY = 3e-4  # as `global_search` demands: a flat face alone may slide


@dataclass(frozen=True, slots=True)
class FoundInScene:
    """The best pose, or why there is none.

    Attributes:
        transform_part_to_scene: metres.
        explained: share of the surface visible at that pose which the scene shows.
        contradicted: share of it that the sensor looked through, and half of what the scene hides.
        cells: how many directions of the scan show the part there.
        reason: empty when the part is found.
    """

    transform_part_to_scene: Transform
    explained: float = 0.0
    contradicted: float = 0.0
    cells: int = 0
    reason: str = ''

    @property
    def found(self) -> bool:
        """Whether the part is there."""
        return not self.reason


def find_in_scene(
    points: NDArray[np.floating],
    field: DeviationField,
    within_mm: float,
    seed: int,
    sensor: NDArray[np.float64] | None = None,
    min_explained: float = MIN_EXPLAINED,
) -> FoundInScene:
    """Search `transform_part_to_scene` without a first guess.

    Args:
        points: (N, 3) of one scan from one place, scene frame, metres.
        field: of the part's reference.
        within_mm: distance within which the scene lies on the part: some times its noise.
        seed: of the draws.
        sensor: (3,) where the scan was taken from, scene frame; default the origin.
        min_explained: share of the visible surface that must be explained; less where
            `within_mm` is no larger than the scan's noise.
    """
    part = scene_part(field.reference)
    finite = finite_points(points)
    reason = _implausible(finite, part, within_mm)
    if reason:
        return FoundInScene(np.eye(4), reason=reason)
    at = np.zeros(3) if sensor is None else np.asarray(sensor, dtype=np.float64)
    search = _SceneSearch(finite, part, at, within_mm / 1e3, np.random.default_rng(seed))
    if not search.coarse.stands_out.any():
        return FoundInScene(np.eye(4), reason='nothing of the size of the part stands out')
    ranked = search.ranked()
    if not ranked:
        return FoundInScene(np.eye(4), reason='nothing that stands out looks like the part')
    first = ranked[0]
    reason = (
        _unexplained(first, min_explained)
        or _sliding(held(search.fine, part, first.pose, within_mm / 1e3))
        or _ambiguous(ranked, part, field)
    )
    return FoundInScene(first.pose, first.explained, _contradicted(first), first.cells, reason)


class _SceneSearch:
    """One search: the scene seen coarsely for the many poses, finely for the few."""

    def __init__(
        self,
        points: Points,
        part: ScenePart,
        sensor: NDArray[np.float64],
        within_m: float,
        generator: np.random.Generator,
    ) -> None:
        self.part, self.within_m, self.generator = part, within_m, generator
        size_m = 2 * part.radius_m
        self.first_m = max(within_m, _FIRST * size_m)
        self.second_m = max(within_m, _SECOND * size_m)
        self.coarse = view_scene(points, sensor, size_m / _COARSE_ALONG, size_m, within_m)
        self.fine = view_scene(points, sensor, size_m / _FINE_ALONG, size_m, within_m)

    def ranked(self) -> list[Judged]:
        """Distinct poses, best first; the first few are finished."""
        proposed = self._proposed()
        poses = [
            self._drawn(self._drawn(pose, self.first_m), self.second_m)
            for pose in proposed[self._rows(proposed, _DRAWN)]
        ]
        judged = [judge_pose(self.coarse, self.part, pose, self.second_m) for pose in poses]
        tried = [
            tried_beside(self.coarse, self.part, one, self.second_m, self.generator, 12, 0.6)
            for one in self._different([one for one in judged if one.score > 0], _TRIED)
        ]
        best = self._different(tried, _FINISHED)
        # Finished, two may have become one.
        ranked = self._different([self._finished(one) for one in best], _FINISHED)
        settled = [self._settled(one) for one in ranked[:1]]
        return self._different(settled + ranked[1:], _FINISHED)

    def _drawn(self, pose: Transform, within_m: float) -> Transform:
        return drawn(self.coarse, self.part, pose, within_m)

    def _proposed(self) -> Poses:
        ranges = self.coarse.ranges_m[self.coarse.stands_out]
        templates = look_from_everywhere(self.part, float(np.median(ranges)), self.generator)
        return propose(self.coarse, self.part, templates, 1.2 * self.first_m)

    def _different(self, judged: list[Judged], most: int) -> list[Judged]:
        """The first of each group of poses that are nearly the same, best first."""
        ranked = sorted(judged, key=lambda one: -one.score)
        poses = np.array([one.pose for one in ranked]).reshape(-1, 4, 4)
        return [ranked[row] for row in self._rows(poses, most)]

    def _rows(self, poses: Poses, most: int) -> NDArray[np.intp]:
        """Rows of the first poses whose surfaces do not nearly lie on one before."""
        order = np.arange(len(poses), dtype=np.float64)
        samples = self.part.mesh.samples
        return distinct(poses, order, samples, _APART * self.part.radius_m, most)

    def _finished(self, judged: Judged) -> Judged:
        """A pose made as exact as the scan allows, and judged on all of it."""
        view, part, within_m = self.fine, self.part, self.within_m
        judged = tried_beside(self.coarse, part, judged, self.second_m, self.generator, 30, 0.4)
        best = judge_pose(view, part, judged.pose, within_m)
        for pose in (judged.pose, drawn(view, part, judged.pose, self.second_m)):
            other = judge_pose(view, part, drawn(view, part, pose, within_m), within_m)
            best = other if other.score > best.score else best
        return tried_beside(view, part, best, within_m, self.generator, 40, 0.3)

    def _settled(self, best: Judged) -> Judged:
        """The best once more, more sharply: of places nearly as good it tells the right one."""
        view, part, sharp_m = self.fine, self.part, _SHARPER * self.within_m
        sharply = judge_pose(view, part, best.pose, sharp_m)
        pose = hopped(view, part, sharply, sharp_m, self.generator, _HOPS).pose
        return judge_pose(view, part, pose, self.within_m)


def _implausible(points: Points, part: ScenePart, within_mm: float) -> str:
    if len(points) < MIN_POINTS:
        return f'the scene has {len(points)} finite points; at least {MIN_POINTS} are needed'
    low, high = np.percentile(points, [1, 99], axis=0)
    scene_m, part_m = float(np.linalg.norm(high - low)), 2 * part.radius_m
    if not 1 / MOST_TIMES_LARGER <= scene_m / part_m <= 5 * MOST_TIMES_LARGER:
        return (
            f"the part's size does not fit the scene's: the scene extends {scene_m:.3g} m, the "
            f'part {part_m:.3g} m; are both in the units given?'
        )
    if within_mm / 1e3 > 0.1 * part_m:
        return f'{within_mm:g} mm are too coarse to tell a part of {part_m * 1e3:.3g} mm'
    return ''


def _contradicted(judged: Judged) -> float:
    return judged.looked_through + _HIDDEN_COUNTS * judged.hidden


def _unexplained(first: Judged, min_explained: float) -> str:
    if first.cells < LEAST_CELLS or first.explained < min_explained:
        return (
            f'not found: the best pose explains {first.explained:.0%} of the surface that should '
            f'be visible; at least {min_explained:.0%} is demanded'
        )
    if _contradicted(first) > MAX_CONTRADICTED:
        return (
            f'not found: at the best pose {_contradicted(first):.0%} of the visible surface is '
            f'contradicted; at most {MAX_CONTRADICTED:.0%} is allowed'
        )
    if first.continued > MAX_CONTINUED:
        return (
            f'not found: at the best pose the scene goes on beside {first.continued:.0%} of the '
            f"part's outline; at most {MAX_CONTINUED:.0%} is allowed"
        )
    return ''


def _ambiguous(ranked: list[Judged], part: ScenePart, field: DeviationField) -> str:
    """Whether another pose at the same place, not equivalent, explains the scene as well."""
    first = ranked[0]
    for other in ranked[1:]:
        if not _rival(first, other, part):
            continue
        if not _looks_the_same(invert(first.pose) @ other.pose, part, field):
            return (
                'two different poses at one place explain the scene equally well: '
                f'{first.explained:.0%} and {other.explained:.0%} of the visible surface'
            )
    return ''


def _sliding(held_by: float) -> str:
    if held_by >= _HELD_BY:
        return ''
    return (
        f'what is seen of the part does not determine its pose: weakest direction {held_by:.1e}, '
        f'at least {_HELD_BY:.0e} is demanded'
    )


def _looks_the_same(
    transform_part_to_part: Transform, part: ScenePart, field: DeviationField
) -> bool:
    """Whether a map, but for the error of two poses, takes the part onto itself."""
    samples = part.mesh.samples
    few = samples[:: max(1, len(samples) // _SAMPLED)]
    exact = refine(few, transform_part_to_part, field, stop_m=1e-6)
    shift_m, turned_rad = offset(exact, transform_part_to_part, part.centre)
    if shift_m > _SAME * part.radius_m or turned_rad > _SAME:
        return False
    return worst_mm(exact, field) <= TOLERANCE * part.mesh.diagonal_m * 1e3


def _rival(first: Judged, other: Judged, part: ScenePart) -> bool:
    centres = [transform_points(one.pose, part.centre[None])[0] for one in (first, other)]
    near = np.linalg.norm(centres[0] - centres[1]) < part.radius_m
    return bool(near) and other.score >= _RIVAL * first.score
