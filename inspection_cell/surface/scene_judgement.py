"""How well a pose of a part explains what a sensor saw of a scene.

The part is rendered at the pose into the directions of the scan. Where the scan lies behind the
rendered surface, the sensor looked through the part: that speaks against the pose. Where it lies
in front, something hides the part: that says nothing. Where the surface coincides with a table
or floor, that says nothing either. Where the scene goes on beside the part's outline as if there
were none, a larger thing lies there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from inspection_cell.geometry import Points, Transform, invert, rotate_vectors, transform_points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.scene_view import SceneView

LEAST_CELLS = 20
_MOST_REAR = 0.3  # share of the cells that may show the inside of an open mesh
_OUTLINE_CELLS = (1.01, 2.3)  # beside the part, where its surface must have ended
_HIDDEN, _MERGED = 0.5, 0.5  # against, in units of a cell explained
_CONTINUED = 1.0  # the same for all cells, when the scene goes on all around


@dataclass(frozen=True, slots=True, eq=False)
class ScenePart:
    """A part to be found: its surface, the middle of its box, and the ball about it.

    Attributes:
        mesh: the reference, part frame.
        centre: (3,) metres.
        radius_m: of the ball about `centre` that holds the part.
    """

    mesh: ReferenceMesh
    centre: NDArray[np.float64]
    radius_m: float


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A pose and what the scene says to it; shares are of the cells that show the part.

    Attributes:
        pose: `transform_part_to_scene`.
        score: square metres explained less those that contradict: larger poses prove more.
        cells: that show the part's surface.
        explained: where the scene lies on the surface and stands out.
        looked_through: where the scene lies behind: no part there.
        hidden: where the scene lies in front.
        merged: where the surface is part of a table or floor.
        continued: of the cells beside the outline, where the scene goes on in the surface.
    """

    pose: Transform
    score: float
    cells: int = 0
    explained: float = 0.0
    looked_through: float = 0.0
    hidden: float = 0.0
    merged: float = 0.0
    continued: float = 0.0

    @property
    def share(self) -> float:
        """Of the surface that nothing hides, what the scene explains."""
        return self.explained / max(1.0 - self.hidden, 1e-9)


@dataclass(frozen=True, slots=True, eq=False)
class Rendered:
    """The part at a pose, in a window of the view.

    Attributes:
        ranges_m: (h, w) inf beside the part.
        shown: (h, w) where the outer side of the surface is seen.
        normals: (h * w, 3) scene frame; meaningless beside the part.
    """

    window: tuple[slice, slice]
    ranges_m: NDArray[np.float64]
    shown: NDArray[np.bool_]
    normals: Points


def scene_part(mesh: ReferenceMesh) -> ScenePart:
    """What a search needs of a reference."""
    low, high = mesh.bounds_m
    centre = (low + high) / 2
    radius_m = float(np.linalg.norm(mesh.vertices - centre, axis=1).max())
    return ScenePart(mesh, centre, radius_m)


def render(view: SceneView, part: ScenePart, pose: Transform) -> Rendered:
    """Cast the view's rays at the part."""
    window = view.window(transform_points(pose, part.centre[None])[0], part.radius_m)
    directions = view.directions[window].reshape(-1, 3)
    shape = view.ranges_m[window].shape
    if len(directions) == 0:
        nothing = np.zeros(shape, dtype=np.bool_)
        return Rendered(window, np.full(shape, np.inf), nothing, directions)
    to_part = invert(pose)
    sensor = transform_points(to_part, view.sensor[None])
    ranges, faces = part.mesh.cast_from(sensor, rotate_vectors(to_part, directions))
    hit = np.isfinite(ranges)
    normals = np.zeros((len(directions), 3))
    normals[hit] = rotate_vectors(pose, part.mesh.normals[faces[hit]])
    shown = hit & (np.einsum('ij,ij->i', normals, directions) < 0)
    return Rendered(
        window, ranges.astype(np.float64).reshape(shape), shown.reshape(shape), normals
    )


def judge_pose(view: SceneView, part: ScenePart, pose: Transform, within_m: float) -> Judged:
    """Compare a pose with the scene.

    Args:
        view: of the scene.
        part: to be found.
        pose: `transform_part_to_scene`.
        within_m: distance within which the scene lies on the part.
    """
    rendered = render(view, part, pose)
    shown = rendered.shown
    cells, hit = int(shown.sum()), np.isfinite(rendered.ranges_m)
    if cells < LEAST_CELLS or cells < (1 - _MOST_REAR) * hit.sum():
        return Judged(pose, -1.0, cells)
    gaps = (view.ranges_m[rendered.window] - rendered.ranges_m)[shown] / within_m
    gaps = np.where(np.isnan(gaps), np.inf, gaps)
    measured, out = np.isfinite(gaps), view.stands_out[rendered.window][shown]
    near = np.abs(gaps) < 1
    beside = _beside(view, rendered, hit) / view.within_m
    continued = float(np.clip(2 - np.abs(beside), 0, 1).sum()) / max(len(beside), 1)
    for_it = np.sum(1 - gaps[near & out] ** 2)
    against = (
        np.clip(gaps[measured] - 1, 0, 1).sum()
        + _HIDDEN * np.clip(-gaps - 1, 0, 1).sum()
        + _MERGED * np.sum(near & ~out)
        + _CONTINUED * continued * cells
    )
    cell_m2 = (float(np.median(rendered.ranges_m[shown])) * view.cell_rad) ** 2
    return Judged(
        pose,
        float(for_it - against) * cell_m2,
        cells,
        explained=float(np.mean(near & out)),
        looked_through=float(np.mean(measured & (gaps >= 1))),
        hidden=float(np.mean(gaps <= -1)),
        merged=float(np.mean(near & ~out)),
        continued=continued,
    )


def _beside(view: SceneView, rendered: Rendered, hit: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(B,) how far behind the part's edge the scene lies beside it; inf for what is no thing."""
    distances, nearest = distance_transform_edt(~hit, return_indices=True)
    low, high = _OUTLINE_CELLS
    ring = (distances > low) & (distances < high)
    edge = tuple(index[ring] for index in nearest)
    kept = rendered.shown[edge]
    gaps = view.ranges_m[rendered.window][ring] - rendered.ranges_m[edge]
    thing = view.stands_out[rendered.window][ring] & np.isfinite(gaps)
    gaps_there: NDArray[np.float64] = np.where(thing, gaps, np.inf)[kept]
    return gaps_there
