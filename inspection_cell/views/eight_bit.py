"""Images of other depths as 8 bit pixels, the only ones that a detector and a screen know."""

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.observations import Image

LOW_PERCENTILE, HIGH_PERCENTILE = 0.5, 99.5


def to_eight_bit(image: Image) -> Image:
    """The same picture in 8 bit; 8 bit images come back as they are.

    16 bit and float images are stretched from their 0.5 to their 99.5 percentile: drivers put 10,
    12 or 16 significant bits into 16, and floats have no fixed range.

    Raises:
        DataError: for an image without any contrast or without valid pixels.
    """
    if image.pixels.dtype == np.uint8:
        return image
    values = image.pixels.astype(np.float32)
    valid = np.isfinite(values)
    if not valid.any():
        raise DataError('image: expected finite pixels, all are NaN or infinite')
    low, high = np.percentile(values[valid], (LOW_PERCENTILE, HIGH_PERCENTILE))
    if high <= low:
        raise DataError(f'image: {image.pixels.dtype} pixels without contrast (all about {low:g})')
    stretched = np.where(valid, (values - low) / (high - low), 0.0).clip(0.0, 1.0)
    pixels: NDArray[np.uint8] = (stretched * 255.0).round().astype(np.uint8)
    return Image(pixels)
