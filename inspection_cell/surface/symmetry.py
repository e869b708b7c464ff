"""Which rotations map the part onto itself, exactly or nearly.

Even rotations about the part's centre are aligned with the part itself; the axes of what fits,
and the principal axes, are then searched angle by angle. What remains is verified by distances
of surface samples both ways.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from inspection_cell.geometry import (
    Points,
    Transform,
    invert,
    pose_difference,
    rigid,
    transform_points,
)
from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.batch_alignment import Poses, align, distinct, even_rotations
from inspection_cell.surface.coarse_field import CoarseField
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.refinement import refine

TOLERANCE = 1e-3  # of the part's diagonal, where none is given
_STARTS = 800
_POINTS = 240
_VERIFIED = 1500  # samples measured exactly
_WIDTHS = (0.12, 0.12, 0.08, 0.06, 0.06, 0.04, 0.04, 0.04)  # of the diagonal
_SCORED = 0.02
_NEAR = 0.6  # cost below which a map onto itself is worth keeping as a near one
_MOST_NEAR = 40
_MOST_AXES = 12
_ANGLES = 360
_ODD_DEG = (17.3, 41.9, 71.7, 103.1, 133.3, 161.9)  # without common part
_HOPELESS = 8.0  # tolerances of the median before refinement, beyond which none is tried
_SAME_DEG = 1.5
_BORDERLINE = 2.0  # tolerances within which a product of two symmetries is one as well
_MOST_TURNS = 120


@dataclass(frozen=True, slots=True)
class SelfMap:
    """One rotation that maps the part onto itself.

    Attributes:
        transform_part_to_part: maps the part's surface onto itself.
        worst_mm: 99th percentile of the distances, the worse of both ways.
    """

    transform_part_to_part: Transform
    worst_mm: float


IDENTITY = SelfMap(np.eye(4), 0.0)


@dataclass(frozen=True, slots=True)
class Symmetry:
    """The rotations of a part that nobody can tell apart.

    Attributes:
        tolerance_mm: within which the part must map onto itself.
        centre_m: (3,) of the surface, part frame.
        turns: finite rotations, identity first; of a turned body one of each family.
        axis: (3,) unit, about which every angle maps the part onto itself; None without.
        axis_worst_mm: of the angles tried about the axis.
        sphere: every rotation about the centre maps the part onto itself.
        near: rotations that nearly do: to be told apart with care.
        mirrors: reflections (determinant -1) that do or nearly do.
    """

    tolerance_mm: float
    centre_m: NDArray[np.float64]
    turns: tuple[SelfMap, ...]
    axis: NDArray[np.float64] | None = None
    axis_worst_mm: float = 0.0
    sphere: bool = False
    near: tuple[Transform, ...] = ()
    mirrors: tuple[Transform, ...] = ()

    @property
    def text(self) -> str:
        """What the symmetry is, to be shown; empty for a part without."""
        if self.sphere:
            return 'the part is a ball: its orientation cannot be told'
        if self.axis is not None:
            named = ', '.join(f'{value:.2f}' for value in self.axis)
            return f'the part is turned about ({named}): its angle about that axis cannot be told'
        if len(self.turns) > 1:
            return f'the part looks the same in {len(self.turns)} orientations'
        return ''


def find_symmetry(
    field: DeviationField, coarse: CoarseField, tolerance_mm: float | None = None
) -> Symmetry:
    """Analyse the reference of a field: a pure function of the mesh and the tolerance.

    Args:
        field: of the reference.
        coarse: of the same reference.
        tolerance_mm: within which the part must map onto itself; default a thousandth of its
            diagonal.
    """
    reference = field.reference
    if tolerance_mm is None:
        tolerance_mm = TOLERANCE * reference.diagonal_m * 1e3
    centre = _centre(reference)
    maps = self_maps(coarse, centre)
    axes = _axes(maps, reference.samples - centre)
    free = [found for axis in axes if (found := _free(axis, centre, field, tolerance_mm))]
    sphere = any(abs(float(free[0][0] @ other)) < 0.9 for other, _ in free[1:])
    mirrors = tuple(self_maps(coarse, centre, mirrored=True))
    if sphere:
        return Symmetry(tolerance_mm, centre, (IDENTITY,), *free[0], sphere, mirrors=mirrors)
    about_axes = [_about_axis(axis, coarse, centre) for axis in axes]
    poses = np.concatenate([maps, *about_axes])
    if not free:
        turns, near = _verified(poses, field, tolerance_mm)
        return Symmetry(tolerance_mm, centre, turns, near=near, mirrors=mirrors)
    axis, worst_mm = min(free, key=lambda found: found[1])
    others = np.array([pose for pose in poses if not _about_the(axis, pose)])
    turns, near = _verified(others, field, tolerance_mm)
    turns = _families(turns, axis, centre)
    near = tuple(pose for pose in near if not _about_the(axis, pose))
    return Symmetry(tolerance_mm, centre, turns, axis, worst_mm, sphere, near, mirrors)


def equivalents(
    transform_scan_to_part: Transform, near_pose: Transform, symmetry: Symmetry
) -> list[Transform]:
    """Poses that nobody can tell from one; about a free axis the one nearest to `near_pose`."""
    if symmetry.sphere:
        centre_scan = transform_points(invert(transform_scan_to_part), symmetry.centre_m[None])[0]
        rotation = near_pose[:3, :3]
        return [rigid(rotation, symmetry.centre_m - rotation @ centre_scan)]
    poses = [turn.transform_part_to_part @ transform_scan_to_part for turn in symmetry.turns]
    if symmetry.axis is None:
        return poses
    return [_turned_near(pose, near_pose, symmetry.axis, symmetry.centre_m) for pose in poses]


def equivalent(
    pose_a: Transform, pose_b: Transform, symmetry: Symmetry, within_m: float, within_rad: float
) -> bool:
    """Whether two `transform_scan_to_part` differ by no more than a symmetry and a rest.

    Args:
        pose_a: one pose.
        pose_b: the other.
        symmetry: of the part.
        within_m: most that the part's centre may lie apart.
        within_rad: most that the part may be turned.
    """
    apart = (
        offset(pose, pose_b, symmetry.centre_m) for pose in equivalents(pose_a, pose_b, symmetry)
    )
    return any(shift <= within_m and angle <= within_rad for shift, angle in apart)


def offset(
    pose_a: Transform, pose_b: Transform, centre_part_m: NDArray[np.float64]
) -> tuple[float, float]:
    """How far the part's centre lies apart (metres) and how much it is turned (radians)."""
    delta = pose_a @ invert(pose_b)
    moved = transform_points(delta, centre_part_m[None])[0] - centre_part_m
    return float(np.linalg.norm(moved)), pose_difference(np.eye(4), delta)[1]


def _turned_near(
    pose: Transform,
    near_pose: Transform,
    axis: NDArray[np.float64],
    centre: NDArray[np.float64],
) -> Transform:
    delta = near_pose[:3, :3] @ pose[:3, :3].T
    # The angle that maximises trace(delta' R(axis, angle)).
    across = delta - axis[:, None] * (axis @ delta)
    skew = np.array(
        [delta[2, 1] - delta[1, 2], delta[0, 2] - delta[2, 0], delta[1, 0] - delta[0, 1]]
    )
    angle = np.arctan2(axis @ skew, np.trace(across))
    return about(centre, axis * angle) @ pose


def about(centre: NDArray[np.float64], rotation_vector: NDArray[np.float64]) -> Transform:
    """A rotation about a point."""
    rotation = Rotation.from_rotvec(rotation_vector).as_matrix()
    return rigid(rotation, centre - rotation @ centre)


def self_maps(
    coarse: CoarseField, centre: NDArray[np.float64], *, mirrored: bool = False
) -> Poses:
    """(K, 4, 4) distinct maps of the part onto itself, good or fair, best first."""
    points, normals = _few(coarse)
    flip = np.array([-1.0, 1.0, 1.0]) if mirrored else np.ones(3)
    points, normals = (points - centre) * flip + centre, normals * flip
    poses = np.tile(np.eye(4), (_STARTS, 1, 1))
    poses[:, :3, :3] = even_rotations(_STARTS)
    poses[:, :3, 3] = centre - poses[:, :3, :3] @ centre
    widths_m = [width * coarse.diagonal_m for width in _WIDTHS]
    scored_m = _SCORED * coarse.diagonal_m
    poses, costs = align(poses, points, normals, coarse, widths_m, scored_m)
    rows = distinct(poses, costs, points, 0.03 * coarse.diagonal_m, 2 * _MOST_NEAR)
    rows = rows[costs[rows] < _NEAR]
    reflection = np.diag([*flip, 1.0])
    reflection[:3, 3] = centre - flip * centre
    found: Poses = poses[rows] @ reflection
    return found


def _few(coarse: CoarseField) -> tuple[Points, Points]:
    step = len(coarse.samples) // _POINTS
    return coarse.samples[::step].astype(np.float64), coarse.normals[::step].astype(np.float64)


def _centre(reference: ReferenceMesh) -> NDArray[np.float64]:
    middles = reference.vertices[reference.triangles].mean(axis=1)
    centre: NDArray[np.float64] = reference.areas @ middles / reference.areas.sum()
    return centre


def _axes(maps: Poses, centred: Points) -> list[NDArray[np.float64]]:
    """Directions worth searching: principal axes, and those of rotations that nearly fit."""
    vectors = list(np.linalg.eigh(centred.T @ centred)[1].T)
    turns = Rotation.from_matrix(maps[:, :3, :3]).as_rotvec()
    angles = np.linalg.norm(turns, axis=1)
    vectors += list(turns[angles > np.radians(8)] / angles[angles > np.radians(8), None])
    kept: list[NDArray[np.float64]] = []
    for vector in vectors:
        if all(abs(float(vector @ other)) < np.cos(np.radians(4)) for other in kept):
            kept.append(vector)
    return kept[:_MOST_AXES]


def _about_axis(
    axis: NDArray[np.float64], coarse: CoarseField, centre: NDArray[np.float64]
) -> Poses:
    """Rotations about an axis at which the part fits itself better than just beside."""
    points, normals = _few(coarse)
    angles = np.arange(_ANGLES) * 2 * np.pi / _ANGLES
    poses = np.stack([about(centre, axis * angle) for angle in angles])
    _, costs = align(poses, points, normals, coarse, (), _SCORED * coarse.diagonal_m)
    lowest = (costs <= np.roll(costs, 1)) & (costs <= np.roll(costs, -1)) & (costs < _NEAR)
    lowest[0] = False
    rows = np.flatnonzero(lowest)
    best: Poses = poses[rows[np.argsort(costs[rows], kind='stable')][:_MOST_NEAR]]
    return best


def _free(
    axis: NDArray[np.float64],
    centre: NDArray[np.float64],
    field: DeviationField,
    tolerance_mm: float,
) -> tuple[NDArray[np.float64], float] | None:
    """The exact axis and the worst distance when odd angles about an axis all fit."""
    exact, worst = [], 0.0
    few = field.reference.samples[:: len(field.reference.samples) // 600]
    for degrees in _ODD_DEG:
        pose = about(centre, axis * np.radians(degrees))
        if _median_mm(pose, field, few) > _HOPELESS * tolerance_mm:
            return None
        pose = refine(few, pose, field, stop_m=1e-6)
        worst = max(worst, worst_mm(pose, field))
        turn = Rotation.from_matrix(pose[:3, :3]).as_rotvec()
        if worst > tolerance_mm or abs(np.linalg.norm(turn) - np.radians(degrees)) > 0.03:
            return None
        exact.append(turn / np.linalg.norm(turn))
    mean = np.mean(exact, axis=0)
    return mean / np.linalg.norm(mean), worst


def _median_mm(pose: Transform, field: DeviationField, points: Points) -> float:
    distances = np.abs(field.measure(transform_points(pose, points)).signed_m)
    return float(np.median(distances) * 1e3)


def worst_mm(transform_part_to_part: Transform, field: DeviationField) -> float:
    """How far a map takes the part's surface off itself, the worse of both ways.

    The greater of the 99th percentile over the surface and half the greatest distance, corners
    of the mesh included: small features are few samples.
    """
    reference = field.reference
    corners = reference.vertices[:: max(1, len(reference.vertices) // 6000)]
    points = np.concatenate([reference.samples, corners])
    worst = 0.0
    for way in (transform_part_to_part, invert(transform_part_to_part)):
        distances = np.abs(field.measure(transform_points(way, points)).signed_m)
        spread = np.percentile(distances[: len(reference.samples)], 99)
        worst = max(worst, float(spread), float(distances.max()) / 2)
    return worst * 1e3


def _verified(
    poses: Poses, field: DeviationField, tolerance_mm: float
) -> tuple[tuple[SelfMap, ...], tuple[Transform, ...]]:
    """Poses sorted into those that map the part onto itself, identity first, and near ones."""
    few = field.reference.samples[:: len(field.reference.samples) // 600]
    turns = [IDENTITY]
    near: list[Transform] = []
    for start in poses:
        known = [turn.transform_part_to_part for turn in turns] + near
        if _is_known(start, known):
            continue
        if _median_mm(start, field, few) > _HOPELESS * tolerance_mm:
            near.append(start)
            continue
        pose = refine(few, start, field, stop_m=1e-6)
        if _is_known(pose, known):
            continue
        worst = worst_mm(pose, field)
        if worst <= tolerance_mm:
            turns.append(SelfMap(pose, worst))
        else:
            near.append(pose)
    _close(turns, field, tolerance_mm)
    found = [turn.transform_part_to_part for turn in turns]
    rest = [pose for pose in near if not _is_known(pose, found)]
    return tuple(turns), tuple(rest[:_MOST_NEAR])


def _close(turns: list[SelfMap], field: DeviationField, tolerance_mm: float) -> None:
    """Add what follows from two of the turns: symmetries are a group.

    A product may exceed the tolerance as far as both of its factors reach.
    """
    for first in turns:
        for second in turns:
            if len(turns) >= _MOST_TURNS:
                return
            pose = first.transform_part_to_part @ second.transform_part_to_part
            known = [turn.transform_part_to_part for turn in turns]
            if _is_known(pose, known):
                continue
            worst = worst_mm(pose, field)
            if worst <= _BORDERLINE * tolerance_mm:
                turns.append(SelfMap(pose, worst))


def _is_known(pose: Transform, known: list[Transform]) -> bool:
    """Whether a rotation is among others; the centre is nearly fixed by all of them."""
    if not known:
        return False
    rotations = np.array(known)[:, :3, :3]
    traces = np.einsum('hij,ij->h', rotations, pose[:3, :3])
    return bool(traces.max() > 1 + 2 * np.cos(np.radians(_SAME_DEG)))


def _families(
    turns: tuple[SelfMap, ...], axis: NDArray[np.float64], centre: NDArray[np.float64]
) -> tuple[SelfMap, ...]:
    """Of maps that differ by a turn about the free axis, one."""
    flips = [
        turn for turn in turns if float(turn.transform_part_to_part[:3, :3] @ axis @ axis) < 0
    ]
    return (turns[0], *flips[:1])


def _about_the(axis: NDArray[np.float64], pose: Transform) -> bool:
    return bool(pose[:3, :3] @ axis @ axis > np.cos(np.radians(3)))
