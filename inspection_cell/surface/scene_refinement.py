"""Poses in a scene made better: by the surface where it fits, and by trying beside it.

The surface draws a pose by point-to-plane steps along the sensor's rays (Blais and Levine,
"Registering multiview range data", 1995). What only the outline tells - a flat face seen from
above may slide - is found by trying small random moves and keeping those that judge better.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from inspection_cell.geometry import (
    Points,
    Transform,
    invert,
    rigid,
    rotate_vectors,
    transform_points,
)
from inspection_cell.surface.refinement import hold_along
from inspection_cell.surface.scene_judgement import Judged, ScenePart, judge_pose, render
from inspection_cell.surface.scene_view import SceneView

_STEPS_WITHIN = (3.0, 2.5, 2.0, 1.5, 1.5, 1.0, 1.0)  # distances that draw the pose, step by step
_DAMPING = 1e-2
_LEAST = 12
_SHRINKS = 0.92
_STARTS, _BEST = 40, 4  # of one hop: tried, and of them refined
_MOVE, _TURN = 0.14, 0.25  # first spread of the moves: in radii of the part, and radians


def drawn(
    view: SceneView, part: ScenePart, pose: Transform, within_m: float, last: float = 1.0
) -> Transform:
    """`transform_part_to_scene` after some steps towards the scene's surface.

    Args:
        view: of the scene.
        part: to be found.
        pose: to start from.
        within_m: distance within which the scene lies on the part.
        last: share of `within_m` that still draws in the last steps.
    """
    for times in _STEPS_WITHIN:
        step = _step(view, part, pose, max(times * last, last) * within_m)
        if step is None:
            break
        pose = moved(part, pose, step)
    return pose


def moved(part: ScenePart, pose: Transform, step: NDArray[np.float64]) -> Transform:
    """A pose turned about the part's centre (radians times radius) and shifted (metres)."""
    centre = transform_points(pose, part.centre[None])[0]
    turn = Rotation.from_rotvec(step[:3] / part.radius_m).as_matrix()
    return rigid(turn, centre + step[3:] - turn @ centre) @ pose


def hopped(
    view: SceneView,
    part: ScenePart,
    best: Judged,
    within_m: float,
    generator: np.random.Generator,
    hops: int,
) -> Judged:
    """The best of starts about a pose, each refined: noise leaves many places nearly as good.

    Basin hopping (Wales and Doye, "Global optimization by basin-hopping", 1997).
    """
    for _ in range(hops):
        spreads = np.linspace(0.2, 1.0, _STARTS)
        steps = generator.normal(size=(_STARTS, 6)) * _sizes(part) * spreads[:, None]
        starts = [moved(part, best.pose, step) for step in steps]
        starts += [drawn(view, part, start, within_m) for start in starts[::4]]
        judged = [judge_pose(view, part, start, within_m) for start in starts]
        ranked = sorted([best, *judged], key=lambda one: -one.score)
        tried = [
            tried_beside(view, part, one, within_m, generator, 25, 0.4) for one in ranked[:_BEST]
        ]
        best = max([best, *tried], key=lambda one: one.score)
    return best


def tried_beside(
    view: SceneView,
    part: ScenePart,
    judged: Judged,
    within_m: float,
    generator: np.random.Generator,
    rounds: int,
    spread: float = 1.0,
    tries: int = 10,
) -> Judged:
    """The best of seeded moves about a pose, ever smaller ones.

    Args:
        view: of the scene.
        part: to be found.
        judged: the pose to start from.
        within_m: distance within which the scene lies on the part.
        generator: of the moves.
        rounds: how often the moves shrink.
        spread: of the first moves, in their usual size.
        tries: moves of each round.
    """
    sizes = _sizes(part)
    for turn in range(rounds):
        for _ in range(tries):
            step = generator.normal(size=6) * sizes * spread * _SHRINKS**turn
            other = judge_pose(view, part, moved(part, judged.pose, step), within_m)
            if other.score > judged.score:
                judged = other
    return judged


def _sizes(part: ScenePart) -> NDArray[np.float64]:
    """(6,) usual first moves, as `moved` takes them."""
    sizes: NDArray[np.float64] = np.repeat((_TURN * part.radius_m, _MOVE * part.radius_m), 3)
    return sizes


def held(view: SceneView, part: ScenePart, pose: Transform, within_m: float) -> float:
    """How well what is seen of the part holds its weakest direction: as `Hold.weakest` says it.

    0 where a flat face could slide. The outline does not count: a larger thing has another one.
    """
    drawing = _drawing(view, part, pose, within_m)
    if drawing is None:
        return 0.0
    to_part = invert(pose)
    points = transform_points(to_part, drawing.points)
    normals = rotate_vectors(to_part, drawing.normals)
    gaps_m = drawing.gaps_m * drawing.slants
    return hold_along(points, normals, gaps_m, np.ones(len(gaps_m)), part.mesh).weakest(part.mesh)


@dataclass(frozen=True, slots=True)
class _Drawing:
    """The cells of a scene that a pose explains.

    Attributes:
        gaps_m: (N,) from the part to the scene along the rays.
        slants: (N,) cosines of the rays to the normals.
        points: (N, 3) of the scene, scene frame.
        normals: (N, 3) of the part there, scene frame.
    """

    gaps_m: NDArray[np.float64]
    slants: NDArray[np.float64]
    points: Points
    normals: Points


def _step(
    view: SceneView, part: ScenePart, pose: Transform, reach_m: float
) -> NDArray[np.float64] | None:
    """Least squares step (6,) as `moved` takes it; None where too little draws."""
    drawing = _drawing(view, part, pose, reach_m)
    if drawing is None:
        return None
    centre = transform_points(pose, part.centre[None])[0]
    lever = (drawing.points - centre) / part.radius_m
    normals = drawing.normals
    jacobian = np.concatenate([np.cross(lever, normals), normals], axis=1)
    weights = (1 - (drawing.gaps_m / reach_m) ** 2) ** 2
    weighted = jacobian * weights[:, None]
    damped = weighted.T @ jacobian + _DAMPING * weights.sum() * np.eye(6) * reach_m / part.radius_m
    drawn_m = drawing.gaps_m * drawing.slants
    solved: NDArray[np.float64] = np.linalg.solve(damped, weighted.T @ drawn_m)
    return solved


def _drawing(view: SceneView, part: ScenePart, pose: Transform, reach_m: float) -> _Drawing | None:
    """What of the scene lies on the part; None for too little."""
    rendered = render(view, part, pose)
    gaps = view.ranges_m[rendered.window] - rendered.ranges_m
    with np.errstate(invalid='ignore'):
        near = rendered.shown & view.stands_out[rendered.window] & (np.abs(gaps) < reach_m)
    rows = np.flatnonzero(near)
    if len(rows) < _LEAST:
        return None
    directions = view.directions[rendered.window].reshape(-1, 3)[rows]
    normals = rendered.normals[rows]
    ranges, gap = rendered.ranges_m.reshape(-1)[rows], gaps.reshape(-1)[rows]
    points = view.sensor + directions * (ranges + gap)[:, None]
    return _Drawing(gap, np.einsum('ij,ij->i', normals, directions), points, normals)
