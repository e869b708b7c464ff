"""The images that an inspected camera view leaves behind."""

from collections.abc import Sequence

import cv2
import numpy as np

from inspection_cell.errors import StoreError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import EvidenceFile
from inspection_cell.observations import Image, Observation, ShotImage

JPEG_QUALITY = 95


def write_images(
    folder: EvidenceFolder | None,
    observation: Observation,
    looks: Sequence[ShotImage],
) -> tuple[EvidenceFile, ...]:
    """Write the 8 bit images of a view as JPEG; what was found is drawn into them when asked for.

    Nothing is written without a folder. The files of a lighting sequence are named by its shots.

    Raises:
        StoreError: when a file cannot be written.
    """
    if folder is None:
        return ()
    inspection_id, view = observation.inspection_id, observation.view
    return tuple(
        folder.write(inspection_id, view, 'image', '.jpg', _jpeg(look.image), look.shot)
        for look in looks
    )


def _jpeg(image: Image) -> bytes:
    pixels = image.pixels.astype(np.uint8, copy=False)
    done, buffer = cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise StoreError(f'image {pixels.shape}: cannot be written as JPEG')
    return bytes(buffer)
