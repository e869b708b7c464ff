"""Which findings are one physical defect: near along the surface, for what is known of places.

Pairs of findings are gated by their statistical distance. They are then joined from the nearest
pair on, as long as no group would hold two things that one view shows apart. The result depends
on the findings alone, not on their order.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inspection_cell.fusion.gaps import gaps, pieces_gap
from inspection_cell.fusion.projection import Located
from inspection_cell.fusion.surface_paths import SurfacePaths

OPPOSED = -0.5  # cosine between normals below which two findings lie on opposite faces
SIGMAS = 3.0  # the gate: 99.7 % of what belongs together lies nearer
PIECES = 0.5  # of the merge distance: boxes of one view nearer than this are pieces of one thing
DETOUR, STEPS = 1.6, 4.0  # ways on the surface against the straight line; steps of its samples


def associate(
    findings: Sequence[Located], merge_m: float, paths: SurfacePaths | None = None
) -> list[list[Located]]:
    """Group located findings, whatever their order.

    Two findings may be one defect when the gap between them is at most what `merge_m` and their
    uncertainties explain, their normals are not opposed (front and back of a plate stay two),
    and the way between them along the surface is no detour. Findings of one zone that is one
    thing always are.

    Args:
        findings: with positions.
        merge_m: how near findings of one defect lie, were their places known exactly, metres.
        paths: along the surface of the reference; None: straight lines only.

    Returns:
        Groups in a canonical order, findings within each group too.
    """
    if not findings:
        return []
    ordered = sorted(findings, key=canonical)
    gap = gaps(ordered)
    distance = _statistical(ordered, np.minimum(gap, gap.T), merge_m)
    opposed, one_thing = _opposed(ordered), _of_one_zone(ordered)
    near = (distance <= SIGMAS) & ~opposed & ~_detoured(ordered, paths, distance)
    joinable = near | one_thing
    distance[one_thing] = 0.0
    rivals = _rivals(ordered, merge_m)
    groups = _Groups(ordered, gap, rivals & ~one_thing, opposed & ~one_thing)
    rows, columns = np.nonzero(np.triu(joinable, 1))
    for at in np.lexsort((columns, rows, distance[rows, columns])):
        groups.join(int(rows[at]), int(columns[at]))
    return groups.findings()


def canonical(located: Located) -> tuple[str, str, str, float, tuple[float, ...]]:
    """Sort key that does not depend on the order of arrival."""
    view, finding = located.view, located.finding
    place = located.position_m if located.position_m is not None else finding.box_px
    where = () if place is None else tuple(place.tolist())
    return view.presentation, view.sensor, finding.label, -finding.score, where


class _Groups:
    """Groups that grow pair by pair, and never hold two rivals without a witness.

    Nor two that lie on opposite faces, whatever lies between.
    """

    def __init__(
        self,
        findings: Sequence[Located],
        gap: NDArray[np.float64],
        rivals: NDArray[np.bool_],
        opposed: NDArray[np.bool_],
    ) -> None:
        self._all = findings
        sigmas = np.array([found.sigma_m for found in findings])
        self._covered = gap <= np.sqrt(sigmas[:, None] ** 2 + sigmas[None] ** 2)
        self._rivals, self._opposed = rivals, opposed
        self._group = np.arange(len(findings))

    def join(self, one: int, other: int) -> None:
        first, second = self._group[one], self._group[other]
        if first == second:
            return
        left, right = np.flatnonzero(self._group == first), np.flatnonzero(self._group == second)
        if self._opposed[np.ix_(left, right)].any():
            return
        both = np.concatenate([left, right])
        rivals = np.argwhere(self._rivals[np.ix_(left, right)])
        # Another view that shows both as one thing settles it.
        if all(
            (self._covered[left[a], both] & self._covered[right[b], both]).any() for a, b in rivals
        ):
            self._group[both] = min(first, second)

    def findings(self) -> list[list[Located]]:
        return [
            [self._all[index] for index in np.flatnonzero(self._group == group).tolist()]
            for group in np.unique(self._group)
        ]


def _statistical(
    findings: Sequence[Located], gap: NDArray[np.float64], merge_m: float
) -> NDArray[np.float64]:
    """Gaps in standard deviations: `merge_m` is the gate of places that are known exactly."""
    sigmas = np.array([found.sigma_m for found in findings])
    variances = sigmas[:, None] ** 2 + sigmas[None] ** 2 + (merge_m / SIGMAS) ** 2
    distance: NDArray[np.float64] = gap / np.sqrt(variances)
    return distance


def _rivals(findings: Sequence[Located], merge_m: float) -> NDArray[np.bool_]:
    """Pairs that one view shows as two things of the same kind."""
    count = len(findings)
    rivals = np.zeros((count, count), dtype=np.bool_)
    for i, one in enumerate(findings):
        for j in range(i + 1, count):
            other = findings[j]
            if one.view == other.view and one.finding.label == other.finding.label:
                rivals[i, j] = rivals[j, i] = pieces_gap(one, other) > PIECES * merge_m
    return rivals


def _of_one_zone(findings: Sequence[Located]) -> NDArray[np.bool_]:
    zones = np.array([found.zone for found in findings])
    same: NDArray[np.bool_] = (zones[:, None] == zones[None]) & (zones != '')[:, None]
    return same


def _opposed(findings: Sequence[Located]) -> NDArray[np.bool_]:
    unknown = np.zeros(3)  # opposed to nothing
    normals = np.stack([f.normal if f.normal is not None else unknown for f in findings])
    opposed: NDArray[np.bool_] = normals @ normals.T < OPPOSED
    return opposed


def _detoured(
    findings: Sequence[Located], paths: SurfacePaths | None, distance: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Pairs that are near in space, but far along the surface."""
    detoured = np.zeros(distance.shape, dtype=np.bool_)
    near = (distance <= SIGMAS) & ~np.eye(len(findings), dtype=np.bool_)
    if paths is None or not near.any():
        return detoured
    asked = np.flatnonzero(near.any(axis=1)).tolist()
    near = near[np.ix_(asked, asked)]
    places = np.stack([_position(findings[i]) for i in asked])
    straight = np.linalg.norm(places[:, None] - places[None], axis=2)
    allowed = DETOUR * straight + STEPS * paths.spacing_m
    normals = [findings[i].normal for i in asked]
    ways = paths.between(places, normals, np.where(near, allowed, 0.0).max(axis=1))
    detoured[np.ix_(asked, asked)] = ways > allowed
    return detoured


def _position(located: Located) -> NDArray[np.float64]:
    assert located.position_m is not None
    return located.position_m
