"""Findings of all views become defects in the part's own coordinates, and coverage."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from inspection_cell.cell import Cell
from inspection_cell.errors import DataError
from inspection_cell.findings import (
    Contribution,
    Coverage,
    Defect,
    Finding,
    Source,
    ViewFindings,
    ViewStatus,
)
from inspection_cell.fusion.admission import is_process, judged_views, prove_presence
from inspection_cell.fusion.association import associate, canonical
from inspection_cell.fusion.coverage import surface_coverage, view_coverage
from inspection_cell.fusion.gaps import to_extent
from inspection_cell.fusion.looked_at import LookedAt
from inspection_cell.fusion.merging import (
    Known,
    Merged,
    anchor_of,
    expected_place,
    merge,
    source_of,
)
from inspection_cell.fusion.missing_features import (
    MissingFeature,
    missing_features,
    put_in_place,
)
from inspection_cell.fusion.poses import best_pose, pose_corrections
from inspection_cell.fusion.probability import any_of, contributions
from inspection_cell.fusion.projection import Located, locate
from inspection_cell.fusion.surface_paths import SurfacePaths
from inspection_cell.fusion.visibility import CameraView, Sightings, focus_m, sightings
from inspection_cell.fusion.visibility_cache import VisibilityCache
from inspection_cell.geometry import Transform, invert
from inspection_cell.measurements import is_feature
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh
from inspection_cell.views.presence import shows_features
from inspection_cell.zones import SurfaceZone, resolve_zones


@dataclass(frozen=True, slots=True)
class Fused:
    """All that the views say together.

    Attributes:
        off_part: findings that miss the part at its known pose: specks of the background, told
            but not judged.
        foreign: scans that were compared with another mesh than this reference.
        bad_probability: that the part has a defect beyond its limit.
        contributions: of each view to that probability, in the recipe's order.
    """

    defects: tuple[Defect, ...] = ()
    coverage: Coverage | None = None
    off_part: tuple[Source, ...] = ()
    foreign: tuple[ViewKey, ...] = ()
    bad_probability: float = 0.0
    contributions: tuple[Contribution, ...] = ()


class Fuser:
    """Fuses inspections of one part type in one cell; keeps what does not change between them."""

    def __init__(self, recipe: Recipe, cell: Cell, reference: ReferenceMesh | None) -> None:
        """Take recipe and reference; raises DataError when the recipe's reference is not given."""
        if recipe.mesh_path is not None and reference is None:
            raise DataError(f'{recipe.path}: fusion needs the reference mesh {recipe.mesh_path}')
        self.recipe = recipe
        self.cell = cell
        self.reference = reference
        self.order = {view: i for i, view in enumerate(judged_views(recipe))}
        self.scanners = frozenset(cell.scanners)
        self.measuring = self.scanners | set(recipe.file.process)

    @cached_property
    def paths(self) -> SurfacePaths | None:
        """Ways along the surface of the reference."""
        return None if self.reference is None else SurfacePaths(self.reference)

    @cached_property
    def visibility(self) -> VisibilityCache | None:
        """What the cameras see of the reference."""
        if self.reference is None:
            return None
        return VisibilityCache(self.recipe, self.reference, self.cell)

    @cached_property
    def looked_at(self) -> LookedAt | None:
        """What of their images the detector looks at."""
        if self.reference is None or self.recipe.file.detection is None:
            return None
        return LookedAt(self.recipe, self.reference, self.cell)

    @cached_property
    def zones(self) -> Mapping[str, SurfaceZone]:
        """The zones in each of which all that scans find is one thing."""
        names = self.recipe.file.fusion.one_defect
        if self.reference is None or not names:
            return {}
        zones = resolve_zones(self.recipe, self.reference)
        return {name: zones[name] for name in names}

    @cached_property
    def missing(self) -> Mapping[str, MissingFeature]:
        """What is known of the features that may be missing, by the label of such findings."""
        if self.reference is None:
            return {}
        return {one.label: one for one in missing_features(self.recipe, self.reference)}

    @cached_property
    def known(self) -> Known:
        """What merging needs to know of the part type."""
        middles = {}
        if self.reference is not None:
            points = {name: self.reference.samples[z.samples] for name, z in self.zones.items()}
            middles = {name: own.mean(axis=0) for name, own in points.items() if len(own)}
        return Known(self.recipe, self.reference, self.measuring, middles)

    def warm(self) -> None:
        """Prepare now what the first inspection would wait for."""
        if self.paths is not None:
            self.paths.between(np.zeros((1, 3)), [None], np.zeros(1))
        self.known  # noqa: B018
        self.missing  # noqa: B018
        self.looked_at  # noqa: B018
        if self.visibility is not None:
            self.visibility.prepare()

    def fuse(self, views: Sequence[ViewFindings]) -> Fused:
        """Merge the findings of one inspection; the order of `views` does not matter.

        Findings count in every view with status OK; a view tempers probabilities and covers
        surface only with presence. Views that the recipe does not ask for are left out.
        """
        known = sorted(
            (view for view in views if view.view in self.order),
            key=lambda view: self.order[view.view],
        )
        return _Fusion(self, prove_presence(self.recipe, known)).fused()


def fuse(
    recipe: Recipe, cell: Cell, reference: ReferenceMesh | None, views: Sequence[ViewFindings]
) -> Fused:
    """Fuse one inspection; see `Fuser`.

    Raises:
        DataError: when the recipe names a reference and none is given.
    """
    return Fuser(recipe, cell, reference).fuse(views)


class _Fusion:
    """The working state of one inspection."""

    def __init__(self, fuser: Fuser, views: tuple[ViewFindings, ...]) -> None:
        self.fuser = fuser
        self.recipe, self.reference = fuser.recipe, fuser.reference
        self.settings = fuser.recipe.file.fusion
        self.foreign = tuple(view.view for view in views if self._is_foreign(view))
        self.views = tuple(view for view in views if view.view not in self.foreign)
        self.corrections = pose_corrections(fuser.cell, self.views)
        self.cameras = tuple(self._valid_cameras())
        self.set_aside = [found for view in self.views for found in self._not_judged(view)]

    def fused(self) -> Fused:
        located = [found for view in self.views for found in self._located(view)]
        placed = [found for found in located if found.position_m is not None]
        paths = self.fuser.paths if len(placed) > 1 else None
        groups = associate(placed, self.settings.merge_mm / 1000.0, paths)
        unplaced = [f for f in located if f.position_m is None and not f.off_part]
        groups += [[found] for found in sorted(unplaced, key=canonical)]
        merged = self._merged(groups)
        off_part = sorted((f for f in located if f.off_part), key=canonical)
        bad = any_of(one.bad for one in merged)
        heard = {view for one in merged for view in one.testimony.views}
        return Fused(
            tuple(sorted((one.defect for one in merged), key=_order)),
            self._coverage(),
            tuple(source_of(found) for found in off_part),
            self.foreign,
            bad,
            contributions(
                [view.view for view in self.views if view.view in heard],
                bad,
                lambda view: any_of(one.bad_without(view) for one in merged),
            ),
        )

    def _is_foreign(self, view: ViewFindings) -> bool:
        compared = view.status is ViewStatus.OK and view.view.sensor in self.fuser.scanners
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
                focus = focus_m(self.fuser.cell, view.view.sensor)
                looked_at = self.fuser.looked_at
                window = looked_at.window(view, pose) if looked_at else None
                cameras.append(CameraView(view.view, view.intrinsics, pose, focus, window))
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
        refined = view.view.presentation in self.corrections
        sigma_mm = self.settings.refined_sigma_mm if refined else self.settings.pose_sigma_mm
        margin_m = self.settings.merge_mm / 1000.0
        found = locate(self.reference, view, findings, pose, margin_m, sigma_mm / 1000.0)
        if view.view.sensor in self.fuser.scanners:
            return self._zoned(found)
        return [self._in_place(one, view, pose) for one in found]

    def _in_place(self, found: Located, view: ViewFindings, pose: Transform | None) -> Located:
        feature = self.fuser.missing.get(found.finding.label)
        if feature is None or pose is None:
            return found
        return put_in_place(found, feature, view, pose)

    def _zoned(self, findings: list[Located]) -> list[Located]:
        """Regions of scans, with the zone that makes them one thing with others."""
        placed = [i for i, found in enumerate(findings) if found.position_m is not None]
        if not placed:
            return findings
        places = np.array([findings[i].position_m for i in placed])
        for name, zone in self.fuser.zones.items():
            for i, inside in zip(placed, zone.near(places), strict=True):
                if inside and not findings[i].zone:
                    findings[i] = replace(findings[i], zone=name)
        return findings

    def _counts(self, finding: Finding) -> bool:
        detection = self.recipe.file.detection
        features = detection.features if detection else ()
        is_expected = any(finding.label == feature.label for feature in features)
        return not (is_expected or finding.not_judged or is_feature(finding))

    def _merged(self, groups: Sequence[list[Located]]) -> list[Merged]:
        seen = self._sightings(groups)
        showing = _showing(groups)
        merged = []
        for column, group in enumerate(groups):
            resolution: dict[ViewKey, float] = {}
            clean: list[ViewKey] = []
            if seen is not None:
                resolution = dict(
                    zip(seen.views, seen.resolution[:, column].tolist(), strict=True)
                )
                silent = {found.view for found in group} | self._undecided(group)
                silent |= showing[column]
                looking = zip(seen.views, seen.seen[:, column], strict=True)
                clean = [view for view, sees in looking if sees and view not in silent]
            merged.append(merge(self.fuser.known, group, resolution, clean))
        return merged

    def _sightings(self, groups: Sequence[list[Located]]) -> Sightings | None:
        if self.reference is None or not groups:
            return None
        nowhere = np.zeros(3)
        anchors = [anchor_of(group) for group in groups]
        points = [a.position_m if a.position_m is not None else nowhere for a in anchors]
        normals = [a.normal if a.normal is not None else nowhere for a in anchors]
        angle_rad = float(np.deg2rad(self.recipe.file.coverage.max_incidence_deg))
        found = sightings(
            self.reference, self.cameras, np.array(points), np.array(normals), angle_rad
        )
        for column, group in enumerate(groups):
            expected = expected_place(self.recipe, group, anchors[column].position_m)
            if expected is not None:
                self._sight_feature(self.reference, found, column, expected)
        return found

    def _sight_feature(
        self,
        reference: ReferenceMesh,
        found: Sightings,
        column: int,
        place_m: NDArray[np.float64],
    ) -> None:
        """A missing feature is shown by who would show the feature, whatever its box lies on."""
        for row, camera in enumerate(self.cameras):
            shown = shows_features(
                reference, camera.camera, camera.transform_part_to_sensor, place_m[None]
            )
            towards = invert(camera.transform_part_to_sensor)[:3, 3] - place_m
            facing = (towards / np.linalg.norm(towards))[None]
            found.seen[row, column] = shown[0]
            found.resolution[row, column] = camera.resolution(place_m[None], facing)[0]

    def _undecided(self, group: Sequence[Located]) -> set[ViewKey]:
        """Views that show something at this place too, which a mask took out: not clean."""
        reach_m = self.settings.merge_mm / 1000.0
        extents = [found.extent_m for found in group if len(found.extent_m)]
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
        scans = [v for v in self.views if v.is_evidence and v.view.sensor in self.fuser.scanners]
        return surface_coverage(
            self.recipe,
            self.reference,
            scans,
            self.cameras,
            looking,
            cache=self.fuser.visibility,
        )


def _showing(groups: Sequence[Sequence[Located]]) -> list[set[ViewKey]]:
    """Views that show something at each group's place, if only as another thing: not clean."""
    showing: list[set[ViewKey]] = [set() for _ in groups]
    placed = [(i, anchor_of(group)) for i, group in enumerate(groups)]
    placed = [(i, anchor) for i, anchor in placed if anchor.position_m is not None]
    if not placed:
        return showing
    places = np.stack([anchor.position_m for _, anchor in placed if anchor.position_m is not None])
    sigmas = np.array([anchor.sigma_m for _, anchor in placed])
    for found in (one for group in groups for one in group if one.camera is not None):
        covered = to_extent(places, found) <= np.hypot(sigmas, found.sigma_m)
        for row in np.flatnonzero(covered):
            showing[placed[row][0]].add(found.view)
    return showing


def _order(defect: Defect) -> tuple[float, str, tuple[float, ...], tuple[str, ...]]:
    where = () if defect.position_m is None else tuple(defect.position_m.tolist())
    return -defect.probability, defect.label, where, tuple(str(s.view) for s in defect.sources)
