"""Findings in images onto the part: rays through box or outline, cast at the reference mesh."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
DENSE = 41  # before a finding is said to miss the part, which may be open as a frame
BOX_SIGMA = 0.05  # standard deviation of a box's middle, in diagonals of it; 0.04 on renders
BOX_SIGMA_PX = 1.0  # and never better than this
COMPACT = 0.7  # of length times width, from which area on a region has no hollow: a disc has 0.79
LEAST_COSINE = 0.25  # beyond 75° uncertainties are not stretched further


@dataclass(frozen=True, slots=True)
class Located:
    """A finding with its place on the part.

    Attributes:
        extent_m: (K, 3) points of the finding on the surface, part frame; empty where no view
            could place it.
        least_mm: how long it is at least: what `extent_m` misses of it lies beside the part or
            on another surface. Of a scan's finding, its own length.
        position_m: (3,) the point of `extent_m` that stands for the finding.
        normal: (3,) outward, where it is known.
        off_part: the view has a pose, and the finding misses the part at that pose.
        sigma_m: standard uncertainty of the position along the surface, metres.
        pose_sigma_m: the share of it that comes from the part's pose, which others share.
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
    pose_sigma_m: float = 0.0
    camera: Intrinsics | None = None
    transform_part_to_sensor: Transform | None = None
    pixels_per_m: float = 0.0
    zone: str = ''
    least_mm: float = 0.0


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
    `margin_m`, because defects at the part's outline reach beyond it, and with `DENSE`² rays; one
    that still misses is `off_part`. The uncertainty of a place is that of the pose,
    `pose_sigma_m`, and that of the box in the image, stretched by the angle at which the surface
    is seen.
    """
    placed = [_as_given(view.view, finding, pose_sigma_m) for finding in findings]
    camera = view.intrinsics
    if reference is None or camera is None or transform_part_to_sensor is None:
        return placed
    boxes = [i for i, f in enumerate(findings) if f.position_m is None and f.box_px is not None]
    for grown_m, side in ((0.0, GRID), (margin_m, GRID), (margin_m, DENSE)):
        todo = [i for i in boxes if placed[i].position_m is None]
        grids = [_grid(findings[i], camera, transform_part_to_sensor, grown_m, side) for i in todo]
        hits = footprints(reference, camera, transform_part_to_sensor, grids)
        for i, hit, grid in zip(todo, hits, grids, strict=True):
            normals = reference.normals[hit.triangles]
            place = (camera, transform_part_to_sensor, hit, normals, pose_sigma_m)
            found = _place(view.view, findings[i], *place)
            if len(found.extent_m) < len(grid):
                found = replace(found, least_mm=_least_mm(found))
            placed[i] = found
    return placed


def _as_given(view: ViewKey, finding: Finding, pose_sigma_m: float) -> Located:
    if finding.position_m is None:
        return Located(view, finding, np.empty((0, 3)))
    place = finding.position_m
    return Located(
        view,
        finding,
        place[None],
        place,
        finding.normal,
        sigma_m=pose_sigma_m,
        pose_sigma_m=pose_sigma_m,
        least_mm=finding.length_mm,
    )


def _least_mm(found: Located) -> float:
    """Length of box or outline, as if the surface at the position went on as a plane."""
    box, outline, position, normal = (
        found.finding.box_px,
        found.finding.polygon_px,
        found.position_m,
        found.normal,
    )
    camera, pose = found.camera, found.transform_part_to_sensor
    if camera is None or pose is None or box is None or position is None or normal is None:
        return 0.0
    rays = camera.rays(box.reshape(2, 2) if outline is None else outline)
    middle = transform_points(pose, position[None])[0]
    across = rotate_vectors(pose, normal[None])[0]
    if (rays @ across).max() > -LEAST_COSINE * np.linalg.norm(rays, axis=1).max():
        across = middle / np.linalg.norm(middle)  # too flat: as on a surface across the ray
    points = rays * ((middle @ across) / (rays @ across))[:, None]
    return float(pdist(points).max()) * 1000.0


def _grid(
    finding: Finding,
    camera: Intrinsics,
    transform_part_to_sensor: Transform,
    grown_m: float,
    side: int,
) -> Pixels:
    assert finding.box_px is not None
    if finding.polygon_px is not None and not grown_m:
        return polygon_pixels(finding.polygon_px, side)
    distance_m = max(float(np.linalg.norm(transform_part_to_sensor[:3, 3])), 1e-3)
    grown_px = grown_m * camera.fx / distance_m
    x0, y0, x1, y1 = finding.box_px
    columns = np.linspace(x0 - grown_px, x1 + grown_px, side)
    rows = np.linspace(y0 - grown_px, y1 + grown_px, side)
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
        pose_sigma_m=pose_sigma_m,
        camera=camera,
        transform_part_to_sensor=transform_part_to_sensor,
        pixels_per_m=pixels_per_m,
    )


def length_mm(pieces: Sequence[Located]) -> float:
    """Longest extent of a thing of which one view shows these pieces, mm.

    Between any two points of the pieces. The single point of a scan's region stands for its
    middle: to it belongs half of the region's length.
    """
    least = max((piece.least_mm for piece in pieces), default=0.0)
    points = np.concatenate([np.empty((0, 3)), *(piece.extent_m for piece in pieces)])
    if len(points) < 2:
        return least
    around = np.concatenate([np.full(len(piece.extent_m), _around_m(piece)) for piece in pieces])
    rows, columns = np.triu_indices(len(points), 1)
    between = pdist(points) + around[rows] + around[columns]
    return max(least, float(between.max()) * 1000.0)


def reach_m(found: Located, place_m: NDArray[np.float64]) -> float:
    """Greatest distance of any point of a finding from a place (3,), metres."""
    away = np.linalg.norm(found.extent_m - place_m, axis=1)
    return float(away.max(initial=0.0)) + _farthest_m(found)


def _farthest_m(found: Located) -> float:
    """How far a finding may reach from its position.

    The position of a scan's region is one of its points: the middle of what fills its length and
    width, but the near end of a crescent or of a ring round a bore.
    """
    if found.camera is not None:
        return _around_m(found)
    finding = found.finding
    diagonal_mm = float(np.hypot(finding.length_mm, finding.width_mm))
    filled = finding.area_mm2 >= COMPACT * finding.length_mm * finding.width_mm
    return diagonal_mm / (2000.0 if filled else 1000.0)


def _around_m(found: Located) -> float:
    """How far a finding reaches beyond the points of its extent."""
    return found.least_mm / 2000.0 if found.camera is None else 0.0
