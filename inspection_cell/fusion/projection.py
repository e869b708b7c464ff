"""Findings in images onto the part: rays through box or outline, cast at the reference mesh."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from inspection_cell.findings import Finding, ViewFindings
from inspection_cell.geometry import (
    Intrinsics,
    Points,
    Transform,
    rotate_vectors,
    transform_points,
)
from inspection_cell.observations import ViewKey
from inspection_cell.reference import ReferenceMesh
from inspection_cell.views.footprint import Footprint, Pixels, footprints, polygon_pixels

GRID = 5  # rays per side of a box, or of the box around an outline
BOX_SIGMA = 0.05  # standard deviation of a box's middle, in diagonals of it; 0.04 on renders
BOX_SIGMA_PX = 1.0  # and never better than this
LEAST_COSINE = 0.25  # beyond 75° uncertainties are not stretched further


@dataclass(frozen=True, slots=True)
class Located:
    """A finding with its place on the part.

    Attributes:
        extent_m: (K, 3) points of the finding on the surface, part frame; empty where no view
            could place it.
        position_m: (3,) the point of `extent_m` that stands for the finding.
        normal: (3,) outward, where it is known.
        off_part: the view has a pose, and the finding misses the part at that pose.
        sigma_m: standard uncertainty of the position along the surface, metres.
        camera: geometry of the view, for a finding in an image that was placed.
        transform_part_to_sensor: pose at which it was placed.
        pixels_per_m: of the image at the finding's depth; 0 where it is not known.
        zone: in which all that scans find is one thing; empty: in none.
    """

    view: ViewKey
    finding: Finding
    extent_m: Points
    position_m: NDArray[np.float64] | None = None
    normal: NDArray[np.float64] | None = None
    off_part: bool = False
    sigma_m: float = 0.0
    camera: Intrinsics | None = None
    transform_part_to_sensor: Transform | None = None
    pixels_per_m: float = 0.0
    zone: str = ''


def locate(
    reference: ReferenceMesh | None,
    view: ViewFindings,
    findings: Sequence[Finding],
    transform_part_to_sensor: Transform | None,
    margin_m: float,
    pose_sigma_m: float = 0.0,
) -> list[Located]:
    """Place the findings of one view on the part.

    A finding that brings its position (a scan's) keeps it. An outline is sampled inside and along
    itself, a box with `GRID`² rays. What misses the part is tried again by its box grown by
    `margin_m`, because defects at the part's outline reach beyond it; one that still misses is
    `off_part`. The uncertainty of a place is that of the pose, `pose_sigma_m`, and that of the
    box in the image, stretched by the angle at which the surface is seen.
    """
    placed = [_as_given(view.view, finding, pose_sigma_m) for finding in findings]
    camera = view.intrinsics
    if reference is None or camera is None or transform_part_to_sensor is None:
        return placed
    boxes = [i for i, f in enumerate(findings) if f.position_m is None and f.box_px is not None]
    for grown_m in (0.0, margin_m):
        todo = [i for i in boxes if placed[i].position_m is None]
        grids = [_grid(findings[i], camera, transform_part_to_sensor, grown_m) for i in todo]
        hits = footprints(reference, camera, transform_part_to_sensor, grids)
        for i, hit in zip(todo, hits, strict=True):
            normals = reference.normals[hit.triangles]
            place = (camera, transform_part_to_sensor, hit, normals, pose_sigma_m)
            placed[i] = _place(view.view, findings[i], *place)
    return placed


def _as_given(view: ViewKey, finding: Finding, pose_sigma_m: float) -> Located:
    if finding.position_m is None:
        return Located(view, finding, np.empty((0, 3)))
    place = finding.position_m
    return Located(view, finding, place[None], place, finding.normal, sigma_m=pose_sigma_m)


def _grid(
    finding: Finding, camera: Intrinsics, transform_part_to_sensor: Transform, grown_m: float
) -> Pixels:
    assert finding.box_px is not None
    if finding.polygon_px is not None and not grown_m:
        return polygon_pixels(finding.polygon_px, GRID)
    distance_m = max(float(np.linalg.norm(transform_part_to_sensor[:3, 3])), 1e-3)
    grown_px = grown_m * camera.fx / distance_m
    x0, y0, x1, y1 = finding.box_px
    columns = np.linspace(x0 - grown_px, x1 + grown_px, GRID)
    rows = np.linspace(y0 - grown_px, y1 + grown_px, GRID)
    return np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)


def _place(
    view: ViewKey,
    finding: Finding,
    camera: Intrinsics,
    transform_part_to_sensor: Transform,
    hits: Footprint,
    normals: Points,
    pose_sigma_m: float,
) -> Located:
    """The hit nearest the finding's centre is the position; hits far behind lie on another."""
    if not len(hits.points):
        return Located(view, finding, np.empty((0, 3)), off_part=True)
    offsets = np.linalg.norm(hits.pixels - hits.centre_px, axis=1)
    centre = int(np.argmin(offsets))
    position = hits.points[centre]
    depth_m = float(transform_points(transform_part_to_sensor, position[None])[0, 2])
    # Foreshortening to 60° doubles the extent; what is farther lies on another surface.
    reach_m = 2.0 * max(float(offsets.max()), 1.0) * depth_m / camera.fx
    near = np.linalg.norm(hits.points - position, axis=1) <= reach_m
    pixels_per_m = camera.fx / depth_m
    sight = rotate_vectors(transform_part_to_sensor, normals[centre][None])[0]
    ray = transform_points(transform_part_to_sensor, position[None])[0]
    cosine = max(-float(sight @ ray) / float(np.linalg.norm(ray)), LEAST_COSINE)
    assert finding.box_px is not None
    size_px = float(np.linalg.norm(finding.box_px[2:] - finding.box_px[:2]))
    box_m = max(BOX_SIGMA * size_px, BOX_SIGMA_PX) / pixels_per_m / cosine
    return Located(
        view,
        finding,
        hits.points[near],
        position,
        normals[centre],
        sigma_m=float(np.hypot(box_m, pose_sigma_m)),
        camera=camera,
        transform_part_to_sensor=transform_part_to_sensor,
        pixels_per_m=pixels_per_m,
    )


def length_mm(extents_m: Sequence[Points]) -> float:
    """Longest distance between any two points of the extents, mm."""
    points = np.concatenate([np.empty((0, 3)), *extents_m])
    return float(pdist(points).max()) * 1000.0 if len(points) > 1 else 0.0
