"""Where a missing feature is missing: at its place by the recipe, whatever its box shows.

A box around a pin that is not there lies on what is behind it, or on nothing at all; rays through
it would place the finding on the wall beyond, or beside the part.
"""

from dataclasses import dataclass, replace

import numpy as np
import open3d as o3d
from numpy.typing import NDArray

from inspection_cell.findings import ViewFindings
from inspection_cell.fusion.projection import Located
from inspection_cell.geometry import Points, Transform, transform_points
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh


@dataclass(frozen=True, slots=True)
class MissingFeature:
    """What findings of one label miss.

    Attributes:
        label: of the findings: `missing_<feature>`.
        places_m: (N, 3) where the feature should be, part frame.
        normals: (N, 3) outward, of the surface nearest to each place.
        gate_m: greatest distance of a box from its place.
    """

    label: str
    places_m: Points
    normals: Points
    gate_m: float


def missing_features(recipe: Recipe, reference: ReferenceMesh) -> tuple[MissingFeature, ...]:
    """Those features of a recipe whose places are known."""
    detection = recipe.file.detection
    found = []
    for feature in detection.features if detection else ():
        if not feature.positions_mm:
            continue
        places = np.array(feature.positions_mm, dtype=np.float64) / 1000.0
        query = o3d.core.Tensor.from_numpy(places.astype(np.float32))
        nearest = reference.scene.compute_closest_points(query)['primitive_ids'].numpy()
        normals = reference.normals[nearest].astype(np.float64)
        label = f'missing_{feature.label}'
        found.append(MissingFeature(label, places, normals, feature.gate_mm / 1000.0))
    return tuple(found)


def put_in_place(
    located: Located,
    feature: MissingFeature,
    view: ViewFindings,
    transform_part_to_sensor: Transform,
) -> Located:
    """The finding at the place whose box it is; as it came, where it is the box of none.

    Args:
        located: a finding of the feature's label in a camera view.
        feature: that it misses.
        view: with the pose that was reported, by which the box was drawn.
        transform_part_to_sensor: the best known pose.
    """
    camera, box, reported = (
        view.intrinsics,
        located.finding.box_px,
        view.transform_part_to_sensor,
    )
    if camera is None or box is None or reported is None:
        return located
    in_camera = transform_points(reported, feature.places_m)
    apart_px = np.linalg.norm(camera.project(in_camera) - (box[:2] + box[2:]) / 2.0, axis=1)
    apart_m = apart_px * in_camera[:, 2] / camera.fx
    if not np.isfinite(apart_m).any() or np.nanmin(apart_m) > feature.gate_m * (1.0 + 1e-6):
        return located
    nearest = int(np.nanargmin(apart_m))
    place = feature.places_m[nearest]
    depth_m = float(transform_points(transform_part_to_sensor, place[None])[0, 2])
    placed = replace(located, position_m=place, normal=feature.normals[nearest], off_part=False)
    if not located.off_part:
        return placed
    size_px: NDArray[np.float64] = box[2:] - box[:2]
    return replace(
        placed,
        extent_m=place[None],
        least_mm=float(np.linalg.norm(size_px)) * depth_m / camera.fx * 1000.0,
        camera=camera,
        transform_part_to_sensor=transform_part_to_sensor,
        pixels_per_m=camera.fx / depth_m,
    )
