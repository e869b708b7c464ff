"""How much two outlines overlap."""

import cv2
import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.float64]
GRID = 256  # cells of the longer side


def outline_iou(first: Outline, second: Outline) -> float:
    """Intersection over union of the areas within two outlines (K, 2), (L, 2), on a fine grid."""
    points = np.vstack([first, second])
    low, side = points.min(axis=0), float(np.ptp(points, axis=0).max())
    if side <= 0:
        return 1.0
    masks = []
    for outline in (first, second):
        mask = np.zeros((GRID + 1, GRID + 1), dtype=np.uint8)
        cells = ((outline - low) / side * GRID).round().astype(np.int32)
        masks.append(cv2.fillPoly(mask, [cells], 1).astype(np.bool_))
    return float((masks[0] & masks[1]).sum() / max((masks[0] | masks[1]).sum(), 1))
