"""Compressed images: JPEG and PNG, complete or refused."""

import cv2
import numpy as np

from inspection_cell.capture.payload import Payload
from inspection_cell.errors import DataError
from inspection_cell.observations import Image
from inspection_cell.whole_files import JPEG, PNG, image_is_whole

KINDS = {'jpeg': JPEG, 'png': PNG}  # how their files begin
NAMES = {'jpeg': 'jpeg', 'jpg': 'jpeg', 'png': 'png'}


def decode_compressed(format_: str, data: Payload) -> Image:
    """Decode the fields of sensor_msgs/CompressedImage.

    Args:
        format_: as image_transport writes it: `jpeg`, `png`, `bgr8; jpeg compressed bgr8`, ...
        data: the file's bytes.

    Returns:
        Read-only pixels: (H, W) for grey, (H, W, 3) in B, G, R order for colour; 8 or 16 bit.

    Raises:
        DataError: for another format, and for a file that is empty, cut short or damaged.
    """
    words = format_.replace(';', ' ').lower().split()
    kind = next((NAMES[word] for word in words if word in NAMES), None)
    if kind is None:
        raise DataError(f'compressed image: expected jpeg or png, got {format_!r}')
    content = bytes(data.data if isinstance(data, np.ndarray) else data)
    if not content.startswith(KINDS[kind]):
        raise DataError(
            f'compressed image: expected a {kind} file, got {len(content)} other bytes'
        )
    if not image_is_whole(content):
        raise DataError(f'compressed image: the {kind} file is cut short, {len(content)} bytes')
    try:
        pixels = cv2.imdecode(np.frombuffer(content, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise DataError(f'compressed image: the {kind} file is damaged: {error.err}') from error
    if pixels is None:
        raise DataError(f'compressed image: the {kind} file is damaged')
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        pixels = cv2.cvtColor(pixels, cv2.COLOR_BGRA2BGR)
    pixels.flags.writeable = False
    return Image(pixels)
