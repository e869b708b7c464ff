"""Outlines of masks: no piece may be lost, because the largest alone may be within its limit."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def outline_of(mask: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The outline (K, 2) of a mask that is not empty; around several pieces their hull."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if len(contours) == 1:
        return np.asarray(contours[0][:, 0, :], dtype=np.float64)
    return hull_of([contour[:, 0, :] for contour in contours])


def hull_of(outlines: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """The convex hull (K, 2) around several outlines."""
    hull = cv2.convexHull(np.concatenate(outlines).astype(np.float32))
    return np.asarray(hull.reshape(-1, 2), dtype=np.float64)
