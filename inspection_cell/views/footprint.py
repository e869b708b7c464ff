"""What a finding in an image covers of the part: rays through its pixels, cast at the mesh."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import Intrinsics, Points, Transform, invert, transform_points
from inspection_cell.reference import ReferenceMesh

Pixels = NDArray[np.float64]  # (K, 2)
OUTLINE_POINTS = 16


@dataclass(frozen=True, slots=True)
class Footprint:
    """Where the rays of one finding met the part.

    Attributes:
        centre_px: (2,) mean of all its pixels, of those that missed too.
        pixels: (K, 2) of the rays that met the part.
        points: (K, 3) where, part frame, metres.
        triangles: (K,) of the mesh.
    """

    centre_px: NDArray[np.float64]
    pixels: Pixels
    points: Points
    triangles: NDArray[np.uint32]


def box_pixels(box_px: NDArray[np.float64], side: int) -> Pixels:
    """`side`² points spread evenly over a box (4,), each in the middle of its share."""
    low, high = box_px[:2], box_px[2:]
    steps = (np.arange(side) + 0.5) / side
    columns, rows = low[:, None] + (high - low)[:, None] * steps
    return np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)


def polygon_pixels(polygon_px: Pixels, side: int) -> Pixels:
    """Points inside a polygon (K, 2), of a grid of `side`² over its box, and along its outline.

    The outline belongs to it: of a thin scratch hardly a point of the grid lies inside.
    """
    box = np.concatenate([polygon_px.min(axis=0), polygon_px.max(axis=0)])
    grid = box_pixels(box, side)
    contour = polygon_px.astype(np.float32)[:, None]
    inside = [cv2.pointPolygonTest(contour, (x, y), False) >= 0 for x, y in grid.tolist()]
    return np.concatenate([grid[np.array(inside, dtype=np.bool_)], _along(polygon_px)])


def footprints(
    reference: ReferenceMesh,
    camera: Intrinsics,
    transform_part_to_sensor: Transform,
    findings_px: Sequence[Pixels],
) -> list[Footprint]:
    """The footprint of each set of pixels, at a pose, with one cast for all of them."""
    if not findings_px:
        return []
    directions = camera.rays(np.concatenate(findings_px))
    ranges, triangles = reference.cast(transform_part_to_sensor, directions)
    met = np.isfinite(ranges)
    points = np.zeros((len(met), 3))
    hits_sensor = directions[met] * ranges[met, None]
    points[met] = transform_points(invert(transform_part_to_sensor), hits_sensor)
    found, start = [], 0
    for pixels in findings_px:
        own = slice(start, start + len(pixels))
        start += len(pixels)
        hit = met[own]
        found.append(
            Footprint(pixels.mean(axis=0), pixels[hit], points[own][hit], triangles[own][hit])
        )
    return found


def _along(polygon_px: Pixels) -> Pixels:
    """Its corners, if they are few, and points at equal steps along the outline."""
    ends = np.roll(polygon_px, -1, axis=0)
    lengths = np.linalg.norm(ends - polygon_px, axis=1)
    travelled = np.concatenate([[0.0], lengths.cumsum()])
    steps = np.linspace(0.0, travelled[-1], OUTLINE_POINTS, endpoint=False)
    closed = np.concatenate([polygon_px, polygon_px[:1]])
    even = np.column_stack([np.interp(steps, travelled, closed[:, axis]) for axis in (0, 1)])
    corners = polygon_px if len(polygon_px) <= OUTLINE_POINTS else polygon_px[:0]
    return np.concatenate([corners, even])
