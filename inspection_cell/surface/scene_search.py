"""Where a part lies in a scene that holds other things too: a pose, or the reason for none.

Every look at the part is laid on everything that stands out in the scene; the best are drawn to
the scene's surface and judged by what the sensor should have seen, and saw. The same seed gives
the same answer.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Points, Transform
from inspection_cell.surface.batch_alignment import Poses, distinct
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.scan_sample import finite_points
from inspection_cell.surface.scene_judgement import (
    Judged,
    ScenePart,
    judge_pose,
    scene_part,
)
from inspection_cell.surface.scene_proposals import propose
from inspection_cell.surface.scene_refinement import drawn, held, hopped, tried_beside
from inspection_cell.surface.scene_refusal import (
    ambiguous,
    contradicted,
    implausible,
    sliding,
    unexplained,
)
from inspection_cell.surface.scene_templates import look_from_everywhere
from inspection_cell.surface.scene_view import view_scene

MIN_EXPLAINED = 0.9
_COARSE_ALONG, _FINE_ALONG = 28.0, 120.0  # the part's size in cells
# Least distances of the search, of the part's size: turned by half of what lies between two looks,
# its ends are off by the first.
_FIRST, _SECOND = 0.06, 0.03
_DRAWN, _TRIED, _FINISHED = 400, 10, 3
_HOPS, _SHARPER = 4, 0.75
_APART = 0.15  # of the radius: two poses whose surfaces lie this far apart are two


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
    reason = implausible(finite, part, within_mm)
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
        unexplained(first, min_explained)
        or sliding(held(search.fine, part, first.pose, within_mm / 1e3))
        or ambiguous(ranked, part, field)
    )
    return FoundInScene(first.pose, first.explained, contradicted(first), first.cells, reason)


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
