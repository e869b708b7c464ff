"""Findings of all views become defects in the part's own coordinates, and coverage."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from inspection_cell.cell import Cell
from inspection_cell.errors import DataError
from inspection_cell.findings import Coverage, Defect, Finding, Source, ViewFindings, ViewStatus
from inspection_cell.fusion.admission import is_process, prove_presence, required_views
from inspection_cell.fusion.association import associate, canonical
from inspection_cell.fusion.coverage import surface_coverage, view_coverage
from inspection_cell.fusion.limits import class_limit, worst_measure
from inspection_cell.fusion.poses import best_pose, pose_corrections
from inspection_cell.fusion.probability import probability
from inspection_cell.fusion.projection import Located, length_mm, locate
from inspection_cell.fusion.visibility import CameraView, Sightings, sightings
from inspection_cell.measurements import is_feature
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh


@dataclass(frozen=True, slots=True)
class Fused:
    """All that the views say together.

    Attributes:
        off_part: findings that miss the part at its known pose: specks of the background, told
            but not judged.
        foreign: scans that were compared with another mesh than this reference.
    """

    defects: tuple[Defect, ...] = ()
    coverage: Coverage | None = None
    off_part: tuple[Source, ...] = ()
    foreign: tuple[ViewKey, ...] = ()


def fuse(
    recipe: Recipe, cell: Cell, reference: ReferenceMesh | None, views: Sequence[ViewFindings]
) -> Fused:
    """Merge the findings of one inspection; the order of `views` does not matter.

    Findings count in every view with status OK; a view tempers probabilities and covers surface
    only with presence. Views that the recipe does not ask for are left out.

    Raises:
        DataError: when the recipe names a reference and none is given.
    """
    if recipe.mesh_path is not None and reference is None:
        raise DataError(f'{recipe.path}: fusion needs the reference mesh {recipe.mesh_path}')
    order = {view: i for i, view in enumerate(required_views(recipe))}
    known = sorted((v for v in views if v.view in order), key=lambda view: order[view.view])
    fusion = _Fusion(recipe, cell, reference, prove_presence(recipe, known))
    return fusion.fused()


class _Fusion:
    """The working state of one call of `fuse`."""

    def __init__(
        self,
        recipe: Recipe,
        cell: Cell,
        reference: ReferenceMesh | None,
        views: tuple[ViewFindings, ...],
    ) -> None:
        self.recipe = recipe
        self.reference = reference
        self.scanners = set(cell.scanners)
        self.measuring = self.scanners | set(recipe.file.process)
        self.foreign = tuple(view.view for view in views if self._is_foreign(view))
        self.views = tuple(view for view in views if view.view not in self.foreign)
        self.corrections = pose_corrections(cell, self.views)
        self.cameras = tuple(self._valid_cameras())
        self.set_aside = [found for view in self.views for found in self._not_judged(view)]

    def fused(self) -> Fused:
        located = [found for view in self.views for found in self._located(view)]
        placed = [found for found in located if found.position_m is not None]
        groups = associate(placed, self.recipe.file.fusion.merge_mm / 1000.0)
        unplaced = [f for f in located if f.position_m is None and not f.off_part]
        groups += [[found] for found in sorted(unplaced, key=canonical)]
        seen = self._sightings([_anchor(group) for group in groups])
        defects = [self._defect(group, seen, column) for column, group in enumerate(groups)]
        off_part = sorted((f for f in located if f.off_part), key=canonical)
        return Fused(
            tuple(sorted(defects, key=_order)),
            self._coverage(),
            tuple(_source(found) for found in off_part),
            self.foreign,
        )

    def _is_foreign(self, view: ViewFindings) -> bool:
        compared = view.status is ViewStatus.OK and view.view.sensor in self.scanners
        return (
            compared
            and self.reference is not None
            and view.reference_hash != self.reference.sha256
        )

    def _valid_cameras(self) -> list[CameraView]:
        cameras = []
        for view in self.views:
            pose = best_pose(view, self.corrections)
            if view.is_evidence and view.intrinsics is not None and pose is not None:
                cameras.append(CameraView(view.view, view.intrinsics, pose))
        return cameras

    def _located(self, view: ViewFindings) -> list[Located]:
        if view.status is not ViewStatus.OK:
            return []
        if is_process(self.recipe, view.view):
            return [Located(view.view, finding, np.empty((0, 3))) for finding in view.findings]
        return self._projected(
            view, [finding for finding in view.findings if self._counts(finding)]
        )

    def _not_judged(self, view: ViewFindings) -> list[Located]:
        aside = [finding for finding in view.findings if finding.not_judged]
        findings = [finding for finding in aside if not is_feature(finding)]
        return self._projected(view, findings) if view.status is ViewStatus.OK else []

    def _projected(self, view: ViewFindings, findings: Sequence[Finding]) -> list[Located]:
        pose = best_pose(view, self.corrections)
        margin_m = self.recipe.file.fusion.merge_mm / 1000.0
        return locate(self.reference, view, findings, pose, margin_m)

    def _counts(self, finding: Finding) -> bool:
        detection = self.recipe.file.detection
        features = detection.features if detection else ()
        is_expected = any(finding.label == feature.label for feature in features)
        return not (is_expected or finding.not_judged or is_feature(finding))

    def _sightings(self, anchors: Sequence[Located]) -> Sightings | None:
        if self.reference is None or not anchors:
            return None
        nowhere = np.zeros(3)
        points = [a.position_m if a.position_m is not None else nowhere for a in anchors]
        normals = [a.normal if a.normal is not None else nowhere for a in anchors]
        angle_rad = float(np.deg2rad(self.recipe.file.coverage.max_incidence_deg))
        return sightings(
            self.reference, self.cameras, np.array(points), np.array(normals), angle_rad
        )

    def _defect(self, group: list[Located], seen: Sightings | None, column: int) -> Defect:
        measured = [found for found in group if found.view.sensor in self.measuring]
        imaged = [found for found in group if found.view.sensor not in self.measuring]
        measure = worst_measure(self.recipe, measured, imaged)
        anchor = _anchor(group)
        rates = [class_limit(self.recipe, f.finding.label).view_miss_rate for f in imaged]
        return Defect(
            measure.label,
            probability(
                _best_scores(imaged),
                _best_scores(measured),
                max(rates, default=1.0),
                _clean_weights(imaged, self._undecided(imaged), seen, column),
            ),
            anchor.position_m,
            anchor.normal,
            length_mm=_length_mm(group),
            width_mm=max(found.finding.width_mm for found in group),
            area_mm2=max(found.finding.area_mm2 for found in group),
            volume_mm3=max(found.finding.volume_mm3 for found in group),
            peak_mm=max((found.finding.peak_mm for found in group), key=abs),
            value=measure.value,
            limit=measure.limit,
            unit=measure.unit,
            uncertainty=measure.uncertainty,
            conformity=measure.conformity,
            sources=tuple(_source(found) for found in group),
        )

    def _undecided(self, imaged: Sequence[Located]) -> set[ViewKey]:
        """Views that show something at this place too, which a mask took out: not clean."""
        reach_m = self.recipe.file.fusion.merge_mm / 1000.0
        extents = [found.extent_m for found in imaged if len(found.extent_m)]
        if not extents or not self.set_aside:
            return set()
        tree = cKDTree(np.concatenate(extents))
        return {
            aside.view
            for aside in self.set_aside
            if len(aside.extent_m) and np.min(tree.query(aside.extent_m)[0]) <= reach_m
        }

    def _coverage(self) -> Coverage:
        looking = [view for view in self.views if not is_process(self.recipe, view.view)]
        if self.reference is None:
            return view_coverage(self.recipe, looking)
        scans = [v for v in self.views if v.is_evidence and v.view.sensor in self.scanners]
        return surface_coverage(self.recipe, self.reference, scans, self.cameras, looking)


def _anchor(group: Sequence[Located]) -> Located:
    """The finding that stands for the group: the most certain, a measured one before others."""
    return max(group, key=lambda f: (f.finding.score, abs(f.finding.peak_mm), canonical(f)))


def _best_scores(group: Sequence[Located]) -> list[float]:
    best: dict[ViewKey, float] = {}
    for found in group:
        best[found.view] = max(best.get(found.view, 0.0), found.finding.score)
    return [best[view] for view in sorted(best)]


def _clean_weights(
    imaged: Sequence[Located], undecided: set[ViewKey], seen: Sightings | None, column: int
) -> list[float]:
    """Of the valid views that show the place but not the defect: their relative resolution."""
    if seen is None or not imaged:
        return []
    sources = {found.view for found in imaged}
    is_source = np.array([view in sources for view in seen.views], dtype=np.bool_)
    is_undecided = np.array([view in undecided for view in seen.views], dtype=np.bool_)
    clean = seen.seen[:, column] & ~is_source & ~is_undecided
    resolution = seen.resolution[:, column]
    if not is_source.any():
        return [1.0 for _ in range(int(clean.sum()))]
    best = max(float(resolution[is_source].max()), 1e-9)
    return [min(float(value) / best, 1.0) for value in resolution[clean]]


def _length_mm(group: Sequence[Located]) -> float:
    measured = [found.finding.length_mm for found in group]
    views = sorted({found.view for found in group})
    return max(*measured, *(length_mm([f.extent_m for f in group if f.view == v]) for v in views))


def _source(found: Located) -> Source:
    return Source(found.view, found.finding.label, found.finding.score)


def _order(defect: Defect) -> tuple[float, str, tuple[float, ...], tuple[str, ...]]:
    where = () if defect.position_m is None else tuple(defect.position_m.tolist())
    return -defect.probability, defect.label, where, tuple(str(s.view) for s in defect.sources)
