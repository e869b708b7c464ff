"""Whether the features that a recipe expects lie where cameras can tell them and see them."""

from collections.abc import Iterator

import numpy as np
import open3d as o3d
from numpy.typing import NDArray
from scipy.spatial.distance import pdist, squareform

from inspection_cell.cell import Cell
from inspection_cell.errors import ConfigError, Problem
from inspection_cell.geometry import Points, invert
from inspection_cell.mesh_check import check_mesh
from inspection_cell.named_poses import named_pose
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh
from inspection_cell.sections.detection import Feature
from inspection_cell.views.presence import OCCLUSION_M, shows_features

FARTHEST = 0.25  # of the part's diagonal, beside its surface


def check_features(recipe: Recipe, reference: ReferenceMesh) -> None:
    """Refuse positions deep inside the part, far beside it, or too near to each other.

    Metres for millimetres, or another origin: such a feature would never be looked for.

    Raises:
        ConfigError: with every such position.
    """
    detection = recipe.file.detection
    problems = [
        Problem(f'detection.features.{index}.positions_mm.{place}', value, allowed)
        for index, feature in enumerate(detection.features if detection else ())
        if feature.positions_mm
        for place, value, allowed in _misplaced(feature, reference)
    ]
    if problems:
        raise ConfigError(recipe.path, problems)


def check_seen(recipe: Recipe, reference: ReferenceMesh, cell: Cell) -> None:
    """Refuse positions that no camera sees at any pose of the recipe, as far as poses are known.

    Raises:
        ConfigError: with every such position.
    """
    detection, cameras = recipe.file.detection, cell.cameras
    views = [
        ViewKey(name, sensor)
        for name, held in recipe.file.presentations.items()
        for sensor in held.sensors
        if sensor in cameras
    ]
    problems = []
    known = [
        (cameras[view.sensor].intrinsics, named_pose(cell, recipe, view), view) for view in views
    ]
    if detection is None or any(one is None or pose is None for one, pose, _ in known):
        return
    for index, feature in enumerate(detection.features):
        points = np.array(feature.positions_mm, dtype=np.float64).reshape(-1, 3) / 1000.0
        seen = np.zeros(len(points), dtype=np.bool_)
        for intrinsics, pose, view in known:
            part_to_cell = recipe.file.presentations[view.presentation].pose.transform()
            if intrinsics is not None and pose is not None:
                to_sensor = invert(pose) @ part_to_cell
                seen |= shows_features(reference, intrinsics.value(), to_sensor, points)
        problems += [
            Problem(
                f'detection.features.{index}.positions_mm.{place}',
                f'{list(feature.positions_mm[place])}: no camera sees it',
                f'a place that a camera of {cell.path.name} sees at a pose of the recipe',
            )
            for place in np.flatnonzero(~seen)
        ]
    if problems:
        raise ConfigError(recipe.path, problems)


def _misplaced(feature: Feature, reference: ReferenceMesh) -> Iterator[tuple[int, str, str]]:
    """Index, value and what is allowed, of each position that cannot be meant."""
    points = np.array(feature.positions_mm, dtype=np.float64) / 1000.0
    apart_mm = 1e3 * squareform(pdist(points)) + np.diag(np.full(len(points), np.inf))
    for place, depth_m in enumerate(_depths_m(reference, points)):
        value = f'{list(feature.positions_mm[place])}'
        if not -FARTHEST * reference.diagonal_m <= depth_m <= OCCLUSION_M:
            where = 'inside the part' if depth_m > 0 else 'beside the part'
            told = f'{value}: {1e3 * abs(depth_m):.3g} mm {where}'
            yield place, told, 'a place on the surface, part frame, mm'
        elif (nearest := apart_mm[place].min(initial=np.inf)) < feature.gate_mm:
            told = f'{value}: {nearest:.3g} mm from another'
            yield place, told, f'at least gate_mm apart, {feature.gate_mm:g} mm'


def _depths_m(reference: ReferenceMesh, points: Points) -> NDArray[np.float64]:
    """How deep points (N, 3) lie inside, metres; negative outside, and where nothing is inside."""
    if not check_mesh(reference.vertices, reference.triangles).is_closed:
        return -reference.distances_m(points)
    query = o3d.core.Tensor.from_numpy(points.astype(np.float32))
    depths: NDArray[np.float64] = -reference.scene.compute_signed_distance(query).numpy()
    return depths.astype(np.float64)
