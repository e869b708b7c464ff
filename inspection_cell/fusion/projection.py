"""Image boxes onto the part: rays through the box, cast at the reference mesh."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from inspection_cell.findings import Finding, ViewFindings
from inspection_cell.geometry import Intrinsics, Points, Transform, invert, transform_points
from inspection_cell.observations import ViewKey
from inspection_cell.reference import ReferenceMesh

GRID = 5  # rays per side of a box


@dataclass(frozen=True, slots=True)
class Located:
    """A finding with its place on the part.

    Attributes:
        extent_m: (K, 3) points of the finding on the surface, part frame; empty where no view
            could place it.
        position_m: (3,) the point of `extent_m` that stands for the finding.
        normal: (3,) outward, where it is known.
        off_part: the view has a pose, and the finding misses the part at that pose.
    """

    view: ViewKey
    finding: Finding
    extent_m: Points
    position_m: NDArray[np.float64] | None = None
    normal: NDArray[np.float64] | None = None
    off_part: bool = False


def locate(
    reference: ReferenceMesh | None,
    view: ViewFindings,
    findings: Sequence[Finding],
    transform_part_to_sensor: Transform | None,
    margin_m: float,
) -> list[Located]:
    """Place the findings of one view on the part.

    A finding that brings its position (a scan's) keeps it. A box is sampled with `GRID`² rays;
    one that misses the part is tried again grown by `margin_m`, because defects at an outline
    reach beyond it; one that still misses is `off_part`.
    """
    placed = [_as_given(view.view, finding) for finding in findings]
    camera = view.intrinsics
    if reference is None or camera is None or transform_part_to_sensor is None:
        return placed
    boxes = [i for i, f in enumerate(findings) if f.position_m is None and f.box_px is not None]
    for grown_m in (0.0, margin_m):
        todo = [i for i in boxes if placed[i].position_m is None]
        grids = [_grid(findings[i], camera, transform_part_to_sensor, grown_m) for i in todo]
        hits = _cast(reference, camera, transform_part_to_sensor, grids)
        for i, hit in zip(todo, hits, strict=True):
            placed[i] = _place(view.view, findings[i], camera, transform_part_to_sensor, hit)
    return placed


@dataclass(frozen=True, slots=True)
class _Hits:
    pixels: NDArray[np.float64]  # (K, 2) of the rays that met the part
    points: Points  # (K, 3) part frame
    normals: Points  # (K, 3) part frame


def _as_given(view: ViewKey, finding: Finding) -> Located:
    if finding.position_m is None:
        return Located(view, finding, np.empty((0, 3)))
    return Located(view, finding, finding.position_m[None], finding.position_m, finding.normal)


def _grid(
    finding: Finding, camera: Intrinsics, transform_part_to_sensor: Transform, grown_m: float
) -> NDArray[np.float64]:
    assert finding.box_px is not None
    distance_m = max(float(np.linalg.norm(transform_part_to_sensor[:3, 3])), 1e-3)
    grown_px = grown_m * camera.fx / distance_m
    x0, y0, x1, y1 = finding.box_px
    columns = np.linspace(x0 - grown_px, x1 + grown_px, GRID)
    rows = np.linspace(y0 - grown_px, y1 + grown_px, GRID)
    return np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)


def _cast(
    reference: ReferenceMesh,
    camera: Intrinsics,
    transform_part_to_sensor: Transform,
    grids: Sequence[NDArray[np.float64]],
) -> list[_Hits]:
    """Cast the rays of all boxes in one call."""
    if not grids:
        return []
    directions = camera.rays(np.concatenate(grids))
    ranges, triangles = reference.cast(transform_part_to_sensor, directions)
    found = []
    for k, pixels in enumerate(grids):
        rays = slice(k * GRID**2, (k + 1) * GRID**2)
        met = np.isfinite(ranges[rays])
        points_sensor = directions[rays][met] * ranges[rays][met, None]
        points = transform_points(invert(transform_part_to_sensor), points_sensor)
        found.append(_Hits(pixels[met], points, reference.normals[triangles[rays][met]]))
    return found


def _place(
    view: ViewKey,
    finding: Finding,
    camera: Intrinsics,
    transform_part_to_sensor: Transform,
    hits: _Hits,
) -> Located:
    """The hit nearest the box's centre is the position; hits far behind it are another surface."""
    if not len(hits.points):
        return Located(view, finding, np.empty((0, 3)), off_part=True)
    assert finding.box_px is not None
    x0, y0, x1, y1 = finding.box_px
    offsets = np.linalg.norm(hits.pixels - ((x0 + x1) / 2, (y0 + y1) / 2), axis=1)
    centre = int(np.argmin(offsets))
    position = hits.points[centre]
    depth_m = float(transform_points(transform_part_to_sensor, position[None])[0, 2])
    # Foreshortening to 60° doubles the extent; what is farther lies on another surface.
    reach_m = 2.0 * max(float(offsets.max()), 1.0) * depth_m / camera.fx
    near = np.linalg.norm(hits.points - position, axis=1) <= reach_m
    return Located(view, finding, hits.points[near], position, hits.normals[centre])


def length_mm(extents_m: Sequence[Points]) -> float:
    """Longest distance between any two points of the extents, mm."""
    points = np.concatenate([np.empty((0, 3)), *extents_m])
    return float(pdist(points).max()) * 1000.0 if len(points) > 1 else 0.0
