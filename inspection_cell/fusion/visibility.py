"""How well a camera would have seen a place on the part, had there been something."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.cell import Camera, Cell
from inspection_cell.geometry import Intrinsics, Points, Transform, invert, transform_points
from inspection_cell.observations import ViewKey
from inspection_cell.reference import ReferenceMesh

_BEYOND = 1.05  # of the tangent to the image's farthest border: lens models fold back out there


@dataclass(frozen=True, slots=True)
class CameraView:
    """A valid camera view with its geometry.

    Attributes:
        focus_m: nearest and farthest distance along the optical axis that is sharp, metres; None:
            everything is.
        window: (4,) x0, y0, x1, y1 of what was looked at, pixels; None: all of the image, or of
            the part.
    """

    view: ViewKey
    camera: Intrinsics
    transform_part_to_sensor: Transform
    focus_m: tuple[float, float] | None = None
    window: NDArray[np.intp] | None = None

    def sees(
        self,
        reference: ReferenceMesh,
        points: Points,
        normals: Points,
        max_incidence_rad: float,
        *,
        min_pixels_per_m: float = 0.0,
    ) -> NDArray[np.bool_]:
        """Which surface points (N, 3), part frame, are shown (see `shows`) and not occluded."""
        seen = self.shows(points, normals, max_incidence_rad, min_pixels_per_m=min_pixels_per_m)
        rows = np.flatnonzero(seen)
        if len(rows):
            seen[rows] = reference.visible(
                points[rows], normals[rows], self.transform_part_to_sensor, max_incidence_rad
            )
        return seen

    def shows(
        self,
        points: Points,
        normals: Points,
        max_incidence_rad: float,
        *,
        min_pixels_per_m: float = 0.0,
    ) -> NDArray[np.bool_]:
        """Which points (N, 3) would be seen if nothing hid them.

        They face the camera, lie in the image, are sharp and large enough.
        """
        shown = self.faces(points, normals, max_incidence_rad)
        rows = np.flatnonzero(shown)
        shown[rows] = self.inside(points[rows]) & self.sharp(points[rows])
        if min_pixels_per_m > 0.0:
            rows = np.flatnonzero(shown)
            shown[rows] = self.resolution(points[rows], normals[rows]) >= min_pixels_per_m
        return shown

    def faces(
        self, points: Points, normals: Points, max_incidence_rad: float
    ) -> NDArray[np.bool_]:
        """Which points (N, 3) are met by the line of sight at no more than this angle."""
        facing: NDArray[np.bool_] = self._looked_at(points, normals)[0] > np.cos(max_incidence_rad)
        return facing

    def inside(self, points: Points) -> NDArray[np.bool_]:
        """Which points (N, 3), part frame, fall into what was looked at of the image."""
        points_camera = transform_points(self.transform_part_to_sensor, points)
        u, v = self.camera.project(points_camera).T
        left, top, right, bottom = (
            (0, 0, *self.camera.size) if self.window is None else self.window
        )
        inside = (u >= left - 0.5) & (u < right - 0.5) & (v >= top - 0.5) & (v < bottom - 0.5)
        x, y, z = points_camera.T
        inside &= x * x + y * y <= np.square(_BEYOND * self._widest() * z)
        return np.asarray(inside, dtype=np.bool_)

    def sharp(self, points: Points) -> NDArray[np.bool_]:
        """Which points (N, 3), part frame, lie within the camera's focus."""
        if self.focus_m is None:
            return np.ones(len(points), dtype=np.bool_)
        depths = transform_points(self.transform_part_to_sensor, points)[:, 2]
        sharp: NDArray[np.bool_] = (depths >= self.focus_m[0]) & (depths <= self.focus_m[1])
        return sharp

    def resolution(self, points: Points, normals: Points) -> NDArray[np.float64]:
        """Pixels per metre (N,) of surface along the foreshortened direction; 0 from behind.

        The least of all directions on the axis of a pinhole camera; beside the axis it has more.
        """
        cosines, ranges = self._looked_at(points, normals)
        focal = min(self.camera.fx, self.camera.fy)
        pixels: NDArray[np.float64] = np.clip(cosines, 0.0, 1.0) * focal / ranges
        return pixels

    def _widest(self) -> float:
        """Tangent of the angle from the optical axis to the farthest of the image's border."""
        right, bottom = self.camera.width - 0.5, self.camera.height - 0.5
        columns, rows = (-0.5, (right - 0.5) / 2.0, right), (-0.5, (bottom - 0.5) / 2.0, bottom)
        rays = self.camera.rays([(x, y) for x in columns for y in rows])
        return float((np.hypot(rays[:, 0], rays[:, 1]) / rays[:, 2]).max())

    def _looked_at(
        self, points: Points, normals: Points
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Cosine of the angle of incidence (N,) and distance (N,), metres."""
        sight = points - invert(self.transform_part_to_sensor)[:3, 3]
        ranges = np.sqrt(np.einsum('ij,ij->i', sight, sight))
        return -np.einsum('ij,ij->i', sight, normals) / ranges, ranges


def focus_m(cell: Cell, sensor: str) -> tuple[float, float] | None:
    """Nearest and farthest distance that is sharp for a camera of the cell, metres."""
    camera = cell.sensors.get(sensor)
    if not isinstance(camera, Camera) or camera.focus_mm is None:
        return None
    return camera.focus_mm[0] / 1000.0, camera.focus_mm[1] / 1000.0


@dataclass(frozen=True, slots=True)
class Sightings:
    """Who would have seen which places, and how large.

    Attributes:
        seen: (V, N) whether the place is visible.
        resolution: (V, N) pixels per metre.
    """

    views: tuple[ViewKey, ...]
    seen: NDArray[np.bool_]
    resolution: NDArray[np.float64]


def sightings(
    reference: ReferenceMesh,
    cameras: Sequence[CameraView],
    points: Points,
    normals: Points,
    max_incidence_rad: float,
    *,
    min_pixels_per_m: float = 0.0,
) -> Sightings:
    """Visibility of N places in V camera views; a place with normal 0 0 0 is visible to none."""
    seen = np.zeros((len(cameras), len(points)), dtype=np.bool_)
    resolution = np.zeros((len(cameras), len(points)))
    for row, camera in enumerate(cameras):
        seen[row] = camera.sees(
            reference, points, normals, max_incidence_rad, min_pixels_per_m=min_pixels_per_m
        )
        resolution[row] = camera.resolution(points, normals)
    return Sightings(tuple(camera.view for camera in cameras), seen, resolution)
