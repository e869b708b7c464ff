"""The one way from an image to a network's input, and from its boxes back to the image.

All backends see the same pixels: what differs between them is then their arithmetic alone.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.observations import Image

STRIDE = 32  # the coarsest grid of the network
SHORTEST = 128  # exports choose the best 300 cells: a smaller input has fewer than 300
LARGEST = 8192 * 8192  # pixels that a network of this kind computes in a few GB
GREY = 114  # what the trainer pads with


@dataclass(frozen=True, slots=True)
class Fitted:
    """An image as the network takes it.

    Attributes:
        pixels: (H, W, 3) uint8, B, G, R, contiguous; H and W are multiples of the stride.
        scale: (2,) network pixels per image pixel, x and y.
        size: (2,) width and height of the image as it came.
    """

    pixels: NDArray[np.uint8]
    scale: NDArray[np.float64]
    size: NDArray[np.float64]

    def to_image(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points or boxes (..., 2 k) of the network's input in pixels of the image, unlimited."""
        shape = points.shape
        mapped: NDArray[np.float64] = (points.reshape(-1, 2) / self.scale).reshape(shape)
        return mapped

    def inside(self, boxes: NDArray[np.floating]) -> NDArray[np.float64]:
        """Boxes (N, 4) of the image, cut at its borders."""
        limits = np.tile(self.size, 2)
        cut: NDArray[np.float64] = boxes.astype(np.float64).clip(0, limits)
        return cut


def fit(image: Image, image_size: int | None = None) -> Fitted:
    """Scale the longest side to `image_size`; pad right and below with grey to the stride.

    Args:
        image: 8 bit pixels of any size.
        image_size: pixels; None: the image's own size.

    Raises:
        DataError: for pixels that are not 8 bit, or too many of them.
    """
    pixels = image.pixels
    if pixels.dtype != np.uint8:
        raise DataError(f'detector: expected 8 bit pixels, got {pixels.dtype}')
    height, width = pixels.shape[:2]
    fitted_width, fitted_height = _fitted_size(width, height, image_size)
    if fitted_width * fitted_height > LARGEST:
        raise DataError(
            f'detector: expected at most {LARGEST // 10**6} million pixels at once, got '
            f'{width}×{height}: set image_size or slicing in the recipe'
        )
    if (fitted_width, fitted_height) != (width, height):
        way = cv2.INTER_AREA if fitted_width * fitted_height < width * height else cv2.INTER_LINEAR
        pixels = cv2.resize(pixels, (fitted_width, fitted_height), interpolation=way)
    if pixels.ndim == 2:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    scale = np.array([fitted_width / width, fitted_height / height])
    padded = _padded(pixels.astype(np.uint8, copy=False))
    return Fitted(padded, scale, np.array([width, height], dtype=np.float64))


def _fitted_size(width: int, height: int, image_size: int | None) -> tuple[int, int]:
    if image_size is None:
        return width, height
    scale = image_size / max(width, height)
    return max(round(width * scale), 1), max(round(height * scale), 1)


def _padded(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    below, right = (max(side + -side % STRIDE, SHORTEST) - side for side in (height, width))
    if not below and not right:
        return np.ascontiguousarray(pixels)
    grey = (GREY, GREY, GREY)
    border = cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_CONSTANT, value=grey)
    return np.asarray(border, dtype=np.uint8)
