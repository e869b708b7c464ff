"""What of an image the detector has looked at: the part's window, which a scan may find too small.

The window is cut around the part as the robot reports it. Where a scan tells that the part stands
elsewhere, some of it may lie beside the window: in the image, but never shown to the detector.
"""

import numpy as np
from numpy.typing import NDArray

from inspection_cell.cell import Cell
from inspection_cell.findings import ViewFindings
from inspection_cell.geometry import Transform, transform_points
from inspection_cell.recipe import Recipe
from inspection_cell.reference import ReferenceMesh
from inspection_cell.views.windows import LEAST_MARGIN_PX, PartWindows

BESIDE_THE_AXIS = 1.5  # a movement in depth moves what lies beside the optical axis as well


class LookedAt:
    """Tells the windows that matter; one for each recipe, held by who inspects parts."""

    def __init__(self, recipe: Recipe, reference: ReferenceMesh, cell: Cell) -> None:
        """Take what the detector takes."""
        self._windows = PartWindows(recipe, reference, cell)
        self._corners = reference.corners

    def window(
        self, view: ViewFindings, transform_part_to_sensor: Transform
    ) -> NDArray[np.intp] | None:
        """The window (4,) of a view, x0, y0, x1, y1; None where all of the part is within.

        Args:
            view: of a camera, with the pose that was reported.
            transform_part_to_sensor: the best known pose.
        """
        camera, reported = view.intrinsics, view.transform_part_to_sensor
        if camera is None or reported is None or reported is transform_part_to_sensor:
            return None
        here = transform_points(transform_part_to_sensor, self._corners)
        told = transform_points(reported, self._corners)
        nearest_m = min(here[:, 2].min(), told[:, 2].min())
        moved_m = np.linalg.norm(here - told, axis=1).max()
        reach_m = LEAST_MARGIN_PX * nearest_m / max(camera.fx, camera.fy)
        if BESIDE_THE_AXIS * moved_m <= reach_m:
            return None
        return self._windows.at(view.view, camera, reported, view.transform_sensor_to_cell)
