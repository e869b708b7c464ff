"""A part found in the scan of a scene, from files: `inspection_cell surface --scene`."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from inspection_cell.errors import DataError
from inspection_cell.locations import cache_folder, user_data_folder
from inspection_cell.reference import load_mesh
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.scene_search import MIN_EXPLAINED, FoundInScene, find_in_scene
from inspection_cell.surface_files import Units, load_points

WITHIN_MM = 2.0


@dataclass(frozen=True, slots=True)
class SceneRequest:
    """What a search in a scene is told.

    Attributes:
        sensor_mm: where the scan was taken from, scene frame.
        within_mm: distance within which the scene lies on the part.
        min_explained: share of the visible surface that must be explained.
        seed: of the search.
    """

    sensor_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    within_mm: float = WITHIN_MM
    min_explained: float = MIN_EXPLAINED
    seed: int = 0


@dataclass(frozen=True, slots=True)
class SceneResult:
    """Where the part is, and how long the search took."""

    found: FoundInScene
    seconds: float

    def as_json(self) -> dict[str, object]:
        """The fields of `surface --scene --json`."""
        return {
            'found': self.found.found,
            'reason': self.found.reason,
            'transform': self.found.transform_part_to_scene.tolist(),
            'explained': round(self.found.explained, 4),
            'contradicted': round(self.found.contradicted, 4),
            'seconds': round(self.seconds, 3),
        }


def find_in_files(
    reference: Path, scans: Sequence[Path], units: Units, request: SceneRequest
) -> SceneResult:
    """Search the part of a mesh file in the scan of a scene.

    Args:
        reference: mesh file (ply, stl, obj) in `units`.
        scans: one cloud file in `units`, taken from one place.
        units: of both files.
        request: what the search is told.

    Raises:
        DataError: for files that cannot be read, and for more than one scan.
    """
    begin = time.perf_counter()
    if len(scans) != 1:
        raise DataError(f'expected one scan of the scene, taken from one place; got {len(scans)}')
    field = DeviationField(load_mesh(reference, units), cache_folder(user_data_folder()))
    points = load_points(scans[0], units)
    found = find_in_scene(
        points,
        field,
        request.within_mm,
        request.seed,
        np.array(request.sensor_mm) / 1e3,
        request.min_explained,
    )
    return SceneResult(found, time.perf_counter() - begin)
