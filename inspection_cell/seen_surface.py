"""Where enough valid views of a verdict saw the part, place by place, as its recipe demands."""

from collections.abc import Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from inspection_cell.cell import Cell
from inspection_cell.findings import ViewFindings
from inspection_cell.fusion.coverage import seen_by
from inspection_cell.fusion.looked_at import LookedAt
from inspection_cell.fusion.poses import best_pose, pose_corrections
from inspection_cell.fusion.visibility import CameraView
from inspection_cell.fusion.visibility_cache import VisibilityCache
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh
from inspection_cell.zones import resolve_zones


class Seen(IntEnum):
    """How well a place was seen; also the rank of its colour in `showing.coverage_colours`."""

    NOT = 0  # by no view that counts
    TOO_FEW = 1  # by fewer views than are demanded, of the part or of a zone there
    ENOUGH = 2


class SeenSurface:
    """Judges the places of one reference; holds what does not change from part to part.

    Attributes:
        places: the places that coverage is judged at.
    """

    def __init__(self, recipe: Recipe, cell: Cell, reference: ReferenceMesh) -> None:
        """Spread the places; raises ConfigError for zones that the mesh cannot serve."""
        self._demand = recipe.file.coverage
        self._cell = cell
        self._reference = reference
        self._cache = VisibilityCache(recipe, reference, cell)
        self.places = self._cache.places
        detects = recipe.file.detection is not None
        self._looked_at = LookedAt(recipe, reference, cell) if detects else None
        zones = resolve_zones(recipe, reference)
        self._zones = {name: zones[name].near(self.places.points) for name in self._demand.zones}

    def of(self, views: Sequence[ViewFindings]) -> NDArray[np.intp]:
        """(N,) `Seen` of each place in the views of one verdict; what proves nothing is left out.

        Scans that were compared with another reference do not count, as in the verdict.
        """
        own = [view for view in views if view.is_evidence and not self._is_foreign(view)]
        scans = [view for view in own if view.view.sensor in self._cell.scanners]
        seen = seen_by(self._cache, scans, self._cameras(own))
        counted = seen.views(self._demand.by)
        enough = counted >= self._demand.min_views
        for name, inside in self._zones.items():
            by, least = self._demand.of_zone(name)
            enough &= ~inside | (seen.views(by) >= least)
        return np.where(enough, Seen.ENOUGH, np.where(counted > 0, Seen.TOO_FEW, Seen.NOT))

    def _is_foreign(self, view: ViewFindings) -> bool:
        of_scanner = view.view.sensor in self._cell.scanners
        return of_scanner and view.reference_hash != self._reference.sha256

    def _cameras(self, views: Sequence[ViewFindings]) -> list[CameraView]:
        corrections = pose_corrections(self._cell, views)
        posed = [(view, best_pose(view, corrections)) for view in views]
        return [
            CameraView(
                view.view,
                view.intrinsics,
                pose,
                window=self._looked_at.window(view, pose) if self._looked_at else None,
            )
            for view, pose in posed
            if view.intrinsics is not None and pose is not None
        ]
