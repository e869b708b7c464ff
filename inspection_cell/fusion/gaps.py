"""How far apart findings lie, from what each view shows of them."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inspection_cell.findings import Finding
from inspection_cell.fusion.projection import Located
from inspection_cell.geometry import Points, transform_points

FILLED = 1.5  # a region reaches this much farther than a disc of its area


def gaps(findings: Sequence[Located]) -> NDArray[np.float64]:
    """(N, N) metres from the place of each finding (rows) to each other finding's extent.

    A camera's finding extends over its box: the gap is measured in its image and turned into
    metres at the depth of the place. A region of a scan extends around its middle by half its
    length, but by no more than its area fills: the middle of a crescent round a bore is far from
    most of it. A place that a camera has behind it is infinitely far from what that camera shows.
    Findings of different kinds are one thing only when each lies within the other: a small stain,
    or a dent, in the corner of a long scratch's box is not the scratch.
    """
    places = np.stack([_position(found) for found in findings])
    columns = [to_extent(places, found) for found in findings]
    gap = np.stack(columns, axis=1)
    labels = np.array([found.finding.label for found in findings])
    unlike = labels[:, None] != labels[None]
    one_way: NDArray[np.float64] = np.where(unlike, np.maximum(gap, gap.T), gap)
    return one_way


def pieces_gap(one: Located, other: Located) -> float:
    """Metres between the extents of two findings of one view."""
    first, second = one.finding.box_px, other.finding.box_px
    if first is not None and second is not None and one.pixels_per_m:
        apart = np.maximum(np.maximum(first[:2] - second[2:], second[:2] - first[2:]), 0.0)
        return float(np.linalg.norm(apart)) / one.pixels_per_m
    apart_m = float(np.linalg.norm(_position(one) - _position(other)))
    return max(apart_m - _radius_m(one.finding) - _radius_m(other.finding), 0.0)


def to_extent(places: Points, found: Located) -> NDArray[np.float64]:
    """(N,) metres from places (N, 3) to what a view shows of a finding; inf behind its camera."""
    box, pose, camera = found.finding.box_px, found.transform_part_to_sensor, found.camera
    if box is None or pose is None or camera is None:
        straight = np.linalg.norm(places - _position(found), axis=1)
        beside: NDArray[np.float64] = np.maximum(straight - _radius_m(found.finding), 0.0)
        return beside
    in_camera = transform_points(pose, places)
    pixels = camera.project(in_camera)
    outside = np.maximum(np.maximum(box[:2] - pixels, pixels - box[2:]), 0.0)
    metres = np.linalg.norm(outside, axis=1) * in_camera[:, 2] / camera.fx
    return np.where(np.isfinite(metres), metres, np.inf)


def _radius_m(finding: Finding) -> float:
    half_mm = finding.length_mm / 2.0
    if finding.area_mm2:
        half_mm = min(half_mm, FILLED * math.sqrt(finding.area_mm2 / math.pi))
    return half_mm / 1000.0


def _position(located: Located) -> NDArray[np.float64]:
    assert located.position_m is not None
    return located.position_m
