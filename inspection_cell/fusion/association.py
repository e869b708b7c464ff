"""Which findings are one physical defect: near on the surface, on the same side of it."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components

from inspection_cell.fusion.projection import Located

OPPOSED = -0.5  # cosine between normals below which two findings lie on opposite faces


def associate(findings: Sequence[Located], merge_m: float) -> list[list[Located]]:
    """Group located findings by single linkage, whatever their order.

    Two findings are linked when the position of one is within `merge_m` of the other's extent
    and their normals are not opposed (front and back of a plate stay two).

    Returns:
        Groups in a canonical order, findings within each group too.
    """
    if not findings:
        return []
    ordered = sorted(findings, key=canonical)
    near = _distances(ordered) <= merge_m
    _, groups = connected_components(near & ~_opposed(ordered), directed=False)
    return [
        [finding for finding, own in zip(ordered, groups, strict=True) if own == group]
        for group in range(int(groups.max()) + 1)
    ]


def canonical(located: Located) -> tuple[str, str, str, float, tuple[float, ...]]:
    """Sort key that does not depend on the order of arrival."""
    view, finding = located.view, located.finding
    place = located.position_m if located.position_m is not None else finding.box_px
    where = () if place is None else tuple(place.tolist())
    return view.presentation, view.sensor, finding.label, -finding.score, where


def _distances(findings: Sequence[Located]) -> NDArray[np.float64]:
    """(N, N) from the position of each to the extent of each other, the smaller way, metres."""
    positions = np.stack([_position(located) for located in findings])
    extents = np.concatenate([located.extent_m for located in findings])
    starts = np.cumsum([0] + [len(located.extent_m) for located in findings[:-1]])
    to_points = np.linalg.norm(positions[:, None] - extents[None], axis=2)
    one_way = np.minimum.reduceat(to_points, starts, axis=1)
    return np.minimum(one_way, one_way.T)


def _opposed(findings: Sequence[Located]) -> NDArray[np.bool_]:
    unknown = np.zeros(3)  # opposed to nothing
    normals = np.stack([f.normal if f.normal is not None else unknown for f in findings])
    opposed: NDArray[np.bool_] = normals @ normals.T < OPPOSED
    return opposed


def _position(located: Located) -> NDArray[np.float64]:
    assert located.position_m is not None
    return located.position_m
