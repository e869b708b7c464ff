"""What each camera of a cell sees of one part type, kept between parts.

Whether a place faces the camera, lies in the image, is sharp and large enough is computed at the
pose that was really held, every time. Only what hides it is kept: shadows that the part casts on
itself hardly move with a small error of the robot, and rays are what takes long.

Shadows are kept for the poses that recipe and cell name, not for those of the last part: so what
was seen depends on nothing but this part (a replay gives the same verdict).
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from inspection_cell.cell import Cell
from inspection_cell.errors import DataError
from inspection_cell.fusion.places import Places, places_of
from inspection_cell.fusion.visibility import CameraView, focus_m
from inspection_cell.geometry import Points, Transform, invert
from inspection_cell.named_poses import named_pose
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh

LEAST_DEPTH = 0.25  # of the part's diagonal: shadows count as at least so deep


class VisibilityCache:
    """Which places of a part the cameras see; one for each recipe, held by who inspects parts.

    It may be shared by threads: what two of them compute at once is the same.

    Attributes:
        places: of the reference and of the zones of which coverage is demanded.
        reused: how many views took their shadows from the named pose.
        cast: how many views stood so far from it that they were cast anew.
    """

    def __init__(self, recipe: Recipe, reference: ReferenceMesh, cell: Cell | None = None) -> None:
        """Spread the places; shadows are computed when a view first needs them.

        Args:
            recipe: says what counts as seen, and where the part is held.
            reference: of this recipe.
            cell: where its sensors stand; None: nothing is kept, every view is cast.
        """
        demand = recipe.file.coverage
        self._recipe = recipe
        self._reference = reference
        self._cell = cell
        self._max_incidence_rad = float(np.deg2rad(demand.max_incidence_deg))
        self._min_pixels_per_m = 1000.0 * demand.min_pixels_per_mm
        self._shadows: dict[ViewKey, _Shadows | None] = {}
        self.places: Places = places_of(
            reference, {name: recipe.file.zones[name] for name in demand.zones}
        )
        self.reused = 0
        self.cast = 0

    def prepare(self) -> None:
        """Cast the shadows of every camera view now rather than with the first part."""
        for name, held in self._recipe.file.presentations.items():
            for sensor in held.sensors:
                if self._cell is not None and sensor in self._cell.cameras:
                    self._shadows_of(ViewKey(name, sensor))

    def check(self, recipe: Recipe, reference: ReferenceMesh) -> None:
        """Raise DataError when it was made for another recipe or reference."""
        own = (self._recipe.sha256, self._reference.sha256)
        if own != (recipe.sha256, reference.sha256):
            raise DataError(
                f'{recipe.path}: expected what was kept of this recipe and reference, got that of '
                f'{self._recipe.path}'
            )

    def seen(self, camera: CameraView) -> NDArray[np.bool_]:
        """(N,) which places a valid view saw; the focus of the cell's camera counts too."""
        if camera.focus_m is None and self._cell is not None:
            camera = replace(camera, focus_m=focus_m(self._cell, camera.view.sensor))
        shadows = self._shadows_of(camera.view)
        least = self._min_pixels_per_m
        if shadows is None or not shadows.hold(camera.transform_part_to_sensor):
            self.cast += 1
            places = (self.places.points, self.places.normals, self._max_incidence_rad)
            return camera.sees(self._reference, *places, min_pixels_per_m=least)
        self.reused += 1
        seen = np.zeros(len(self.places.points), dtype=np.bool_)
        lit = (shadows.points, shadows.normals, self._max_incidence_rad)
        seen[shadows.rows] = camera.shows(*lit, min_pixels_per_m=least)
        return seen

    def _shadows_of(self, view: ViewKey) -> '_Shadows | None':
        if view not in self._shadows:
            self._shadows[view] = self._at_named_pose(view)
        return self._shadows[view]

    def _at_named_pose(self, view: ViewKey) -> '_Shadows | None':
        held = self._recipe.file.presentations.get(view.presentation)
        if held is None or self._cell is None or view.sensor not in self._cell.posed_sensors:
            return None
        sensor_to_cell = named_pose(self._cell, self._recipe, view)
        if sensor_to_cell is None:
            return None
        transform_part_to_sensor = invert(sensor_to_cell) @ held.pose.transform()
        return _shadows(self._reference, self.places, transform_part_to_sensor)


@dataclass(frozen=True, slots=True)
class _Shadows:
    """Which places nothing hides from one eye.

    Attributes:
        eye: (3,) part frame, metres.
        rows: (L,) the places to which the line of sight is free.
        points: (L, 3) these places, part frame, metres.
        normals: (L, 3) outward there.
        limit_m: how far the eye may stand from `eye`.
    """

    eye: Points
    rows: NDArray[np.intp]
    points: Points
    normals: Points
    limit_m: float

    def hold(self, transform_part_to_sensor: Transform) -> bool:
        """Whether they serve a sensor that stands so; turning it does not move them."""
        moved_m = np.linalg.norm(invert(transform_part_to_sensor)[:3, 3] - self.eye)
        return bool(moved_m <= self.limit_m)


def _shadows(
    reference: ReferenceMesh, places: Places, transform_part_to_sensor: Transform
) -> _Shadows:
    """Cast a ray at every place, and find how far the eye may move.

    A shadow that falls `depth` behind an edge at `range` moves by `depth / range` of what the eye
    moves. Within half the spacing of the places it belongs to the same places still.
    """
    eye = invert(transform_part_to_sensor)[:3, 3]
    sight = places.points - eye
    ranges_m = np.linalg.norm(sight, axis=1)
    lit = np.zeros(len(sight), dtype=np.bool_)
    facing = np.flatnonzero(np.einsum('ij,ij->i', sight, places.normals) < 0.0)
    lit[facing] = reference.visible(
        places.points[facing], places.normals[facing], transform_part_to_sensor, np.pi / 2
    )
    hidden = facing[~lit[facing]]
    hits_m, _ = reference.cast_from(eye[None], sight[hidden] / ranges_m[hidden, None])
    nearest_m = float(ranges_m.min())
    deepest_m = float(
        np.max(ranges_m[hidden] - hits_m, initial=LEAST_DEPTH * reference.diagonal_m)
    )
    limit_m = places.spacing_m / 2.0 * nearest_m / deepest_m
    rows = np.flatnonzero(lit)
    return _Shadows(eye, rows, places.points[rows], places.normals[rows], limit_m)
