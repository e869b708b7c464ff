"""Which points of a scan belong to a plane or a bore of the recipe."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.geometry import Points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.features import Bore
from inspection_cell.sections.zones import unit
from inspection_cell.surface.features.planes import frame_of
from inspection_cell.surface.features.robust import Floats
from inspection_cell.zones import SurfaceZone

_SAMPLES = 100_000  # of the reference, to learn where a zone lies
_MIN_SAMPLES = 12
_PLANE_M = 0.1e-3  # farther from its plane than this a zone is not nominally plane
_CELL_M, _MOST_CELLS = 0.5e-3, 250
_BLOCKS, _LEAST_BLOCK_M = 16, 2e-3  # along a zone, each large enough to hold points
_FACING = 0.8  # cosine to the plane's normal, for its own points
_ACROSS = 0.5  # greatest cosine to a bore's axis, for points of its wall
_OUTSIDE, _BORDER, _INSIDE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Cloud:
    """Registered points, stored so that they are cropped quickly.

    Attributes:
        points_part: (N, 3) part frame, metres.
        columns: (3, N) the same, one coordinate after the other.
        outward: (N, 3) unit directions out of the material at the nearest reference.
    """

    points_part: Points
    columns: Floats
    outward: Points

    def __init__(self, points_part: Points, outward: Points) -> None:
        """Check that each point has its direction."""
        if points_part.shape != outward.shape or points_part.shape[1:] != (3,):
            raise DataError(
                f'features: expected points (N, 3) and as many directions, got '
                f'{points_part.shape} and {outward.shape}'
            )
        object.__setattr__(self, 'points_part', points_part)
        object.__setattr__(self, 'columns', np.ascontiguousarray(points_part.T))
        object.__setattr__(self, 'outward', outward)

    def inside(self, low: Floats, high: Floats) -> NDArray[np.intp]:
        """Indices of the points in an upright box."""
        x, y, z = self.columns
        chosen = np.flatnonzero((x >= low[0]) & (x <= high[0]))
        for values, least, most in ((y, low[1], high[1]), (z, low[2], high[2])):
            own = values[chosen]
            chosen = chosen[(own >= least) & (own <= most)]
        return chosen


class PlaneTarget:
    """A nominally plane zone: where its points are, and its nominal plane."""

    def __init__(self, zone: SurfaceZone, reference: ReferenceMesh, search_m: float) -> None:
        """Learn the zone's place from the reference; DataError where it is not plane."""
        samples, triangles = _spread(reference)
        own = zone.contains(samples, triangles)
        if own.sum() < _MIN_SAMPLES:
            raise DataError(f'zone {zone.name} is too small to measure: {own.sum()} samples')
        self._zone = zone
        self._search_m = search_m
        surface = samples[own]
        self.centre_m: Floats = surface.mean(axis=0)
        mean_normal = reference.normals[triangles[own]].mean(axis=0)
        normal = np.linalg.svd(surface - self.centre_m, full_matrices=False)[2][2]
        self.normal: Floats = normal if normal @ mean_normal > 0.0 else -normal
        self._axes = frame_of(self.normal)
        local = (surface - self.centre_m) @ self._axes
        away_m = float(np.abs(local[:, 2]).max())
        if away_m > _PLANE_M:
            raise DataError(
                f'zone {zone.name} is not plane: it deviates by {away_m * 1e3:.2f} mm from a '
                f'plane, at most {_PLANE_M * 1e3:g} mm is allowed; narrow it with `facing`'
            )
        margin = 2.0 * _CELL_M + search_m
        self._box = (surface.min(axis=0) - margin, surface.max(axis=0) + margin)
        self._cells = self._classify(local[:, :2])

    def _classify(self, in_plane: Floats) -> NDArray[np.uint8]:
        """Which cells of the plane lie inside the zone, which outside, which on its border."""
        spans = np.ptp(in_plane, axis=0)
        self._cell_m = max(_CELL_M, float(spans.max()) / _MOST_CELLS)
        self._corner = in_plane.min(axis=0) - 3.0 * self._cell_m
        rows, columns = (int(span / self._cell_m) + 7 for span in spans)
        middles = np.moveaxis(np.indices((rows, columns)), 0, -1).reshape(-1, 2) + 0.5
        plane = self._corner + middles * self._cell_m
        own = self._zone.near(self.centre_m + plane @ self._axes[:, :2].T).reshape(rows, columns)
        cells = np.full(own.shape, _BORDER, dtype=np.uint8)
        around = np.lib.stride_tricks.sliding_window_view(np.pad(own, 1), (3, 3))
        cells[around.all(axis=(2, 3))] = _INSIDE
        cells[~around.any(axis=(2, 3))] = _OUTSIDE
        return cells

    def seen_share(self, points: Points) -> float:
        """Share of the zone that points (K, 3) on it cover, in blocks of some cells."""
        wide = max(self._cells.shape) * self._cell_m / _BLOCKS
        side = max(round(max(wide, _LEAST_BLOCK_M) / self._cell_m), 1)
        wanted = {tuple(block) for block in np.argwhere(self._cells == _INSIDE) // side}
        local = (points - self.centre_m) @ self._axes[:, :2]
        cells = ((local - self._corner) / self._cell_m).astype(np.intp)
        seen = {tuple(block) for block in np.unique(cells // side, axis=0)}
        return len(wanted & seen) / len(wanted) if wanted else 1.0

    def select(self, cloud: Cloud) -> Points:
        """(K, 3) the cloud's points on this zone.

        Points over a cell whose surroundings all lie in the zone are in it; only those beside
        its border are asked one by one, which is slow and exact.
        """
        near = cloud.inside(*self._box)
        local = (cloud.points_part[near] - self.centre_m) @ self._axes
        facing = cloud.outward[near] @ self.normal > _FACING
        kept = np.flatnonzero(facing & (np.abs(local[:, 2]) <= self._search_m))
        cell = ((local[kept, :2] - self._corner) / self._cell_m).astype(np.intp)
        fits = ((cell >= 0) & (cell < self._cells.shape)).all(axis=1)
        kept, cell = kept[fits], cell[fits]
        kinds = self._cells[cell[:, 0], cell[:, 1]]
        points = cloud.points_part[near[kept]]
        own = kinds == _INSIDE
        border = np.flatnonzero(kinds == _BORDER)
        if len(border):
            own[border] = self._zone.near(points[border])
        chosen: Points = points[own]
        return chosen


class BoreTarget:
    """A nominal bore: where the points of its wall are."""

    def __init__(self, bore: Bore) -> None:
        """Place the bore in the part frame."""
        self.axis: Floats = unit(bore.direction)
        self.radius_m = bore.diameter_mm / 2e3
        self.depth_m = bore.depth_mm / 1e3
        start = np.array(bore.axis_point_mm) / 1e3
        self.start_m, self.end_m = start, start + self.depth_m * self.axis
        self.middle_m = (self.start_m + self.end_m) / 2.0
        self._search_m = min(bore.search_mm / 1e3, 0.5 * self.radius_m)
        across = np.sqrt(np.clip(1.0 - self.axis**2, 0.0, None))
        reach = (self.radius_m + self._search_m) * across
        ends = np.stack([self.start_m, self.end_m])
        self._box = (ends.min(axis=0) - reach, ends.max(axis=0) + reach)

    def select(self, cloud: Cloud) -> Points:
        """(K, 3) the cloud's points on the wall: within the depth, facing the axis."""
        near = cloud.inside(*self._box)
        offsets = cloud.points_part[near] - self.middle_m
        along = offsets @ self.axis
        radial = offsets - along[:, None] * self.axis
        distance = np.linalg.norm(radial, axis=1)
        outward = cloud.outward[near]
        facing = np.einsum('ij,ij->i', outward, radial) < -_ACROSS * distance
        own = facing & (np.abs(outward @ self.axis) < _ACROSS)
        own &= np.abs(along) <= self.depth_m / 2.0
        own &= np.abs(distance - self.radius_m) <= self._search_m
        chosen: Points = cloud.points_part[near[own]]
        return chosen


def _spread(reference: ReferenceMesh) -> tuple[Points, NDArray[np.intp]]:
    """Points spread evenly over the surface, denser than the reference's own samples."""
    generator = np.random.default_rng(_SAMPLES)
    steps = (np.arange(_SAMPLES) + generator.random(_SAMPLES)) / _SAMPLES
    cumulative = np.cumsum(reference.areas)
    faces = np.searchsorted(cumulative, steps * cumulative[-1]).clip(max=len(cumulative) - 1)
    corners = reference.vertices[reference.triangles[faces]]
    u, v = np.sort(generator.random((2, _SAMPLES)), axis=0)
    parts = np.stack([u, v - u, 1.0 - v], axis=1)
    return np.einsum('ij,ijk->ik', parts, corners), faces
