"""How well a pose explains a scan, and whether it does so decisively better than another.

Two poses are compared point by point: what one explains and the other does not is evidence for
the one, also where it is only a small hole that tells the part from its turned copy.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Transform, transform_points
from inspection_cell.surface.batch_alignment import Poses
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.refinement import hold, moved_pose, refine
from inspection_cell.surface.scan_sample import ScanSample
from inspection_cell.surface.visible_model import ScanRays, Shown, VisibleModel

_REFINED = 2000
_NOISES = 4.0
_TIGHT_SHARE = 0.15  # of the inlier distance: what a part's own form may differ
_CLEARLY = 1.5  # tight distances by which a point must be off to speak against a pose
# Share of the scan's points, and of the visible surface, that decide between two poses.
DECISIVE_POINTS, LEAST_POINTS = 1.5e-3, 12
DECISIVE_SURFACE = 0.02
_TIMES_MORE = 3  # points for one pose to points for the other
_SURFACE_AGAINST = 0.05
_OVERWHELMING = 0.05  # of the points: then less visible surface shown is no objection


@dataclass(frozen=True, slots=True)
class Evidence:
    """A refined pose and what speaks for it.

    Attributes:
        pose: `transform_scan_to_part`.
        distances_m: (M,) of the scan's sample from the reference, unsigned.
        explained: share of them within the inlier distance.
        residual_m: root mean square of those.
        observability: weakest direction, as `registration` judges it.
        shown: of the surface that the sensors should see; None where they are unknown.
    """

    pose: Transform
    distances_m: NDArray[np.float64]
    explained: float
    residual_m: float
    observability: float
    shown: Shown | None

    @property
    def score(self) -> float:
        """Explained points and visible surface shown, both as shares."""
        if self.shown is None:
            return self.explained
        return self.explained * self.shown.share


def tight_m(sample: ScanSample, inlier_m: float) -> float:
    """Distance within which a point truly lies on the surface: noise and the part's form."""
    return max(_NOISES * sample.noise_m, _TIGHT_SHARE * inlier_m)


def weigh(
    pose: Transform,
    sample: ScanSample,
    field: DeviationField,
    visible: VisibleModel,
    rays: list[ScanRays],
    inlier_m: float,
) -> Evidence:
    """Refine a pose on the sample and collect the evidence."""
    few = sample.sample[:: max(1, len(sample.sample) // _REFINED)]
    pose = refine(few, pose, field, stop_m=1e-6)
    moved = transform_points(pose, sample.sample)
    looked = field.look(moved)
    distances_m = np.abs(looked.signed_m).astype(np.float64)
    near = distances_m <= inlier_m
    residual_m = float(np.sqrt(np.mean(distances_m[near] ** 2))) if near.any() else np.inf
    shown = visible.shown(pose, rays, inlier_m + 3 * sample.noise_m) if rays else None
    observability = hold(moved, looked, field.reference).weakest(field.reference)
    return Evidence(pose, distances_m, float(near.mean()), residual_m, observability, shown)


def decisive(first: Evidence, other: Evidence, within_m: float) -> bool:
    """Whether the first pose explains the scan decisively better than the other.

    Args:
        first: the one.
        other: a rival.
        within_m: distance within which a point truly lies on the surface.
    """
    clearly_m = _CLEARLY * within_m
    ours = int(np.sum((first.distances_m <= within_m) & (other.distances_m > clearly_m)))
    theirs = int(np.sum((other.distances_m <= within_m) & (first.distances_m > clearly_m)))
    least = max(LEAST_POINTS, DECISIVE_POINTS * len(first.distances_m))
    surface = 0.0
    if first.shown is not None and other.shown is not None:
        surface = first.shown.share - other.shown.share
    if ours - theirs >= least and ours >= _TIMES_MORE * theirs:
        overwhelming = ours - theirs >= _OVERWHELMING * len(first.distances_m)
        return overwhelming or surface > -_SURFACE_AGAINST
    return surface >= DECISIVE_SURFACE and theirs - ours < least


def slid(evidence: Evidence, sample: ScanSample, field: DeviationField, by_m: float) -> Poses:
    """(2, 4, 4) the pose moved both ways along the direction that the scan holds least."""
    moved = transform_points(evidence.pose, sample.sample)
    weakest = hold(moved, field.look(moved), field.reference).vectors[:, 0]
    steps = (by_m * weakest, -by_m * weakest)
    return np.stack([moved_pose(evidence.pose, step, field.reference) for step in steps])
