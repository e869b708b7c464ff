"""Where a scan lies on the reference when nothing is known: one proven pose, or a refusal.

Rotations spread evenly over all there are start where what would be visible under them covers
the scan; without a known sensor, feature matches propose poses besides. All are aligned at once
on a coarse field, the best are refined exactly, and every pose that the part's near symmetries
could be mistaken for is tried as well. A pose counts only when no other that is not equivalent
explains the scan about as well. The same seed gives the same answer.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from inspection_cell.geometry import Points, Transform, invert, transform_points
from inspection_cell.surface.batch_alignment import Poses, align, distinct, even_rotations
from inspection_cell.surface.coarse_field import CoarseField
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.evidence import Evidence, decisive, slid, tight_m, weigh
from inspection_cell.surface.feature_proposals import FeatureProposals
from inspection_cell.surface.registration import too_small_to_tell
from inspection_cell.surface.scan_sample import (
    ScanSample,
    finite_points,
    implausible,
    sample_scan,
)
from inspection_cell.surface.symmetry import Symmetry, equivalent, find_symmetry
from inspection_cell.surface.visible_model import ScanRays, VisibleModel

MIN_EXPLAINED = 0.8
MIN_SHOWN = 0.6
ROTATIONS = 1400
_FIRST, _FIRST_WIDTHS = 150, (0.2, 0.15, 0.12, 0.1, 0.08, 0.08, 0.06, 0.06)
_SECOND_WIDTHS = (0.05, 0.04, 0.03, 0.03, 0.02, 0.02)
_KEPT, _WEIGHED, _ALTERNATIVES = 120, 14, 10
_HOPELESS = 0.3  # cost by which a pose may exceed the best and still be weighed
_SAME_M, _SAME_RAD = 1e-3, np.radians(1.0)
_MIRROR_GAIN = 0.05
# Least share of the points that hold the weakest direction. A slide is tried besides, so this may
# be less than `registration` demands of a first guess.
_HELD_BY = 3e-4
_SLID_M = 2e-3


@dataclass(frozen=True, slots=True)
class Found:
    """The best pose, or why there is none.

    Attributes:
        transform_scan_to_part: metres.
        explained: share of the scan's points near the reference.
        reason: empty when the pose is proven.
        shown: share of the surface that the sensors should see which the scan shows; None where
            the sensors are unknown.
        note: which symmetry leaves the pose open, to be shown; empty for none.
    """

    transform_scan_to_part: Transform
    explained: float = 0.0
    reason: str = ''
    shown: float | None = None
    note: str = ''


def search_pose(
    points: NDArray[np.floating],
    field: DeviationField,
    inlier_mm: float,
    seed: int,
    sensors: NDArray[np.float64] | None = None,
    min_explained: float = MIN_EXPLAINED,
) -> Found:
    """Search `transform_scan_to_part` of a scan of the part alone, without a first guess.

    Args:
        points: (N, 3) scan frame, metres.
        field: of the reference.
        inlier_mm: a point this near to the reference is explained by it.
        seed: of the draws.
        sensors: (3,) or (K, 3) where the scan was taken from, scan frame; None when unknown.
        min_explained: share of the points that must be explained.
    """
    return prepared(field).search(points, inlier_mm, seed, sensors, min_explained)


class PoseSearch:
    """Everything about one reference that a search needs, prepared once."""

    def __init__(self, field: DeviationField) -> None:
        """Keep the field; the rest is prepared when first needed."""
        self.field = field

    @cached_property
    def coarse(self) -> CoarseField:
        """Nearest samples."""
        return CoarseField(self.field.reference)

    @cached_property
    def visible(self) -> VisibleModel:
        """What is seen from where."""
        return VisibleModel(self.field.reference)

    @cached_property
    def symmetry(self) -> Symmetry:
        """Rotations that nobody can tell apart."""
        return find_symmetry(self.field, self.coarse)

    @cached_property
    def features(self) -> FeatureProposals:
        """Surface features."""
        return FeatureProposals(self.field.reference)

    def search(
        self,
        points: NDArray[np.floating],
        inlier_mm: float,
        seed: int,
        sensors: NDArray[np.float64] | None = None,
        min_explained: float = MIN_EXPLAINED,
    ) -> Found:
        """As `search_pose`."""
        reference = self.field.reference
        reason = implausible(points, reference) or too_small_to_tell(reference, inlier_mm)
        if reason:
            return Found(np.eye(4), reason=reason)
        generator = np.random.default_rng(seed)
        at = np.empty((0, 3)) if sensors is None else np.reshape(sensors, (-1, 3))
        sample = sample_scan(finite_points(points), np.asarray(at, np.float64), generator)
        weighed = self.weighed(sample, inlier_mm / 1e3, generator)
        if not weighed:
            return Found(np.eye(4), reason='no pose brings the scan near the part')
        return self._judged(weighed, sample, inlier_mm / 1e3, min_explained, generator)

    def weighed(
        self, sample: ScanSample, inlier_m: float, generator: np.random.Generator
    ) -> list[Evidence]:
        """The best poses and those that the part's near symmetries suggest, best first."""
        rays = [ScanRays(sample.points, sensor) for sensor in sample.sensors]
        poses, costs = self._aligned(self._starts(sample, generator), sample, _KEPT)
        likely = costs <= costs.min(initial=1.0) + _HOPELESS
        first = self._weigh(poses[likely][:_WEIGHED], sample, rays, inlier_m)
        if not first:
            return []
        others = np.concatenate(
            [
                self._alternatives(first[0].pose, sample),
                slid(first[0], sample, self.field, _SLID_M),
            ]
        )
        known = np.array([evidence.pose for evidence in first])
        fresh = [pose for pose in others if not self._is_known(pose, known)]
        weighed = first + self._weigh(np.array(fresh), sample, rays, inlier_m)
        return sorted(weighed, key=lambda evidence: -evidence.score)

    def _weigh(
        self, poses: Poses, sample: ScanSample, rays: list[ScanRays], inlier_m: float
    ) -> list[Evidence]:
        weighed = [weigh(pose, sample, self.field, self.visible, rays, inlier_m) for pose in poses]
        return sorted(weighed, key=lambda evidence: -evidence.score)

    def _starts(self, sample: ScanSample, generator: np.random.Generator) -> Poses:
        turn = Rotation.random(random_state=generator).as_matrix()
        rotations = even_rotations(ROTATIONS) @ turn
        middle = sample.points.mean(axis=0)
        if len(sample.sensors):
            sight = sample.sensors - middle
            sight /= np.linalg.norm(sight, axis=1, keepdims=True)
            centres = self.visible.centres(np.einsum('hij,kj->hki', rotations, sight))
        else:
            centres = np.tile(self.coarse.samples.mean(axis=0), (len(rotations), 1))
        poses = np.tile(np.eye(4), (len(rotations), 1, 1))
        poses[:, :3, :3] = rotations
        poses[:, :3, 3] = centres - rotations @ middle
        if len(sample.sensors):
            return poses
        return np.concatenate([poses, self.features.poses(sample.points, generator)])

    def _aligned(
        self, starts: Poses, sample: ScanSample, kept: int
    ) -> tuple[Poses, NDArray[np.float64]]:
        """Distinct poses after two stages, best first, with their costs."""
        diagonal_m = self.coarse.diagonal_m
        few = slice(None, None, max(1, len(sample.coarse) // _FIRST))
        normals = None if sample.normals is None else sample.normals[few]
        widths_m = [width * diagonal_m for width in _FIRST_WIDTHS]
        poses, costs = align(
            starts, sample.coarse[few], normals, self.coarse, widths_m, 0.05 * diagonal_m
        )
        rows = distinct(poses, costs, sample.coarse, 0.04 * diagonal_m, kept)
        return self._aligned_finely(poses[rows], sample)

    def _aligned_finely(
        self, poses: Poses, sample: ScanSample
    ) -> tuple[Poses, NDArray[np.float64]]:
        diagonal_m = self.coarse.diagonal_m
        widths_m = [width * diagonal_m for width in _SECOND_WIDTHS]
        poses, costs = align(
            poses, sample.coarse, sample.normals, self.coarse, widths_m, 0.02 * diagonal_m
        )
        rows = distinct(poses, costs, sample.coarse, 0.01 * diagonal_m, len(poses))
        return poses[rows], costs[rows]

    def _alternatives(self, pose: Transform, sample: ScanSample) -> Poses:
        """Poses that look much like one, by the part's near symmetries."""
        if not self.symmetry.near:
            return np.empty((0, 4, 4))
        poses = np.array(self.symmetry.near) @ pose
        aligned, costs = self._aligned_finely(poses, sample)
        likely: Poses = aligned[costs <= costs[0] + _HOPELESS][:_ALTERNATIVES]
        return likely

    def _is_known(self, pose: Transform, known: Poses) -> bool:
        few = self.coarse.samples[::300].astype(np.float64)
        here = transform_points(invert(pose), few)
        apart = (
            np.linalg.norm(transform_points(invert(other), few) - here, axis=1).mean()
            for other in known
        )
        return bool(min(apart) < 5e-3 * self.coarse.diagonal_m)

    def _judged(
        self,
        weighed: list[Evidence],
        sample: ScanSample,
        inlier_m: float,
        min_explained: float,
        generator: np.random.Generator,
    ) -> Found:
        within_m = tight_m(sample, inlier_m)
        first = weighed[0]
        for other in weighed[1:]:  # the score alone does not see small features
            if decisive(other, first, within_m) and not decisive(first, other, within_m):
                first = other
        shown = None if first.shown is None else first.shown.share
        reason = self._unexplained(first, inlier_m, min_explained)
        if reason:
            mirrored = self._mirrored(first, sample, inlier_m, generator)
            return Found(first.pose, first.explained, mirrored or reason, shown)
        reason = self._ambiguous(first, weighed, within_m) or _sliding(first)
        if not reason:
            reason = self._nearly_mirrored(first, sample, within_m, inlier_m)
        return Found(first.pose, first.explained, reason, shown, self.symmetry.text)

    def _unexplained(self, first: Evidence, inlier_m: float, min_explained: float) -> str:
        if first.explained < min_explained:
            return (
                f'no pose fits: the best explains {first.explained:.0%} of the scan within '
                f'{inlier_m * 1e3:g} mm; at least {min_explained:.0%} is demanded'
            )
        if first.shown is not None and first.shown.share < MIN_SHOWN:
            return (
                f'no pose fits: at the best the scan shows {first.shown.share:.0%} of the surface '
                f'that should be visible; at least {MIN_SHOWN:.0%} is demanded'
            )
        return ''

    def _ambiguous(self, first: Evidence, weighed: list[Evidence], within_m: float) -> str:
        for other in weighed:
            if other is first or decisive(first, other, within_m):
                continue
            if not equivalent(other.pose, first.pose, self.symmetry, _SAME_M, _SAME_RAD):
                return (
                    'two different poses explain the scan equally well: '
                    f'{first.explained:.1%} at {first.residual_m * 1e3:.3f} mm and '
                    f'{other.explained:.1%} at {other.residual_m * 1e3:.3f} mm; '
                    'give an initial pose'
                )
        return ''

    def _mirrored(
        self,
        first: Evidence,
        sample: ScanSample,
        inlier_m: float,
        generator: np.random.Generator,
    ) -> str:
        weighed = self.weighed(_reflected(sample), inlier_m, generator)
        if not weighed or weighed[0].score < first.score + _MIRROR_GAIN:
            return ''
        if self._unexplained(weighed[0], inlier_m, MIN_EXPLAINED):
            return ''
        return _mirror_text(weighed[0], first)

    def _nearly_mirrored(
        self, first: Evidence, sample: ScanSample, within_m: float, inlier_m: float
    ) -> str:
        """Whether a reflection that nearly maps the part onto itself explains more."""
        if not self.symmetry.mirrors:
            return ''
        reflected = _reflected(sample)
        undo = _reflection(sample)
        poses = np.array(self.symmetry.mirrors) @ first.pose @ undo
        aligned, costs = self._aligned_finely(poses, reflected)
        rays = [ScanRays(reflected.points, sensor) for sensor in reflected.sensors]
        likely = aligned[costs <= costs[0] + _HOPELESS][:_ALTERNATIVES]
        for other in self._weigh(likely, reflected, rays, inlier_m):
            if decisive(other, first, within_m) and not decisive(first, other, within_m):
                return _mirror_text(other, first)
        return ''


def _sliding(first: Evidence) -> str:
    if first.observability >= _HELD_BY:
        return ''
    return (
        f'the scan does not determine the pose: weakest direction {first.observability:.1e}, '
        f'at least {_HELD_BY:.0e} is demanded'
    )


def _mirror_text(mirrored: Evidence, first: Evidence) -> str:
    return (
        f'the scan is mirrored: its mirror image is explained to {mirrored.explained:.1%}, '
        f'the scan itself to {first.explained:.1%}'
    )


def _reflection(sample: ScanSample) -> Transform:
    reflection = np.diag([-1.0, 1.0, 1.0, 1.0])
    reflection[0, 3] = 2 * sample.coarse[:, 0].mean()
    return reflection


def _reflected(sample: ScanSample) -> ScanSample:
    reflection = _reflection(sample)

    def turned(points: Points) -> Points:
        return transform_points(reflection, points)

    normals = None if sample.normals is None else sample.normals * (-1.0, 1.0, 1.0)
    return ScanSample(
        turned(sample.points),
        turned(sample.sample),
        turned(sample.coarse),
        normals,
        sample.noise_m,
        turned(sample.sensors),
    )


@lru_cache(maxsize=4)
def prepared(field: DeviationField) -> PoseSearch:
    """The search of a field, made once."""
    return PoseSearch(field)
