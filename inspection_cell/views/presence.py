"""Positive evidence that this part, of this type, is in a camera's view.

Two kinds: expected features that the detector finds where the reported pose puts them, and
agreement of the image's foreground with the outline of the reference mesh at that pose.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from inspection_cell.findings import Finding, Presence, PresenceStatus
from inspection_cell.geometry import Intrinsics, Points, Transform, transform_points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.detection import Feature, Silhouette
from inspection_cell.views.detections import Detections
from inspection_cell.views.overlap import SAME_THING, areas, shared_areas
from inspection_cell.views.windows import image_bounds, unfolded

MISSED_SCORE = 0.6  # of a feature that should be there and of which the detector sees no trace
MIN_FEATURES = 2  # one match alone may be chance
OCCLUSION_M = 2e-3  # features stand out of, or lie sunk in, the reference by no more than this
MAX_INCIDENCE_COS = 0.26  # 75°: flatter, a feature is hardly seen
OUTLINE_MARGIN_PX = 8  # beside what the part covers
REDUCTION = 4  # the silhouette is compared at a quarter of the resolution
MIN_CONTRAST = 12.0  # grey levels by which a part at least differs from its background
BORDER_SHARE = 0.04  # of the image's height: where the background is measured


@dataclass(frozen=True, slots=True)
class Expected:
    """The positions of one feature that a view should show, with what was found there.

    Attributes:
        pixels: (N, 2) where the visible positions project to.
        gates_px: (N,) greatest distance of a detection, pixels.
        matched: (N,) index of the detection at each position, -1 for none.
    """

    feature: Feature
    pixels: NDArray[np.float64]
    gates_px: NDArray[np.float64]
    matched: NDArray[np.intp]

    @property
    def found(self) -> int:
        """How many positions show their feature."""
        return int((self.matched >= 0).sum())


def expect_features(
    feature: Feature,
    reference: ReferenceMesh,
    intrinsics: Intrinsics,
    transform_part_to_sensor: Transform,
    detections: Detections,
) -> Expected:
    """Project a feature's positions into the view and match detections to the visible ones."""
    positions_m = np.array(feature.positions_mm, dtype=np.float64).reshape(-1, 3) / 1000.0
    positions_camera = transform_points(transform_part_to_sensor, positions_m)
    pixels = intrinsics.project(positions_camera)
    seen = _shown(reference, intrinsics, transform_part_to_sensor, positions_camera, pixels)
    gates = feature.gate_mm / 1000.0 * intrinsics.fx / positions_camera[seen, 2]
    candidates = detections.of(feature.label, feature.min_score)
    matched = match(pixels[seen], gates, candidates.centres_px)
    return Expected(feature, pixels[seen], gates, matched)


def shows_features(
    reference: ReferenceMesh,
    intrinsics: Intrinsics,
    transform_part_to_sensor: Transform,
    positions_m: Points,
) -> NDArray[np.bool_]:
    """In which of (N, 3) positions, part frame, a view shows whether a feature is there."""
    positions_camera = transform_points(transform_part_to_sensor, positions_m)
    pixels = intrinsics.project(positions_camera)
    return _shown(reference, intrinsics, transform_part_to_sensor, positions_camera, pixels)


def match(
    pixels: NDArray[np.float64], gates_px: NDArray[np.float64], centres_px: NDArray[np.float64]
) -> NDArray[np.intp]:
    """For each position (N,) the index of its own detection within the gate, or -1.

    One detection proves one feature: the assignment with the most matches and the least distance.
    """
    matched = np.full(len(pixels), -1, dtype=np.intp)
    if len(pixels) and len(centres_px):
        distances = np.linalg.norm(pixels[:, None] - centres_px[None], axis=2)
        allowed = distances <= gates_px[:, None]
        cost = np.where(allowed, distances, 1e6)
        rows, columns = linear_sum_assignment(cost)
        good = allowed[rows, columns]
        matched[rows[good]] = columns[good]
    return matched


def missing_findings(expected: Expected, detections: Detections) -> tuple[Finding, ...]:
    """A finding `missing_<label>` for each visible position without its feature.

    Its score is 0.6, lowered in proportion when the detector sees the feature there too weakly to
    count, or the detector's own for a box of that class there where that is higher. What proves a
    neighbour is no trace of this one.
    """
    label = f'missing_{expected.feature.label}'
    own = detections.of(label)
    weak = _unclaimed(expected, detections)
    findings = []
    for index in np.flatnonzero(expected.matched < 0):
        pixel, gate = expected.pixels[index], expected.gates_px[index]
        trace = _best_within(weak, pixel, gate)
        doubt = 0.0 if trace is None else trace[0] / max(expected.feature.min_score, 1e-9)
        score = MISSED_SCORE * (1.0 - min(doubt, 1.0))
        box = np.concatenate([pixel - gate, pixel + gate])
        shown = _best_within(own, pixel, gate)
        if shown is not None:  # a weak sign that it is missing is none that it is there
            score, box = max(score, shown[0]), shown[1]
        findings.append(Finding(label, score, box_px=box))
    return tuple(findings)


def _unclaimed(expected: Expected, detections: Detections) -> Detections:
    """Detections of a feature that are too weak to count and show none that was found."""
    feature = expected.feature
    found = detections.of(feature.label, feature.min_score)
    claimed = found.boxes_px[expected.matched[expected.matched >= 0]]
    every = detections.of(feature.label)
    shared = shared_areas(every.boxes_px, claimed)
    smaller = np.minimum(areas(every.boxes_px)[:, None], areas(claimed)[None])
    other = (shared < SAME_THING * smaller).all(axis=1)
    return every.chosen(np.flatnonzero(other & (every.scores < feature.min_score)))


def feature_presence(expected: Sequence[Expected]) -> Presence | None:
    """Presence by features: at least two and at least half of the visible ones are found.

    Returns:
        None where fewer than two positions are visible: then features prove nothing.
    """
    visible = sum(len(one.pixels) for one in expected)
    if visible < MIN_FEATURES:
        return None
    found = sum(one.found for one in expected)
    needed = max(MIN_FEATURES, (visible + 1) // 2)
    status = PresenceStatus.PRESENT if found >= needed else PresenceStatus.ABSENT
    labels = ', '.join(one.feature.label for one in expected)
    text = f'{found} of {visible} expected features ({labels}) found; {needed} needed'
    return Presence(status, text, found / visible)


def counted_presence(features: Sequence[Feature], detections: Detections) -> Presence:
    """Presence without a reference: each feature is shown at least as often as demanded."""
    shares, words = [], []
    for feature in features:
        found = len(detections.of(feature.label, feature.min_score))
        shares.append(min(found / (feature.count or 1), 1.0))
        words.append(f'{found} of {feature.count} {feature.label}')
    score = min(shares)
    status = PresenceStatus.PRESENT if score >= 1.0 else PresenceStatus.ABSENT
    return Presence(status, f'{", ".join(words)} found', score)


def silhouette_presence(
    demand: Silhouette,
    reference: ReferenceMesh,
    intrinsics: Intrinsics,
    transform_part_to_sensor: Transform,
    pixels: NDArray[np.uint8],
) -> Presence:
    """Presence by outline: intersection over union of foreground and rendered reference."""
    seen = foreground(pixels, demand.background)
    outline = rendered_outline(reference, intrinsics, transform_part_to_sensor, seen.shape)
    union = int((seen | outline).sum())
    overlap = float((seen & outline).sum() / union) if union and outline.any() else 0.0
    status = PresenceStatus.PRESENT if overlap >= demand.min_iou else PresenceStatus.ABSENT
    text = f'outline agrees with the reference by {overlap:.2f}; {demand.min_iou:.2f} needed'
    return Presence(status, text, overlap)


def foreground(pixels: NDArray[np.uint8], background: str) -> NDArray[np.bool_]:
    """What differs from the background, (H/4, W/4).

    The background's level and noise are measured along the image's border. An image without
    foreground gives an empty mask, which a threshold between two modes (Otsu) would not.
    """
    grey = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    size = (grey.shape[1] // REDUCTION, grey.shape[0] // REDUCTION)
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA).astype(np.float64)
    width = max(int(small.shape[0] * BORDER_SHARE), 1)
    border = np.ones(small.shape, dtype=np.bool_)
    border[width:-width, width:-width] = False
    level = float(np.median(small[border]))
    spread = 1.4826 * float(np.median(np.abs(small[border] - level)))
    difference = small - level if background == 'dark' else level - small
    mask = (difference > max(MIN_CONTRAST, 5.0 * spread)).astype(np.uint8)
    kernel = np.ones((3, 3), dtype=np.uint8)
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel, iterations=2)
    result: NDArray[np.bool_] = closed.astype(np.bool_)
    return result


def rendered_outline(
    reference: ReferenceMesh,
    intrinsics: Intrinsics,
    transform_part_to_sensor: Transform,
    shape: tuple[int, ...],
) -> NDArray[np.bool_]:
    """The reference's outline at this pose, (H, W) of `shape`, by ray casting."""
    height, width = shape[:2]
    scale = np.array([intrinsics.width / width, intrinsics.height / height])
    bounds = image_bounds(reference, intrinsics, transform_part_to_sensor, OUTLINE_MARGIN_PX)
    if bounds is None:
        bounds = np.array([0, 0, intrinsics.width, intrinsics.height])
    left, top = (bounds[:2] // scale).astype(int)
    right, bottom = np.ceil(bounds[2:] / scale).astype(int)
    columns, rows = np.meshgrid(np.arange(left, right), np.arange(top, bottom))
    centres = np.column_stack([columns.ravel(), rows.ravel()]) * scale + (scale - 1) / 2
    ranges, _ = reference.cast(transform_part_to_sensor, intrinsics.rays(centres))
    outline = np.zeros((height, width), dtype=np.bool_)
    outline[top:bottom, left:right] = np.isfinite(ranges).reshape(columns.shape)[
        : height - top, : width - left
    ]
    return outline


def _shown(
    reference: ReferenceMesh,
    intrinsics: Intrinsics,
    transform_part_to_sensor: Transform,
    positions_camera: Points,
    pixels: NDArray[np.float64],
) -> NDArray[np.bool_]:
    inside = (pixels >= 0).all(axis=1) & (
        pixels <= (intrinsics.width - 1, intrinsics.height - 1)
    ).all(axis=1)  # NaN (behind the camera) compares as outside
    rows = np.flatnonzero(inside)
    rows = rows[unfolded(intrinsics, positions_camera[rows], pixels[rows])]
    unoccluded = _unoccluded(reference, transform_part_to_sensor, positions_camera)
    seen: NDArray[np.bool_] = unoccluded & np.isin(np.arange(len(pixels)), rows)
    return seen


def _unoccluded(
    reference: ReferenceMesh,
    transform_part_to_sensor: Transform,
    positions_camera: NDArray[np.float64],
) -> NDArray[np.bool_]:
    ranges = np.linalg.norm(positions_camera, axis=1)
    directions = positions_camera / ranges[:, None]
    hits, triangles = reference.cast(transform_part_to_sensor, directions)
    seen: NDArray[np.bool_] = hits > ranges - OCCLUSION_M
    near = seen & (hits < ranges + OCCLUSION_M)
    normals = reference.normals[triangles[near]] @ transform_part_to_sensor[:3, :3].T
    seen[near] &= np.abs(np.einsum('ij,ij->i', normals, directions[near])) > MAX_INCIDENCE_COS
    return seen


def _best_within(
    detections: Detections, pixel: NDArray[np.float64], gate_px: float
) -> tuple[float, NDArray[np.float64]] | None:
    if not len(detections):
        return None
    near = np.linalg.norm(detections.centres_px - pixel, axis=1) <= gate_px
    if not near.any():
        return None
    best = int(np.argmax(np.where(near, detections.scores, -1.0)))
    return float(detections.scores[best]), detections.boxes_px[best]
