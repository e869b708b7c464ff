"""The window of an image that holds the part: all that the detector looks at, at full resolution.

Pixels beside the part cost time and can only give false alarms. The size of a view's window
follows from the pose that the recipe names: networks are compiled for few sizes, before the first
part. Its place follows from the pose that was really held. A part that does not fit into its
window is looked for in the whole image, and so is one before a camera that has no named pose.
"""

import numpy as np
from numpy.typing import NDArray

from inspection_cell.cell import Cell
from inspection_cell.geometry import Intrinsics, Points, Transform, invert, transform_points
from inspection_cell.named_poses import named_pose
from inspection_cell.observations import Observation, ViewKey
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh

MARGIN_PX = 32  # beside the part at the pose that the recipe names
LEAST_MARGIN_PX = 16  # beside the part at the pose that is reported
STEP_PX = 32  # sides are multiples, as the network needs them anyway: few sizes
SAME_RAY_COS = 1.0 - 1e-6  # about 0.1°
WORTH = 0.85  # of the image's pixels, from which on it is taken whole


def image_bounds(
    reference: ReferenceMesh,
    camera: Intrinsics,
    transform_part_to_sensor: Transform,
    margin_px: int,
) -> NDArray[np.intp] | None:
    """(4,) x0, y0, x1, y1 of what the part covers of an image, with a margin.

    Returns:
        None where it covers nothing, and where its projection cannot be trusted: behind the
        camera, and where the distortion folds what lies outside the image into it.
    """
    points = transform_points(transform_part_to_sensor, reference.outermost)
    pixels = camera.project(points)
    if not np.isfinite(pixels).all():
        return None
    if not unfolded(camera, points, pixels).all():
        return None
    low, high = np.floor(pixels.min(axis=0)), np.ceil(pixels.max(axis=0))
    limits = np.tile(camera.size, 2)
    corners = np.concatenate([low - margin_px, high + margin_px]).clip(0, limits)
    bounds: NDArray[np.intp] = corners.astype(np.intp)
    return bounds if (bounds[2:] > bounds[:2]).all() else None


def unfolded(
    camera: Intrinsics, points_camera: Points, pixels: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Whether pixels (N, 2) show these points (N, 3): far outside, lens models fold back in."""
    along = np.einsum('ij,ij->i', camera.rays(pixels), points_camera)
    same: NDArray[np.bool_] = along / np.linalg.norm(points_camera, axis=1) >= SAME_RAY_COS
    return same


class PartWindows:
    """Windows (4,) x0, y0, x1, y1 of the views of one part type."""

    def __init__(
        self, recipe: Recipe, reference: ReferenceMesh | None, cell: Cell | None = None
    ) -> None:
        """Take what is known of the part.

        Args:
            recipe: says where the part is held.
            reference: its shape; None: the whole image is looked at.
            cell: says where the cameras are; None: where each observation says.
        """
        self._recipe = recipe
        self._cell = cell
        detection = recipe.file.detection
        # Scaled to one size, a window would show the part larger than the image does.
        used = detection and detection.window == 'part' and detection.image_size is None
        self._reference = reference if used else None
        self._poses = {
            name: held.pose.transform() for name, held in recipe.file.presentations.items()
        }
        self._sizes: dict[tuple[str, Intrinsics, bytes], tuple[int, int] | None] = {}

    def of(self, observation: Observation) -> NDArray[np.intp] | None:
        """The window of a view; None for the whole image."""
        camera = observation.intrinsics
        if camera is None:
            return None
        part_to_sensor = observation.transform_part_to_sensor
        sensor_to_cell = observation.transform_sensor_to_cell
        return self.at(observation.view, camera, part_to_sensor, sensor_to_cell)

    def at(
        self,
        view: ViewKey,
        camera: Intrinsics,
        transform_part_to_sensor: Transform,
        transform_sensor_to_cell: Transform | None,
    ) -> NDArray[np.intp] | None:
        """The window of a view at the poses that were reported; None for the whole image."""
        if self._cell is not None:
            size = self.named_size(view, camera)
        elif transform_sensor_to_cell is not None:
            size = self.size(view.presentation, camera, transform_sensor_to_cell)
        else:
            size = None
        if size is None or self._reference is None:
            return None
        bounds = image_bounds(self._reference, camera, transform_part_to_sensor, LEAST_MARGIN_PX)
        if bounds is None or (bounds[2:] - bounds[:2] > size).any():
            return None
        image = np.array(camera.size)
        middle = (bounds[:2] + bounds[2:] - size) // 2
        corner = middle.clip(0, image - size)
        window: NDArray[np.intp] = np.concatenate([corner, corner + size])
        return window

    def named_size(self, view: ViewKey, camera: Intrinsics) -> tuple[int, int] | None:
        """The size with the camera where recipe and cell name it, however it is moved."""
        known = self._cell is not None and view.sensor in self._cell.cameras
        pose = named_pose(self._cell, self._recipe, view) if self._cell and known else None
        return None if pose is None else self.size(view.presentation, camera, pose)

    def size(
        self, presentation: str, camera: Intrinsics, transform_sensor_to_cell: Transform
    ) -> tuple[int, int] | None:
        """Width and height of a view's window, pixels; None for the whole image."""
        if self._reference is None or presentation not in self._poses:
            return None
        key = presentation, camera, transform_sensor_to_cell.tobytes()
        if key not in self._sizes:
            pose = invert(transform_sensor_to_cell) @ self._poses[presentation]
            self._sizes[key] = _size(self._reference, camera, pose)
        return self._sizes[key]


def _size(reference: ReferenceMesh, camera: Intrinsics, pose: Transform) -> tuple[int, int] | None:
    bounds = image_bounds(reference, camera, pose, MARGIN_PX)
    if bounds is None:
        return None
    width, height = (bounds[2:] - bounds[:2]).tolist()
    width = min(width + -width % STEP_PX, camera.width)
    height = min(height + -height % STEP_PX, camera.height)
    is_worth_it = width * height <= WORTH * camera.width * camera.height
    return (width, height) if is_worth_it else None
