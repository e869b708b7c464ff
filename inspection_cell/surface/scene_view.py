"""A scene as its sensor saw it: ranges on a grid of directions, and what stands out in it.

A table, a floor or the bottom of a bin goes on around the part; what is narrower than the part
and nearer than what goes on around it stands out. That is the opening of grey scale morphology
(Serra, "Image Analysis and Mathematical Morphology", 1982) on inverse depths. Only what stands
out is evidence for a part: every flat face of it would fit a table as well.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import (
    distance_transform_edt,
    maximum_filter,
    median_filter,
    minimum_filter,
)
from scipy.spatial import cKDTree

from inspection_cell.geometry import Points

_REACH = 1.5  # cells within which the nearest ray tells the range
_HOLE = 0.2  # sizes of the part: half the width of gaps that are filled
_CLEAR = 1.5  # distances that something must stand out by
_NARROW = 1.2  # sizes of the part up to which something stands out
_WIDEST = 0.1  # cosine to the view's axis: beyond, planes are no longer planes
_MOST_CELLS = 4_000_000
_LOOKED_AT = 2000

Ranges = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SceneView:
    """Ranges on a grid of azimuth and elevation about the mean line of sight.

    Attributes:
        sensor: (3,) scene frame, metres.
        rotation_scene_to_view: (3, 3); z of the view looks into the scene.
        cell_rad: side of a cell.
        low_rad: (2,) azimuth and elevation of the first cell.
        ranges_m: (H, W) of the ray nearest to each cell; NaN where nothing was measured.
        directions: (H, W, 3) unit, scene frame, in which exactly the ranges were measured.
        stands_out: (H, W) what is nearer than what goes on around it.
        within_m: distance within which two surfaces are one.
    """

    sensor: NDArray[np.float64]
    rotation_scene_to_view: NDArray[np.float64]
    cell_rad: float
    low_rad: NDArray[np.float64]
    ranges_m: Ranges
    directions: NDArray[np.float64]
    stands_out: NDArray[np.bool_]
    within_m: float

    def window(self, centre: NDArray[np.float64], radius_m: float) -> tuple[slice, slice]:
        """Rows and columns that a ball about a centre (3,), scene frame, may cover."""
        offset = self.rotation_scene_to_view @ (centre - self.sensor)
        distance_m = max(float(np.linalg.norm(offset)), 1e-6)
        wide = int(radius_m / distance_m / self.cell_rad) + 3
        middle = np.rint((_angles(offset[None] / distance_m)[0] - self.low_rad) / self.cell_rad)
        column, row = (int(value) for value in middle)
        height, width = self.ranges_m.shape
        return (
            slice(min(max(row - wide, 0), height), min(max(row + wide + 1, 0), height)),
            slice(min(max(column - wide, 0), width), min(max(column + wide + 1, 0), width)),
        )


def view_scene(
    points: Points, sensor: NDArray[np.float64], cell_m: float, part_m: float, within_m: float
) -> SceneView:
    """Sort the points of one scan by the direction that they were seen in.

    Args:
        points: (N, 3) finite, scene frame, metres.
        sensor: (3,) where the scan was taken from.
        cell_m: side of a cell at the scene's median range; the scan's own spacing if coarser.
        part_m: the part's largest size.
        within_m: distance within which two surfaces are one.
    """
    offsets = points - sensor
    ranges = np.linalg.norm(offsets, axis=1)
    offsets, ranges = offsets[ranges > 1e-6], ranges[ranges > 1e-6]
    rotation = _into_scene(offsets / ranges[:, None])
    seen = offsets @ rotation.T / ranges[:, None]
    tree = cKDTree(seen, balanced_tree=False)
    median_m = float(np.median(ranges))
    cell_rad = max(cell_m / median_m, _spacing(tree))
    angles = _angles(seen)
    low, high = np.percentile(angles, [0.1, 99.9], axis=0)
    cell_rad = max(cell_rad, float(np.sqrt(np.prod(high - low + cell_rad) / _MOST_CELLS)))
    width, height = (int(cells) + 1 for cells in (high - low) / cell_rad)
    azimuth, elevation = np.meshgrid(
        low[0] + np.arange(width) * cell_rad, low[1] + np.arange(height) * cell_rad
    )
    directions = np.stack(
        [
            np.cos(elevation) * np.sin(azimuth),
            np.sin(elevation),
            np.cos(elevation) * np.cos(azimuth),
        ],
        axis=-1,
    )
    flat = directions.reshape(-1, 3)
    found = tree.query(flat, distance_upper_bound=_REACH * cell_rad)
    distances, rows = (np.asarray(each) for each in found)
    there = np.isfinite(distances)
    measured = np.where(there, ranges[np.where(there, rows, 0)], np.nan).reshape(height, width)
    flat[there] = seen[rows[there]]  # on slopes and at edges the cell's own would not do
    wide = int(_NARROW * part_m / median_m / cell_rad) | 1
    along = directions[..., 2].copy()
    nearer = _behind(measured, along, wide) - measured > _CLEAR * within_m
    return SceneView(
        sensor, rotation, cell_rad, low, measured, directions @ rotation, nearer, within_m
    )


def _into_scene(directions: Points) -> NDArray[np.float64]:
    """(3, 3) rotation that turns the mean of directions (N, 3) to z."""
    z = directions.mean(axis=0)
    z /= max(float(np.linalg.norm(z)), 1e-9)
    across = np.zeros(3)
    across[np.argmin(np.abs(z))] = 1.0
    x = np.cross(across, z)
    x /= np.linalg.norm(x)
    return np.array([x, np.cross(z, x), z])


def _angles(directions: Points) -> NDArray[np.float64]:
    """(N, 2) azimuth and elevation of unit directions (N, 3) in the view."""
    elevation = np.arcsin(np.clip(directions[:, 1], -1, 1))
    return np.column_stack([np.arctan2(directions[:, 0], directions[:, 2]), elevation])


def _spacing(tree: cKDTree) -> float:
    """Median angle between neighbouring rays; points seen twice are none."""
    few = tree.data[:: max(1, tree.n // _LOOKED_AT)]
    gaps = np.asarray(tree.query(few, k=min(5, tree.n))[0])[:, -1]
    return float(np.median(gaps) / np.sqrt(2.0)) + 1e-9


def _behind(measured: Ranges, along: NDArray[np.float64], wide: int) -> Ranges:
    """(H, W) the range of what goes on around everything narrower than some cells.

    Planes are linear in the inverse of the depth, so that a slanting table does not stand out.

    Args:
        measured: (H, W) ranges, NaN for none.
        along: (H, W) cosines of the rays to the view's axis.
        wide: cells, an odd number.
    """
    distances, nearest = distance_transform_edt(np.isnan(measured), return_indices=True)
    along = np.maximum(along, _WIDEST)
    nearness = median_filter(1.0 / (measured[tuple(nearest)] * along), 3)
    nearness[distances > _HOLE * wide] = np.inf  # nothing is no background
    # Windows may reach beyond the picture, or the rim of a slanting table would stand out.
    padded = np.pad(nearness, wide, constant_values=np.inf)
    opened = maximum_filter(minimum_filter(padded, wide), wide)[wide:-wide, wide:-wide]
    behind: Ranges = 1.0 / (median_filter(opened, 3) * along)
    return behind
