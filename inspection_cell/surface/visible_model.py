"""What a sensor should have seen of the part at a pose, against what its scan shows.

A pose at which the scan looked through the part, or saw nothing where the part should be, is
wrong however well the scan's points lie on the surface.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from inspection_cell.geometry import Points, Transform, invert, rigid, transform_points
from inspection_cell.reference import ReferenceMesh

DIRECTIONS = 300
_MAX_INCIDENCE_RAD = np.radians(65.0)
_CHECKED = 1500  # samples of the reference, at most
_FAR = 4.0  # diagonals from which the directions look: nearly parallel
_REACH = 3.0  # spacings of the scan within which its nearest ray tells about a direction
_NEIGHBOURS = 3


@dataclass(frozen=True, slots=True)
class Shown:
    """How much of the surface that the sensors should see is in the scan.

    Attributes:
        expected: samples that should be visible and are not hidden by something nearer.
        share: of those, where the scan has a point at the expected range.
        looked_through: of those, where the scan's point lies behind: no part there.
        hidden: of all visible samples, where the scan's point lies in front.
    """

    expected: int
    share: float
    looked_through: float
    hidden: float


class ScanRays:
    """The directions and ranges of a scan, from one sensor."""

    def __init__(self, points: NDArray[np.floating], sensor: NDArray[np.float64]) -> None:
        """Index (N, 3) points by their direction from a sensor (3,), scan frame, metres."""
        offsets = np.asarray(points, dtype=np.float64) - sensor
        self.sensor = sensor
        self.ranges: NDArray[np.float64] = np.linalg.norm(offsets, axis=1)
        keep = self.ranges > 1e-9
        self.ranges = self.ranges[keep]
        self._tree = cKDTree(offsets[keep] / self.ranges[:, None], balanced_tree=False)
        few = self._tree.data[:: max(1, len(self.ranges) // 300)]
        self.spacing = float(np.median(np.asarray(self._tree.query(few, k=[2])[0])))

    def compare(
        self, points: Points, within_m: float
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
        """For (N, 3) points in the scan frame: in the scan, looked through, hidden."""
        offsets = points - self.sensor
        ranges = np.linalg.norm(offsets, axis=1)
        reach = max(_REACH * self.spacing, 1e-6)
        distances, rows = self._tree.query(
            offsets / ranges[:, None], k=_NEIGHBOURS, distance_upper_bound=reach
        )
        there = np.isfinite(distances)
        measured = np.where(there, self.ranges[np.where(there, rows, 0)], np.nan)
        # Beside steps and on slopes the range changes within the reach.
        slack_m = within_m + 2.0 * np.where(there, distances, 0.0) * ranges[:, None]
        gaps = measured - ranges[:, None]
        shown = (np.abs(gaps) <= slack_m).any(axis=1)
        nearer = (gaps < -slack_m).any(axis=1) & ~shown
        through = (gaps > slack_m).any(axis=1) & ~shown & ~nearer
        return shown, through, nearer


class VisibleModel:
    """Visibility of one reference's surface, prepared once."""

    def __init__(self, reference: ReferenceMesh) -> None:
        """Find what is seen from all around."""
        self._reference = reference
        step = max(1, len(reference.samples) // _CHECKED)
        self._samples = reference.samples[::step]
        self._normals = reference.sample_normals[::step]
        self.directions = even_directions(DIRECTIONS)
        self._centres, self._weights = self._seen_centres()

    def centres(self, directions: NDArray[np.float64]) -> Points:
        """Centres (N, 3) of what is seen from directions (N, K, 3) at once, part frame.

        Args:
            directions: unit, from the part towards K sensors.
        """
        nearest = np.argmax(directions @ self.directions.T, axis=2)
        weights = self._weights[nearest]
        total = weights.sum(axis=1)[:, None]
        centres: Points = (self._centres[nearest] * weights[..., None]).sum(axis=1) / total
        return centres

    def shown(
        self, transform_scan_to_part: Transform, scans: list[ScanRays], within_m: float
    ) -> Shown:
        """Compare the surface that should be visible at a pose with the scan."""
        to_scan = invert(transform_scan_to_part)
        placed = transform_points(to_scan, self._samples)
        expected = np.zeros(len(placed), dtype=np.bool_)
        shown, through, hidden = expected.copy(), expected.copy(), expected.copy()
        for scan in scans:
            to_sensor = rigid(np.eye(3), -scan.sensor) @ to_scan
            visible = self._reference.visible(
                self._samples, self._normals, to_sensor, _MAX_INCIDENCE_RAD
            )
            expected |= visible
            in_scan, looked, nearer = scan.compare(placed[visible], within_m)
            shown[visible] |= in_scan
            through[visible] |= looked
            hidden[visible] |= nearer
        count = int(np.count_nonzero(expected & (shown | ~hidden)))
        if count == 0:
            return Shown(0, 0.0, 0.0, float(expected.any()))
        return Shown(
            expected=count,
            share=float(np.count_nonzero(shown) / count),
            looked_through=float(np.count_nonzero(through & ~shown & ~hidden) / count),
            hidden=float(np.count_nonzero(hidden & ~shown) / np.count_nonzero(expected)),
        )

    def _seen_centres(self) -> tuple[Points, NDArray[np.float64]]:
        middle = self._reference.vertices.mean(axis=0)
        far_m = _FAR * self._reference.diagonal_m
        centres, weights = [], []
        for direction in self.directions:
            to_sensor = rigid(np.eye(3), -(middle + far_m * direction))
            seen = self._reference.visible(
                self._samples, self._normals, to_sensor, np.radians(75.0)
            )
            cosines = np.clip(self._normals @ direction, 0, 1) * seen + 1e-9
            centres.append(cosines @ self._samples / cosines.sum())
            weights.append(cosines.sum())
        return np.array(centres), np.array(weights)


def even_directions(count: int) -> Points:
    """(count, 3) unit directions spread evenly (Fibonacci lattice)."""
    index = np.arange(count) + 0.5
    height = 1 - 2 * index / count
    angle = np.pi * (1 + np.sqrt(5.0)) * index
    level = np.sqrt(1 - height**2)
    return np.column_stack([level * np.cos(angle), level * np.sin(angle), height])
