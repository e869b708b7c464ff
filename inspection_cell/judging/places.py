"""In which zones of the recipe a defect lies, for certain or perhaps."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from inspection_cell.findings import Defect
from inspection_cell.geometry import Points
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh
from inspection_cell.zones import SurfaceZone, resolve_zones

OPPOSED = -0.5  # cosine between normals below which surface is another side of the part
_STEP_M = 5e-4  # between points of a defect, as far as they are not too few or many
_LEAST_SIDE, _MOST_SIDE = 7, 81  # points along its diameter
_LAYERS = (-0.5, 0.0, 0.5)  # below, on and above the surface, of the reach: it may be bent


@dataclass(frozen=True, slots=True)
class Place:
    """Where a defect lies.

    Attributes:
        touched: names of the zones that it may touch.
        inside: of those, which of the defect's points (N,) lie in them.
    """

    touched: frozenset[str] = frozenset()
    inside: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    def lies_in(self, zones: Collection[str]) -> bool:
        """Whether all of it lies in these zones, taken together."""
        own = [self.inside[name] for name in zones if name in self.inside]
        return bool(own) and bool(np.any(own, axis=0).all())


class DefectPlaces:
    """Tells the zones of defects on one reference mesh."""

    def __init__(self, recipe: Recipe, reference: ReferenceMesh | None) -> None:
        """Resolve the zones; raises ConfigError for those that the mesh cannot serve."""
        self._names = frozenset(recipe.file.zones)
        self._reference = reference
        self._zones = (
            {} if reference is None or not self._names else _resolved(_Named.of(recipe, reference))
        )

    def of(self, defect: Defect) -> Place:
        """The zones of one defect: of all surface within its reach, on its side of the part.

        The reach is that of its findings, at least half of its longest extent, and the expanded
        uncertainty (k = 2) of its position. A defect without a position may touch every zone, and
        lies in none for certain.
        """
        if not self._names:
            return Place()
        if self._reference is None or defect.position_m is None:
            return Place(self._names)
        points, triangles = self._around(self._reference, defect, defect.position_m)
        inside = {name: zone.contains(points, triangles) for name, zone in self._zones.items()}
        touched = {name: own for name, own in inside.items() if own.any()}
        return Place(frozenset(touched), touched)

    def _around(
        self, reference: ReferenceMesh, defect: Defect, position_m: NDArray[np.float64]
    ) -> tuple[Points, NDArray[np.uint32]]:
        """Surface points (N, 3) within the defect's reach, and their triangles (N,)."""
        own_mm = max(defect.reach_mm, defect.length_mm / 2, defect.width_mm / 2)
        reach_m = (own_mm + 2 * defect.position_sigma_mm) / 1e3
        middle, triangle = _closest(reference, position_m[None])
        normal = reference.normals[triangle[0]] if defect.normal is None else defect.normal
        side = min(max(round(2 * reach_m / _STEP_M) + 1, _LEAST_SIDE), _MOST_SIDE)
        around = middle[0] + reach_m * _disc(np.asarray(normal), side)
        points, triangles = _closest(reference, around)
        # Of a large defect, the points of the disc may lie on both sides of a narrow zone.
        points = np.concatenate([points, reference.samples])
        triangles = np.concatenate([triangles, reference.sample_triangles])
        near = np.linalg.norm(points - middle[0], axis=1) <= reach_m + 1e-9
        near &= reference.normals[triangles] @ normal > OPPOSED
        return (
            np.concatenate([middle, points[near]]),
            np.concatenate([triangle, triangles[near]]),
        )


@dataclass(frozen=True, slots=True)
class _Named:
    """The zones of a recipe on a mesh, as a key."""

    reference: ReferenceMesh
    zones: str
    recipe: Recipe = field(compare=False)

    @classmethod
    def of(cls, recipe: Recipe, reference: ReferenceMesh) -> '_Named':
        return cls(reference, repr(recipe.file.zones), recipe)


@lru_cache(maxsize=8)
def _resolved(named: _Named) -> Mapping[str, SurfaceZone]:
    return resolve_zones(named.recipe, named.reference)


def _disc(normal: NDArray[np.float64], side: int) -> Points:
    """Points (N, 3) of a disc with radius 1 across `normal`, in layers along it."""
    across = np.linalg.svd(normal[None])[2][1:]  # (2, 3) unit, at right angles
    steps = np.linspace(-1.0, 1.0, side)
    flat = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    flat = flat[np.linalg.norm(flat, axis=1) <= 1.0]
    layers = [flat @ across + layer * normal for layer in _LAYERS]
    points: Points = np.concatenate(layers)
    return points


def _closest(reference: ReferenceMesh, points: Points) -> tuple[Points, NDArray[np.uint32]]:
    tensor = o3d.core.Tensor.from_numpy(np.ascontiguousarray(points, dtype=np.float32))
    found = reference.scene.compute_closest_points(tensor)
    return found['points'].numpy().astype(np.float64), found['primitive_ids'].numpy()
