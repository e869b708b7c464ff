"""The planes and cylinders of one scan that measurements are made of."""

from collections.abc import Mapping

import numpy as np

from inspection_cell.geometry import Points
from inspection_cell.surface.features.cylinders import Cylinder, fit_cylinder
from inspection_cell.surface.features.measured import UnmeasurableError
from inspection_cell.surface.features.planes import Plane, fit_plane
from inspection_cell.surface.features.selection import BoreTarget, Cloud, PlaneTarget

MIN_POINTS = 100
MIN_TURN_DEG = 120.0
MIN_DEPTH_SHARE = 0.25
MIN_ZONE_SHARE = 0.8  # a corner of a face is flatter than the face
_SECTORS = 72  # of the turn, to see how much of it the points cover
_SECTOR_SHARE = 0.2  # of the usual count: a few flying points do not make a sector seen


class Elements:
    """One scan's planes and cylinders, each selected and fitted once, when it is asked for."""

    def __init__(
        self, cloud: Cloud, planes: Mapping[str, PlaneTarget], bores: Mapping[str, BoreTarget]
    ) -> None:
        """Keep the scan and where things are on the part."""
        self._cloud = cloud
        self._plane_targets = planes
        self._bore_targets = bores
        self._planes: dict[str, tuple[Plane, Points]] = {}
        self._cylinders: dict[str, Cylinder] = {}

    def plane(self, zone: str) -> tuple[Plane, Points]:
        """The plane of a zone and its points (N, 3); UnmeasurableError when too few are seen."""
        if zone not in self._planes:
            target = self._plane_targets[zone]
            points = target.select(self._cloud)
            _check_count(len(points), f'in zone {zone}')
            self._planes[zone] = fit_plane(points, target.centre_m, target.normal), points
        return self._planes[zone]

    def check_whole(self, zone: str) -> None:
        """Raise UnmeasurableError where too little of a zone is seen to speak for all of it."""
        points = self.plane(zone)[1]
        share = self._plane_targets[zone].seen_share(points)
        if share < MIN_ZONE_SHARE:
            raise UnmeasurableError(
                f'{share:.0%} of zone {zone} is seen; at least {MIN_ZONE_SHARE:.0%} needed',
                len(points),
            )

    def cylinder(self, bore: str) -> Cylinder:
        """The cylinder of a bore; UnmeasurableError when too little of its wall is seen."""
        if bore not in self._cylinders:
            target = self._bore_targets[bore]
            points = target.select(self._cloud)
            _check_count(len(points), f'on the wall of {bore}')
            _check_depth(points, target)
            cylinder = fit_cylinder(points, target.middle_m, target.axis, target.radius_m)
            _check_turn(points, cylinder)
            self._cylinders[bore] = cylinder
        return self._cylinders[bore]

    def of(self, name: str) -> Plane | Cylinder:
        """The element of a zone or a bore; UnmeasurableError when too little is seen."""
        return self.cylinder(name) if name in self._bore_targets else self.plane(name)[0]


def _check_count(count: int, where: str) -> None:
    if count < MIN_POINTS:
        raise UnmeasurableError(
            f'only {count} points {where}, at least {MIN_POINTS} needed', count
        )


def _check_depth(points: Points, target: BoreTarget) -> None:
    low_m, high_m = np.quantile((points - target.middle_m) @ target.axis, [0.02, 0.98])
    needed_m = MIN_DEPTH_SHARE * target.depth_m
    if high_m - low_m < needed_m:
        raise UnmeasurableError(
            f'the wall is seen over {(high_m - low_m) * 1e3:.1f} mm of its depth only; '
            f'at least {needed_m * 1e3:.1f} mm needed',
            len(points),
        )


def _check_turn(points: Points, cylinder: Cylinder) -> None:
    across = (points - cylinder.point_m) @ cylinder.axes[:, :2]
    turns = np.arctan2(across[:, 1], across[:, 0]) / (2.0 * np.pi) + 0.5
    counts = np.bincount((turns * _SECTORS).astype(np.intp) % _SECTORS, minlength=_SECTORS)
    enough = max(1.0, _SECTOR_SHARE * float(np.median(counts[counts > 0])))
    seen_deg = float((counts >= enough).sum()) * 360.0 / _SECTORS
    if seen_deg < MIN_TURN_DEG:
        raise UnmeasurableError(
            f'the wall is seen over {seen_deg:.0f} degrees only; '
            f'at least {MIN_TURN_DEG:.0f} needed',
            len(points),
        )
