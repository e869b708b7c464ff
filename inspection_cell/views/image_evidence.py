"""The pictures that an inspected camera view leaves behind."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import StoreError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import EvidenceFile
from inspection_cell.observations import Observation, ShotImage

JPEG_QUALITY = 95


def write_images(
    folder: EvidenceFolder | None,
    observation: Observation,
    looks: Sequence[ShotImage],
    annotated: Sequence[NDArray[np.uint8]],
) -> tuple[EvidenceFile, ...]:
    """Write the 8 bit images of a view and their annotated copies (BGR) as JPEG.

    Nothing is written without a folder. The files of a lighting sequence are named by its shots.

    Raises:
        StoreError: when a file cannot be written.
    """
    if folder is None:
        return ()
    inspection_id, view = observation.inspection_id, observation.view
    return tuple(
        folder.write(inspection_id, view, kind, '.jpg', _jpeg(pixels), look.shot)
        for look, drawn in zip(looks, annotated, strict=True)
        for kind, pixels in (
            ('image', look.image.pixels.astype(np.uint8, copy=False)),
            ('annotated', drawn),
        )
    )


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    done, buffer = cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise StoreError(f'image {pixels.shape}: cannot be written as JPEG')
    return bytes(buffer)
