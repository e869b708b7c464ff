"""Masks and regions of interest of the part, as each camera sees them.

No mask image is drawn: the rays of a finding's own pixels, through the camera's distortion and at
the pose of its view, tell how much of the surface that it covers lies in a zone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from inspection_cell.findings import Finding
from inspection_cell.observations import Observation
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.detection import Detection
from inspection_cell.sections.masks import Region
from inspection_cell.views.footprint import (
    Footprint,
    Pixels,
    box_pixels,
    footprints,
    polygon_pixels,
)
from inspection_cell.zones import SurfaceZone, resolve_zones

SIDE = 8  # at most SIDE² rays and the outline for one finding
REGION_SHARE = 0.5  # of a finding's surface, from which on it lies in the regions of interest


class Masks:
    """Tells which findings of a camera view are not judged because of where they lie."""

    def __init__(self, recipe: Recipe, reference: ReferenceMesh | None) -> None:
        """Resolve the zones; raises ConfigError for those that the mesh cannot serve."""
        self._detection = recipe.file.detection or Detection(model='none')
        self._reference = reference
        self._zones: Mapping[str, SurfaceZone] = (
            {} if reference is None else resolve_zones(recipe, reference)
        )
        self._never = {f'missing_{feature.label}' for feature in self._detection.features}

    def apply(self, findings: Sequence[Finding], observation: Observation) -> tuple[Finding, ...]:
        """The same findings in the same order; `not_judged` says why one does not count.

        Judged in any case: missing features, what misses the part at this pose (fusion decides
        about that), and everything in a camera without calibration.
        """
        sensor = observation.view.sensor
        concerned = [
            index
            for index, finding in enumerate(findings)
            if finding.label not in self._never and self._concerns(finding.label, sensor)
        ]
        reference, camera = self._reference, observation.intrinsics
        if not concerned or reference is None or camera is None:
            return tuple(findings)
        pixels = [_pixels(findings[index]) for index in concerned]
        pose = observation.transform_part_to_sensor
        covered = footprints(reference, camera, pose, pixels)
        why = {
            index: self._why_not(findings[index].label, sensor, footprint)
            for index, footprint in zip(concerned, covered, strict=True)
        }
        return tuple(
            replace(finding, not_judged=why[index]) if why.get(index) else finding
            for index, finding in enumerate(findings)
        )

    def _concerns(self, label: str, sensor: str) -> bool:
        entries: tuple[Region, ...] = (*self._detection.masks, *self._detection.regions)
        return any(entry.concerns(label, sensor) for entry in entries)

    def _why_not(self, label: str, sensor: str, footprint: Footprint) -> str:
        """Why a finding is not judged, in words; empty when it is."""
        if not len(footprint.points):
            return ''
        for mask in self._detection.masks:
            if not mask.concerns(label, sensor):
                continue
            share = float(self._inside(mask, footprint).mean())
            if share >= mask.min_share:
                return f'{share:.0%} of it in mask {mask.zone}'
        regions = [one for one in self._detection.regions if one.concerns(label, sensor)]
        if not regions:
            return ''
        share = float(np.any([self._inside(one, footprint) for one in regions], axis=0).mean())
        if share >= REGION_SHARE:
            return ''
        names = ', '.join(dict.fromkeys(region.zone for region in regions))
        return f'{1.0 - share:.0%} of it outside {names}'

    def _inside(self, entry: Region, footprint: Footprint) -> NDArray[np.bool_]:
        return self._zones[entry.zone].contains(footprint.points, footprint.triangles)


def _pixels(finding: Finding) -> Pixels:
    if finding.polygon_px is not None:
        return polygon_pixels(finding.polygon_px, SIDE)
    if finding.box_px is not None:
        return box_pixels(finding.box_px, SIDE)
    return np.empty((0, 2))
