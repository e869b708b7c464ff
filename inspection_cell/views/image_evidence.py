"""The pictures that an inspected camera view leaves behind."""

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import StoreError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import EvidenceFile
from inspection_cell.observations import Image, Observation

JPEG_QUALITY = 95


def write_images(
    folder: EvidenceFolder | None,
    observation: Observation,
    image: Image,
    annotated: NDArray[np.uint8],
) -> tuple[EvidenceFile, ...]:
    """Write the 8 bit image and its annotated copy (BGR) as JPEG; nothing without a folder.

    Raises:
        StoreError: when a file cannot be written.
    """
    if folder is None:
        return ()
    plain = image.pixels.astype(np.uint8, copy=False)
    return tuple(
        folder.write(observation.inspection_id, observation.view, kind, '.jpg', _jpeg(pixels))
        for kind, pixels in (('image', plain), ('annotated', annotated))
    )


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    done, buffer = cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise StoreError(f'image {pixels.shape}: cannot be written as JPEG')
    return bytes(buffer)
