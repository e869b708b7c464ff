"""How well a camera would have seen a place on the part, had there been something."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.geometry import (
    Intrinsics,
    Points,
    Transform,
    rotate_vectors,
    transform_points,
)
from inspection_cell.observations import ViewKey
from inspection_cell.reference import ReferenceMesh


@dataclass(frozen=True, slots=True)
class CameraView:
    """A valid camera view with its geometry."""

    view: ViewKey
    camera: Intrinsics
    transform_part_to_sensor: Transform

    def sees(
        self, reference: ReferenceMesh, points: Points, normals: Points, max_incidence_rad: float
    ) -> NDArray[np.bool_]:
        """Which surface points (N, 3), part frame, are in the image, facing and not occluded."""
        inside = self.inside(points)
        seen = np.zeros(len(points), dtype=np.bool_)
        if inside.any():
            seen[inside] = reference.visible(
                points[inside], normals[inside], self.transform_part_to_sensor, max_incidence_rad
            )
        return seen

    def inside(self, points: Points) -> NDArray[np.bool_]:
        """Which points (N, 3), part frame, fall into the image."""
        pixels = self.camera.project(transform_points(self.transform_part_to_sensor, points))
        size = np.array((self.camera.width, self.camera.height))
        inside = np.logical_and(pixels >= -0.5, pixels < size - 0.5)
        return np.asarray(inside.all(axis=1), dtype=np.bool_)

    def resolution(self, points: Points, normals: Points) -> NDArray[np.float64]:
        """Pixels per metre (N,) of surface along the foreshortened direction; 0 from behind."""
        points_camera = transform_points(self.transform_part_to_sensor, points)
        normals_camera = rotate_vectors(self.transform_part_to_sensor, normals)
        ranges = np.linalg.norm(points_camera, axis=1)
        cosines = -np.einsum('ij,ij->i', points_camera, normals_camera) / ranges
        pixels: NDArray[np.float64] = np.clip(cosines, 0.0, 1.0) * self.camera.fx / ranges
        return pixels


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
) -> Sightings:
    """Visibility of N places in V camera views; a place with normal 0 0 0 is visible to none."""
    seen = np.zeros((len(cameras), len(points)), dtype=np.bool_)
    resolution = np.zeros((len(cameras), len(points)))
    for row, camera in enumerate(cameras):
        seen[row] = camera.sees(reference, points, normals, max_incidence_rad)
        resolution[row] = camera.resolution(points, normals)
    return Sightings(tuple(camera.view for camera in cameras), seen, resolution)
