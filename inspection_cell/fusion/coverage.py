"""How much of the part valid views have really seen."""

from collections.abc import Sequence

import numpy as np

from inspection_cell.findings import Coverage, ViewFindings
from inspection_cell.fusion.visibility import CameraView
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh


def surface_coverage(
    recipe: Recipe,
    reference: ReferenceMesh,
    scans: Sequence[ViewFindings],
    cameras: Sequence[CameraView],
    required: Sequence[ViewFindings],
) -> Coverage:
    """The share of the reference's surface samples that at least one valid view saw.

    Args:
        recipe: says which sensors count and at which angles.
        reference: brings the samples.
        scans: valid views of scanners; each brings what it saw.
        cameras: valid views of cameras; what they saw follows from pose and occlusion.
        required: all views of the part, to name those whose evidence lacks when the share
            falls short.
    """
    demand = recipe.file.coverage
    seen = np.zeros(len(reference.samples), dtype=np.bool_)
    if demand.by != 'camera':
        for scan in scans:
            if scan.seen is not None and scan.seen.shape == seen.shape:
                seen |= scan.seen
    if demand.by != 'scanner':
        for camera in cameras:
            rest = np.flatnonzero(~seen)
            points, normals = reference.samples[rest], reference.sample_normals[rest]
            angle_rad = float(np.deg2rad(demand.max_incidence_deg))
            seen[rest] = camera.sees(reference, points, normals, angle_rad)
    return _coverage(float(seen.mean()), demand.minimum, required)


def view_coverage(recipe: Recipe, required: Sequence[ViewFindings]) -> Coverage:
    """Without a reference: the share of the required views of the part that are valid."""
    valid = sum(view.is_evidence for view in required)
    return _coverage(valid / max(len(required), 1), recipe.file.coverage.minimum, required)


def _coverage(share: float, minimum: float, required: Sequence[ViewFindings]) -> Coverage:
    lacking = tuple(str(view.view) for view in required if not view.is_evidence)
    return Coverage(share, minimum, lacking if share < minimum else ())
