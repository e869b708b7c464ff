"""The window of an image that holds the part: all that the detector looks at, at full resolution.

Pixels beside the part cost time and can only give false alarms. The size of a view's window
follows from the pose that the recipe names: networks are compiled for few sizes, before the first
part. Its place follows from the pose that the robot reports. A part that does not fit into its
window is looked for in the whole image.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from inspection_cell.geometry import Intrinsics, Points, Transform, invert, transform_points
from inspection_cell.observations import Observation
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh

MARGIN_PX = 32  # beside the part at the pose that the recipe names
LEAST_MARGIN_PX = 16  # beside the part at the pose that is reported
STEP_PX = 128  # sides are multiples: few sizes
WORTH = 0.85  # of the image's pixels, from which on it is taken whole


class PartWindows:
    """Windows (4,) x0, y0, x1, y1 of the views of one part type."""

    def __init__(self, recipe: Recipe, reference: ReferenceMesh | None) -> None:
        """Take what is known of the part."""
        detection = recipe.file.detection
        wanted = detection is not None and detection.window == 'part'
        # Scaled to one size, a window would show the part larger than the image does.
        self._used = wanted and detection is not None and detection.image_size is None
        self._reference = reference
        self._poses = {
            name: held.pose.transform() for name, held in recipe.file.presentations.items()
        }
        self._sizes: dict[tuple[str, Intrinsics, bytes], tuple[int, int] | None] = {}

    def of(self, observation: Observation) -> NDArray[np.intp] | None:
        """The window of a view; None for the whole image."""
        camera = observation.intrinsics
        if camera is None:
            return None
        presentation, sensor = observation.view.presentation, observation.transform_sensor_to_cell
        size = self.size(presentation, camera, sensor)
        if size is None:
            return None
        bounds = self._bounds(camera, observation.transform_part_to_sensor, LEAST_MARGIN_PX)
        if bounds is None or (bounds[2:] - bounds[:2] > size).any():
            return None
        image = np.array([camera.width, camera.height])
        middle = (bounds[:2] + bounds[2:] - size) // 2
        corner = middle.clip(0, image - size)
        window: NDArray[np.intp] = np.concatenate([corner, corner + size])
        return window

    def size(
        self, presentation: str, camera: Intrinsics, transform_sensor_to_cell: Transform
    ) -> tuple[int, int] | None:
        """Width and height of a view's window, pixels; None for the whole image."""
        if not self._used or self._reference is None or presentation not in self._poses:
            return None
        key = presentation, camera, transform_sensor_to_cell.tobytes()
        if key not in self._sizes:
            pose = invert(transform_sensor_to_cell) @ self._poses[presentation]
            self._sizes[key] = self._size(camera, pose)
        return self._sizes[key]

    def _size(self, camera: Intrinsics, pose: Transform) -> tuple[int, int] | None:
        bounds = self._bounds(camera, pose, MARGIN_PX)
        if bounds is None:
            return None
        width, height = (bounds[2:] - bounds[:2]).tolist()
        width = min(width + -width % STEP_PX, camera.width)
        height = min(height + -height % STEP_PX, camera.height)
        is_worth_it = width * height <= WORTH * camera.width * camera.height
        return (width, height) if is_worth_it else None

    def _bounds(
        self, camera: Intrinsics, pose: Transform, margin_px: int
    ) -> NDArray[np.intp] | None:
        """(4,) what the part covers of the image, with a margin; None: nothing, or who knows."""
        pixels = camera.project(transform_points(pose, self._hull))
        if not np.isfinite(pixels).all():
            return None
        low, high = np.floor(pixels.min(axis=0)), np.ceil(pixels.max(axis=0))
        limits = np.array([camera.width, camera.height])
        corners = np.concatenate([low - margin_px, high + margin_px]).clip(0, np.tile(limits, 2))
        bounds: NDArray[np.intp] = corners.astype(np.intp)
        return bounds if (bounds[2:] > bounds[:2]).all() else None

    @cached_property
    def _hull(self) -> Points:
        """What bounds the part in every image."""
        assert self._reference is not None
        vertices = self._reference.vertices
        if np.linalg.matrix_rank(vertices - vertices[0]) < 3:  # a sheet has no hull
            return vertices
        hull: Points = vertices[ConvexHull(vertices).vertices]
        return hull
