"""Measures the recipe's features on one registered surface."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.geometry import Points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.features import Angle, Bore, Distance, Flatness
from inspection_cell.surface.alignment import Aligned
from inspection_cell.surface.features.elements import Elements
from inspection_cell.surface.features.measured import Measured
from inspection_cell.surface.features.quantities import bore_of, flatness_of, relation_of
from inspection_cell.surface.features.selection import BoreTarget, Cloud, PlaneTarget
from inspection_cell.zones import SurfaceZone

Feature = Flatness | Bore | Distance | Angle

_SEARCH_MM = 1.0  # for planes that only distances and angles use


class FeatureMeter:
    """Prepares the features of a recipe once; then measures scan after scan."""

    def __init__(
        self,
        features: Mapping[str, Feature],
        zones: Mapping[str, SurfaceZone],
        reference: ReferenceMesh,
        systematic_mm: float = 0.0,
    ) -> None:
        """Learn where each feature lies; DataError for a zone that is unknown or not plane.

        Args:
            features: of the recipe, by name.
            zones: the recipe's, resolved.
            reference: that the zones lie on.
            systematic_mm: expanded uncertainty of the scanner itself, which joins every length.
        """
        self._systematic_mm = systematic_mm
        self._features = dict(features)
        self._bores = {
            name: BoreTarget(entry) for name, entry in features.items() if isinstance(entry, Bore)
        }
        searches = _searches_mm(features, self._bores)
        unknown = sorted(set(searches) - set(zones))
        if unknown:
            known = sorted([*zones, *self._bores])
            raise DataError(f'features: expected zones or bores of {known}, got {unknown}')
        self._planes = {
            name: PlaneTarget(zones[name], reference, search_mm / 1e3)
            for name, search_mm in searches.items()
        }

    def of(self, aligned: Aligned) -> tuple[Measured, ...]:
        """Measure all features on aligned scans; none where they are not registered."""
        if not aligned.registered.ok or not self._features:
            return ()
        deviations = aligned.deviations
        points, outward = (
            np.asarray(values, dtype=np.float64)
            for values in (deviations.points, deviations.outward)
        )
        return self.measure(points, outward)

    def measure(self, points_part: Points, outward: Points) -> tuple[Measured, ...]:
        """Measure all features, in the recipe's order.

        Args:
            points_part: (N, 3) registered points, part frame, metres.
            outward: (N, 3) unit directions out of the material at the nearest reference.
        """
        elements = Elements(Cloud(points_part, outward), self._planes, self._bores)
        measured: list[Measured] = []
        for name, entry in self._features.items():
            if isinstance(entry, Flatness):
                measured += flatness_of(name, entry, elements)
            elif isinstance(entry, Bore):
                measured += bore_of(name, entry, elements)
            else:
                measured += relation_of(name, entry, elements)
        return tuple(self._with_scanner(one) for one in measured)

    def _with_scanner(self, measured: Measured) -> Measured:
        if measured.reason or measured.unit != 'mm':
            return measured
        joined = float(np.hypot(measured.uncertainty, self._systematic_mm))
        return replace(measured, uncertainty=joined)


def measure_features(
    features: Mapping[str, Feature],
    points_part: Points,
    signed_mm: NDArray[np.floating],
    outward: Points,
    zones: Mapping[str, SurfaceZone],
    reference: ReferenceMesh,
) -> tuple[Measured, ...]:
    """Measure features on one registered surface; `FeatureMeter` prepares them once for many.

    Args:
        features: of the recipe, by name.
        points_part: (N, 3) registered points, part frame, metres.
        signed_mm: (N,) their deviations from the reference; points without one are left out.
        outward: (N, 3) unit directions out of the material, as `Deviations` gives them.
        zones: the recipe's, resolved.
        reference: that the zones lie on.

    Raises:
        DataError: for a zone that is not plane or not known, or arrays that do not fit.
    """
    if not len(signed_mm) == len(outward) == len(points_part):
        raise DataError(
            f'features: expected as many deviations and directions as points, got '
            f'{len(points_part)} points, {len(signed_mm)} deviations, {len(outward)} directions'
        )
    meter = FeatureMeter(features, zones, reference)
    known = np.isfinite(signed_mm)
    if known.all():
        return meter.measure(points_part, outward)
    return meter.measure(points_part[known], outward[known])


def _searches_mm(
    features: Mapping[str, Feature], bores: Mapping[str, BoreTarget]
) -> dict[str, float]:
    """How far from nominal each plane that a feature uses is looked for."""
    searches: dict[str, float] = {}
    for entry in features.values():
        if isinstance(entry, Flatness):
            searches[entry.zone] = max(entry.search_mm, searches.get(entry.zone, 0.0))
    for entry in features.values():
        if isinstance(entry, Distance | Angle):
            for used in entry.between:
                if used not in bores:
                    searches.setdefault(used, _SEARCH_MM)
    return searches
