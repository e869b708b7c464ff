"""Which surface points of a presented part a sensor of the cell really sees."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.cell import Camera, Cell, Scanner
from inspection_cell.errors import DataError
from inspection_cell.geometry import Intrinsics, Points, Transform, invert, transform_points
from inspection_cell.named_poses import needed_pose
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import Recipe
from inspection_cell.sim.body import Body

BORDER_PX = 8
NEAR_M = 2e-4  # a hit this near to the point is the point itself


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """One sensor as it stands to a part."""

    sensor: str
    is_scanner: bool
    intrinsics: Intrinsics
    transform_sensor_to_part: Transform

    def sees(
        self, body: Body, points: Points, normals: Points, max_incidence_rad: float
    ) -> NDArray[np.bool_]:
        """Which points (N, 3) with normals (N, 3) are in view, facing and not hidden."""
        eye = self.transform_sensor_to_part[:3, 3]
        towards = points - eye
        ranges = np.linalg.norm(towards, axis=1)
        towards /= ranges[:, None]
        seen: NDArray[np.bool_] = -np.einsum('ij,ij->i', towards, normals) > np.cos(
            max_incidence_rad
        )
        pixels = self.pixels(points)
        size = (self.intrinsics.width - 1, self.intrinsics.height - 1)
        with np.errstate(invalid='ignore'):
            inside = (pixels > BORDER_PX) & (pixels < np.array(size) - BORDER_PX)
        seen &= inside.all(axis=1)
        index = np.flatnonzero(seen)
        if len(index):
            rays = np.empty((len(index), 6), dtype=np.float32)
            rays[:, :3], rays[:, 3:] = eye, towards[index]
            seen[index] = body.hit_ranges(rays) > ranges[index] - NEAR_M
        return seen

    def faces(self, points: Points, normals: Points) -> NDArray[np.bool_]:
        """Which points (N, 3) turn their normals (N, 3) towards the sensor."""
        towards = self.transform_sensor_to_part[:3, 3] - points
        facing: NDArray[np.bool_] = np.einsum('ij,ij->i', towards, normals) > 0
        return facing

    def pixels(self, points: Points) -> NDArray[np.float64]:
        """Where points (N, 3) of the part appear: (N, 2)."""
        return self.intrinsics.project(
            transform_points(invert(self.transform_sensor_to_part), points)
        )


def viewpoint(
    cell: Cell, recipe: Recipe, view: ViewKey, transform_part_to_cell: Transform
) -> Viewpoint:
    """The viewpoint of one camera or scanner; raises DataError without intrinsics or pose."""
    sensor, described = view.sensor, cell.sensors[view.sensor]
    if not isinstance(described, Camera | Scanner) or described.intrinsics is None:
        raise DataError(
            f'{cell.path}: sensors.{sensor}: expected a camera or scanner with intrinsics'
        )
    sensor_to_cell = needed_pose(cell, recipe, view, 'the simulator')
    pose: Transform = invert(transform_part_to_cell) @ sensor_to_cell
    intrinsics = described.intrinsics.value()
    return Viewpoint(sensor, isinstance(described, Scanner), intrinsics, pose)


def viewpoints(cell: Cell, recipe: Recipe) -> Sequence[Viewpoint]:
    """All views of the recipe at its nominal poses."""
    return [
        viewpoint(cell, recipe, ViewKey(name, sensor), presentation.pose.transform())
        for name, presentation in recipe.file.presentations.items()
        for sensor in presentation.sensors
        if isinstance(cell.sensors[sensor], Camera | Scanner)
    ]
