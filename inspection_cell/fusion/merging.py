"""A group of findings becomes one defect: where it is, how large, how probable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from inspection_cell.findings import Conformity, Defect, Source
from inspection_cell.fusion.association import canonical
from inspection_cell.fusion.limits import (
    Measure,
    class_limit,
    exceeds,
    longest_mm,
    worst_measure,
)
from inspection_cell.fusion.probability import (
    Testimony,
    beyond_probability,
    contributions,
    miss_of,
)
from inspection_cell.fusion.projection import Located, length_mm, reach_m
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh

LEAST_SIGMA_M = 1e-5  # nobody knows a place better


@dataclass(frozen=True, slots=True)
class Merged:
    """A defect with what each view says about it.

    Attributes:
        beyond: probability that, if it is real, it is beyond its limit.
    """

    defect: Defect
    testimony: Testimony
    beyond: float

    def bad_without(self, view: ViewKey) -> float:
        """How probable it is that it makes the part bad, had the view not been heard."""
        if not self.testimony.hears(view):
            return self.bad
        return self.testimony.without(view).probability * self.beyond

    @property
    def bad(self) -> float:
        """How probable it is that it makes the part bad."""
        return self.defect.probability * self.beyond


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a part type.

    Attributes:
        recipe: brings limits and detection rates.
        reference: to which merged places are put back; None: places stay as they are.
        measuring: sensors that measure: scanners and process sensors.
        middles: (3,) of each zone that is one thing, part frame, metres.
    """

    recipe: Recipe
    reference: ReferenceMesh | None
    measuring: frozenset[str]
    middles: Mapping[str, NDArray[np.float64]]


def merge(
    known: Known,
    group: Sequence[Located],
    resolution: Mapping[ViewKey, float],
    clean: Sequence[ViewKey],
) -> Merged:
    """Merge the findings of one group.

    Args:
        known: of the part type.
        group: findings of one thing.
        resolution: pixels per metre at the place, of the camera views that show it.
        clean: the valid camera views that show the place and found nothing there.
    """
    recipe = known.recipe
    measured = [found for found in group if found.view.sensor in known.measuring]
    imaged = [found for found in group if found.view.sensor not in known.measuring]
    measure = worst_measure(recipe, measured, imaged)
    views = list(_by_view(group).values())
    long_mm = max(longest_mm(of) for of in (measured, imaged) if of)
    missed = {view: _miss(recipe, imaged, long_mm, resolution, view) for view in clean}
    testimony = Testimony(_best(imaged), _best(measured), missed if imaged else {})
    position, sigma_m = _place(group, known.reference)
    position = known.middles.get(anchor_of(group).zone, position)
    expected = expected_place(recipe, imaged, anchor_of(group).position_m)
    position = position if expected is None else expected
    probability = testimony.probability
    defect = Defect(
        measure.label,
        probability,
        position,
        anchor_of(group).normal,
        length_mm=long_mm,
        width_mm=max(found.finding.width_mm for found in group),
        area_mm2=max(sum(f.finding.area_mm2 for f in of) for of in views),
        volume_mm3=max(sum(f.finding.volume_mm3 for f in of) for of in views),
        peak_mm=max((found.finding.peak_mm for found in group), key=abs),
        value=measure.value,
        limit=measure.limit,
        unit=measure.unit,
        uncertainty=measure.uncertainty,
        conformity=measure.conformity,
        sources=tuple(source_of(found) for found in group),
        position_sigma_mm=sigma_m * 1000.0,
        reach_mm=0.0 if position is None else 1000.0 * max(reach_m(f, position) for f in group),
        contributions=contributions(
            testimony.views, probability, lambda view: testimony.without(view).probability
        ),
    )
    return Merged(defect, testimony, _beyond(measure, bool(measured)))


def source_of(found: Located) -> Source:
    """A finding as the defect tells it."""
    return Source(found.view, found.finding.label, found.finding.score)


def anchor_of(group: Sequence[Located]) -> Located:
    """The finding that stands for the group: the most certain, a measured one before others."""
    return max(group, key=lambda f: (f.finding.score, abs(f.finding.peak_mm), canonical(f)))


def _place(
    group: Sequence[Located], reference: ReferenceMesh | None
) -> tuple[NDArray[np.float64] | None, float]:
    """Mean of the places, weighted by their certainty, on the surface; and its uncertainty.

    Several pieces of one view are first taken together, each as heavy as it is long. What the
    part's pose adds to the uncertainty is the same for all views: no averaging lowers it.
    """
    anchor = anchor_of(group)
    if anchor.position_m is None:
        return None, 0.0
    by_view = _by_view(group)
    places = np.stack([_middle(found) for found in by_view.values()])
    sigmas = np.array([max(*(f.sigma_m for f in of), LEAST_SIGMA_M) for of in by_view.values()])
    weights = sigmas**-2.0
    position: NDArray[np.float64] = weights @ places / weights.sum()
    if reference is not None and len(places) > 1:
        query = o3d.core.Tensor.from_numpy(position[None].astype(np.float32))
        nearest = reference.scene.compute_closest_points(query)['points'].numpy()[0]
        position = nearest.astype(np.float64)
    shared = np.array([max(f.pose_sigma_m for f in of) for of in by_view.values()])
    own = np.maximum(np.sqrt(np.maximum(sigmas**2 - shared**2, 0.0)), LEAST_SIGMA_M)
    sigma_m = float(np.hypot((own**-2.0).sum() ** -0.5, shared.max()))
    return position, 0.0 if sigma_m <= LEAST_SIGMA_M else sigma_m


def expected_place(
    recipe: Recipe, group: Sequence[Located], position: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    """Where the feature should be that a group near `position` misses; None: it misses none.

    A feature that is missing is missing where it should be, whatever shows that.
    """
    detection = recipe.file.detection
    if detection is None or position is None:
        return None
    labels = {found.finding.label for found in group}
    for feature in detection.features:
        if f'missing_{feature.label}' in labels and feature.positions_mm:
            places = np.array(feature.positions_mm) / 1000.0
            away_mm = np.linalg.norm(places - position, axis=1) * 1000.0
            if away_mm.min() <= 2.0 * feature.gate_mm:
                return np.asarray(places[int(np.argmin(away_mm))], dtype=np.float64)
    return None


def _middle(pieces: Sequence[Located]) -> NDArray[np.float64]:
    places = np.stack([piece.position_m for piece in pieces if piece.position_m is not None])
    lengths = np.array([max(length_mm([piece]), 1e-3) for piece in pieces])
    middle: NDArray[np.float64] = lengths @ places / lengths.sum()
    return middle


def _by_view(group: Sequence[Located]) -> dict[ViewKey, list[Located]]:
    by_view: dict[ViewKey, list[Located]] = {}
    for found in group:
        by_view.setdefault(found.view, []).append(found)
    return by_view


def _best(group: Sequence[Located]) -> dict[ViewKey, float]:
    best: dict[ViewKey, float] = {}
    for found in sorted(group, key=canonical):
        best[found.view] = max(best.get(found.view, 0.0), found.finding.score)
    return best


def _miss(
    recipe: Recipe,
    imaged: Sequence[Located],
    long_mm: float,
    resolution: Mapping[ViewKey, float],
    view: ViewKey,
) -> float:
    """P(the view shows nothing | the defect is real), of the class that is missed most easily.

    Without a measured rate it is the class's `view_miss_rate` for a view as good as the best that
    saw the defect, and nearer to 1 for a coarser one.
    """
    misses = [0.0]
    seen_by = {found.view for found in imaged}
    best = max((resolution.get(source, 0.0) for source in seen_by), default=0.0)
    weight = min(resolution[view] / best, 1.0) if best else 1.0
    for label in {found.finding.label for found in imaged}:
        limit = class_limit(recipe, label)
        if limit.detection_rate:
            size_px = long_mm / 1000.0 * resolution[view]
            misses.append(miss_of(limit.detection_rate, size_px))
        else:
            misses.append(limit.view_miss_rate**weight)
    return max(misses)


def _beyond(measure: Measure, is_measured: bool) -> float:
    if measure.conformity is not Conformity.UNKNOWN:
        return beyond_probability(measure.value, measure.limit, measure.uncertainty)
    # What a process signal tells is beyond its limits, on either side.
    return 1.0 if is_measured or exceeds(measure.value, measure.limit) else 0.0
