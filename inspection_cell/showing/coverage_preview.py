"""What the sensors of a cell can see of a part in its presentations, before anything is built."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inspection_cell.cell import Camera, Cell, Scanner
from inspection_cell.errors import DataError
from inspection_cell.findings import Coverage
from inspection_cell.fusion.admission import required_views
from inspection_cell.fusion.coverage import SeenBy, judged_coverage
from inspection_cell.fusion.places import Places, places_of
from inspection_cell.fusion.visibility import CameraView, focus_m
from inspection_cell.geometry import Intrinsics, Points, Transform, invert
from inspection_cell.named_poses import needed_pose
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import Recipe, check_fit
from inspection_cell.reference import ReferenceMesh
from inspection_cell.zones import resolve_zones

REASONS = (
    'turned away from every sensor',
    'outside every image',
    'out of focus or too coarse',
    'hidden by the part itself',
)
LEAST_SHARE = 0.002  # of the surface: smaller unseen areas are not named
_ANY = Intrinsics(1, 1, 1.0, 1.0, 0.0, 0.0)  # only asked for what does not depend on it


@dataclass(frozen=True, slots=True)
class NamedView:
    """One camera or scanner at the pose that recipe and cell name.

    Attributes:
        camera: None where the field of view is not known: then all that faces it counts.
        min_pixels_per_m: what the recipe demands of a camera; 0 for a scanner.
    """

    view: ViewKey
    is_scanner: bool
    transform_part_to_sensor: Transform
    camera: CameraView | None
    min_pixels_per_m: float

    @property
    def note(self) -> str:
        """What the preview had to assume; empty where it knows all."""
        return '' if self.camera else 'no intrinsics in the cell: its field of view is not known'

    def reached(
        self, reference: ReferenceMesh, points: Points, normals: Points, max_incidence_rad: float
    ) -> NDArray[np.int64]:
        """(N,) how far places come: which of `REASONS` stops them; `len(REASONS)` is seen."""
        pose, limit = self.transform_part_to_sensor, max_incidence_rad
        camera = self.camera or CameraView(self.view, _ANY, pose)
        reached = camera.faces(points, normals, limit).astype(np.int64)
        rows = np.flatnonzero(reached)
        if self.camera is not None:
            rows = rows[camera.inside(points[rows])]
        reached[rows] = 2
        if self.camera is not None:
            rows = rows[camera.sharp(points[rows])]
            large = camera.resolution(points[rows], normals[rows]) >= self.min_pixels_per_m
            rows = rows[large]
        reached[rows] = 3
        if len(rows):
            rows = rows[reference.visible(points[rows], normals[rows], pose, limit)]
        reached[rows] = len(REASONS)
        return reached


@dataclass(frozen=True, slots=True)
class Unseen:
    """A part of the surface that nobody sees."""

    where: str
    area_cm2: float
    why: str

    def __str__(self) -> str:
        """`facing -z: 58.4 cm², turned away from every sensor`."""
        return f'{self.where}: {self.area_cm2:.1f} cm², {self.why}'


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be covered, were every view valid and every pose exact.

    Attributes:
        views: of cameras and scanners, in the recipe's order.
        shares: (V,) of the surface that each sees.
        coverage: as the verdict would have it.
        zone_shares: of each zone of the recipe that enough views see.
        unseen: what nobody sees, the largest first.
    """

    recipe: Recipe
    cell: Cell
    reference: ReferenceMesh
    views: tuple[NamedView, ...]
    shares: tuple[float, ...]
    coverage: Coverage
    zone_shares: dict[str, float]
    unseen: tuple[Unseen, ...]

    def seen_by(self, points: Points, normals: Points) -> SeenBy:
        """How many of the views see places (N, 3) of the surface with normals (N, 3)."""
        return _seen_by(self.recipe, self.views, self._reached(points, normals))

    def _reached(self, points: Points, normals: Points) -> NDArray[np.int64]:
        return _reached(self.recipe, self.reference, self.views, points, normals)


def preview(recipe: Recipe, cell: Cell, reference: ReferenceMesh | None) -> Preview:
    """Look at the part from every view of the recipe, at the poses that the files name.

    Raises:
        ConfigError: for a recipe that does not fit the cell, and zones without surface.
        DataError: for a recipe without a reference mesh, one that no posed sensor looks at, and a
            sensor of which only TF knows the pose.
    """
    check_fit(recipe, cell)
    views = _views(recipe, cell)
    if reference is None or not views:
        lacks = 'a reference mesh' if reference is None else 'a camera or a scanner'
        raise DataError(f'{recipe.path}: the preview needs {lacks}')
    resolve_zones(recipe, reference)
    places = places_of(reference, recipe.file.zones)
    reached = _reached(recipe, reference, views, places.points, places.normals)
    seen = _seen_by(recipe, views, reached)
    shares = tuple(places.share(row == len(REASONS)) for row in reached)
    zone_shares = {}
    for name in recipe.file.zones:
        by, enough = recipe.file.coverage.of_zone(name)
        zone_shares[name] = places.share(seen.views(by) >= enough, name)
    return Preview(
        recipe,
        cell,
        reference,
        views,
        shares,
        judged_coverage(recipe, places, seen),
        zone_shares,
        _unseen(reference, places, reached[_counted(recipe, views)]),
    )


def _views(recipe: Recipe, cell: Cell) -> tuple[NamedView, ...]:
    views = []
    for key in required_views(recipe):
        sensor = cell.sensors[key.sensor]
        if isinstance(sensor, Camera | Scanner):
            held = recipe.file.presentations[key.presentation].pose.transform()
            pose: Transform = invert(needed_pose(cell, recipe, key, 'the preview')) @ held
            focus = focus_m(cell, key.sensor)
            known = sensor.intrinsics
            camera = CameraView(key, known.value(), pose, focus) if known else None
            is_scanner = isinstance(sensor, Scanner)
            pixels = 0.0 if is_scanner else 1000.0 * recipe.file.coverage.min_pixels_per_mm
            views.append(NamedView(key, is_scanner, pose, camera, pixels))
    return tuple(views)


def _reached(
    recipe: Recipe,
    reference: ReferenceMesh,
    views: Sequence[NamedView],
    points: Points,
    normals: Points,
) -> NDArray[np.int64]:
    """(V, N) how far each place comes in each view."""
    limit = float(np.radians(recipe.file.coverage.max_incidence_deg))
    return np.stack([view.reached(reference, points, normals, limit) for view in views])


def _seen_by(recipe: Recipe, views: Sequence[NamedView], reached: NDArray[np.int64]) -> SeenBy:
    """Counts of the views that see each place; scans that are judged together are one view."""
    seen = reached == len(REASONS)
    scanners = np.array([view.is_scanner for view in views])
    joint = np.array([view.view in recipe.file.joint_scans for view in views])
    alone = seen[scanners & ~joint].sum(axis=0)
    return SeenBy(seen[~scanners].sum(axis=0), alone + seen[joint].any(axis=0))


def _counted(recipe: Recipe, views: Sequence[NamedView]) -> NDArray[np.bool_]:
    """(V,) the views of the sensors that count for the whole part."""
    by = recipe.file.coverage.by
    return np.array([by == 'any' or view.is_scanner == (by == 'scanner') for view in views])


def _unseen(
    reference: ReferenceMesh, places: Places, reached: NDArray[np.int64]
) -> tuple[Unseen, ...]:
    """What no view sees, by the axis that it faces, and why most of it is not seen."""
    best = reached.max(axis=0, initial=0)[: places.whole]
    normals = places.normals[: places.whole]
    axis = np.abs(normals).argmax(axis=1)
    towards = 2 * axis + (normals[np.arange(len(normals)), axis] < 0)
    area_cm2 = float(reference.areas.sum()) * 1e4
    found = []
    for way in range(6):
        own = best[(towards == way) & (best < len(REASONS))]
        share = len(own) / places.whole
        if share >= LEAST_SHARE:
            why = REASONS[int(np.bincount(own).argmax())]
            name = f'facing {"+-"[way % 2]}{"xyz"[way // 2]}'
            found.append(Unseen(name, share * area_cm2, why))
    return tuple(sorted(found, key=lambda one: -one.area_cm2))
