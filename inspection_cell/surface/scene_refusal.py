"""Why a part is not where a search would have it in a scene."""

import numpy as np

from inspection_cell.geometry import Points, Transform, invert, transform_points
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.refinement import MIN_OBSERVABILITY, refine
from inspection_cell.surface.registration import MIN_POINTS
from inspection_cell.surface.scan_sample import MOST_TIMES_LARGER
from inspection_cell.surface.scene_judgement import LEAST_CELLS, Judged, ScenePart
from inspection_cell.surface.symmetry import TOLERANCE, offset, worst_mm

MAX_CONTRADICTED = 0.2
MAX_CONTINUED = 0.4
_LARGEST = 100.0  # sizes of the part that a scene may extend
_COARSEST = 0.1  # distance that counts as explained, of the part's size
_HIDDEN_COUNTS = 0.5
_RIVAL = 0.93  # share of the best score at which another pose is as good
_SAME = 0.1  # of the radius, and radians: by which two equivalent poses may err
_SAMPLED = 600


def implausible(points: Points, part: ScenePart, within_mm: float) -> str:
    """Why points (N, 3) cannot be a scene that holds a part; empty when they can."""
    if len(points) < MIN_POINTS:
        return f'the scene has {len(points)} finite points; at least {MIN_POINTS} are needed'
    low, high = np.percentile(points, [1, 99], axis=0)
    scene_m, part_m = float(np.linalg.norm(high - low)), 2 * part.radius_m
    if not 1 / MOST_TIMES_LARGER <= scene_m / part_m <= _LARGEST:
        return (
            f"the part's size does not fit the scene's: the scene extends {scene_m:.3g} m, the "
            f'part {part_m:.3g} m; are both in the units given?'
        )
    if within_mm / 1e3 > _COARSEST * part_m:
        return f'{within_mm:g} mm are too coarse to tell a part of {part_m * 1e3:.3g} mm'
    return ''


def contradicted(judged: Judged) -> float:
    """Share of the visible surface that speaks against a pose."""
    return judged.looked_through + _HIDDEN_COUNTS * judged.hidden


def unexplained(first: Judged, min_explained: float) -> str:
    """Why a pose is not shown by the scene; empty when it is."""
    if first.cells < LEAST_CELLS or first.explained < min_explained:
        return (
            f'not found: the best pose explains {first.explained:.0%} of the surface that should '
            f'be visible; at least {min_explained:.0%} is demanded'
        )
    if contradicted(first) > MAX_CONTRADICTED:
        return (
            f'not found: at the best pose {contradicted(first):.0%} of the visible surface is '
            f'contradicted; at most {MAX_CONTRADICTED:.0%} is allowed'
        )
    if first.continued > MAX_CONTINUED:
        return (
            f'not found: at the best pose the scene goes on beside {first.continued:.0%} of the '
            f"part's outline; at most {MAX_CONTINUED:.0%} is allowed"
        )
    return ''


def ambiguous(ranked: list[Judged], part: ScenePart, field: DeviationField) -> str:
    """Whether another pose at the same place, not equivalent, explains the scene as well."""
    first = ranked[0]
    for other in ranked[1:]:
        if not _rival(first, other, part):
            continue
        if not _looks_the_same(invert(first.pose) @ other.pose, part, field):
            return (
                'two different poses at one place explain the scene equally well: '
                f'{first.explained:.0%} and {other.explained:.0%} of the visible surface'
            )
    return ''


def sliding(held_by: float) -> str:
    """Why a pose is not determined, by what `held` says; empty when it is."""
    if held_by >= MIN_OBSERVABILITY:
        return ''
    return (
        f'what is seen of the part does not determine its pose: weakest direction {held_by:.1e}, '
        f'at least {MIN_OBSERVABILITY:.0e} is demanded'
    )


def _looks_the_same(
    transform_part_to_part: Transform, part: ScenePart, field: DeviationField
) -> bool:
    """Whether a map, but for the error of two poses, takes the part onto itself."""
    samples = part.mesh.samples
    few = samples[:: max(1, len(samples) // _SAMPLED)]
    exact = refine(few, transform_part_to_part, field, stop_m=1e-6)
    shift_m, turned_rad = offset(exact, transform_part_to_part, part.centre)
    if shift_m > _SAME * part.radius_m or turned_rad > _SAME:
        return False
    return worst_mm(exact, field) <= TOLERANCE * part.mesh.diagonal_m * 1e3


def _rival(first: Judged, other: Judged, part: ScenePart) -> bool:
    centres = [transform_points(one.pose, part.centre[None])[0] for one in (first, other)]
    near = np.linalg.norm(centres[0] - centres[1]) < part.radius_m
    return bool(near) and other.score >= _RIVAL * first.score
