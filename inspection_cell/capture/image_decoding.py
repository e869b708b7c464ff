"""From the fields of sensor_msgs/Image to an `Image`, without a copy where the layout allows."""

import sys
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_cell.capture.payload import Payload, payload_bytes
from inspection_cell.errors import DataError
from inspection_cell.observations import Image

Pixels = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Encoding:
    """How one pixel is stored.

    Attributes:
        code: OpenCV's conversion to B, G, R; None where the pixels serve as they are.
    """

    dtype: str
    channels: int = 1
    code: int | None = None
    mosaic: bool = False

    @property
    def item_bytes(self) -> int:
        """Bytes of one channel of one pixel."""
        return np.dtype(self.dtype).itemsize


# ROS names a mosaic by its first two rows; OpenCV's older names (BayerBG for rggb) start at the
# second row and column, its newer ones (BayerRGGB) say the same as ROS.
ENCODINGS = {
    'mono8': Encoding('u1'),
    'mono16': Encoding('u2'),
    '16UC1': Encoding('u2'),
    '32FC1': Encoding('f4'),
    'bgr8': Encoding('u1', 3),
    'rgb8': Encoding('u1', 3, cv2.COLOR_RGB2BGR),
    'bgr16': Encoding('u2', 3),
    'bgra8': Encoding('u1', 4, cv2.COLOR_BGRA2BGR),
    'rgba8': Encoding('u1', 4, cv2.COLOR_RGBA2BGR),
    'bayer_rggb8': Encoding('u1', 1, cv2.COLOR_BayerRGGB2BGR, mosaic=True),
    'bayer_bggr8': Encoding('u1', 1, cv2.COLOR_BayerBGGR2BGR, mosaic=True),
    'bayer_gbrg8': Encoding('u1', 1, cv2.COLOR_BayerGBRG2BGR, mosaic=True),
    'bayer_grbg8': Encoding('u1', 1, cv2.COLOR_BayerGRBG2BGR, mosaic=True),
}


def decode_image(
    encoding: str, width: int, height: int, step: int, is_bigendian: bool, data: Payload
) -> Image:
    """Decode the fields of sensor_msgs/Image.

    mono8, bgr8 and, in this machine's byte order, mono16, bgr16, 16UC1 and 32FC1 share the memory
    of `data`, with rows `step` bytes apart; all others are converted once.

    Returns:
        Read-only pixels: (H, W) for grey and depth, (H, W, 3) in B, G, R order for colour.

    Raises:
        DataError: for an unknown encoding, an impossible size or step, or a wrong length.
    """
    kind = ENCODINGS.get(encoding)
    if kind is None:
        known = ', '.join(ENCODINGS)
        raise DataError(f'image: expected one of the encodings {known}, got {encoding!r}')
    where = f'image {encoding} {width}×{height}'
    _check_layout(kind, width, height, step, where)
    pixels = _rows(kind, width, height, step, payload_bytes(data, step * height, where))
    if kind.code is not None:
        pixels = np.asarray(cv2.cvtColor(pixels, kind.code), dtype=np.uint8)
    elif kind.item_bytes > 1 and bool(is_bigendian) != (sys.byteorder == 'big'):
        pixels = pixels.byteswap()
    pixels.flags.writeable = False
    return Image(pixels)


def _check_layout(kind: Encoding, width: int, height: int, step: int, where: str) -> None:
    smallest = 4 if kind.mosaic else 1  # fewer pixels hold no neighbours to interpolate from
    if width < smallest or height < smallest:
        raise DataError(f'{where}: expected at least {smallest}×{smallest} pixels')
    row_bytes = width * kind.channels * kind.item_bytes
    if step < row_bytes:
        raise DataError(f'{where}: expected a step of at least {row_bytes} bytes, got {step}')
    if step % kind.item_bytes:
        raise DataError(f'{where}: expected a step in units of {kind.item_bytes}, got {step}')


def _rows(kind: Encoding, width: int, height: int, step: int, flat: NDArray[np.uint8]) -> Pixels:
    """View of the pixels (H, W) or (H, W, C) that steps over the padding of each row."""
    item = kind.item_bytes
    shape: tuple[int, ...] = (height, width)
    strides: tuple[int, ...] = (step, kind.channels * item)
    if kind.channels > 1:
        shape, strides = (*shape, kind.channels), (*strides, item)
    return np.ndarray(shape, dtype=kind.dtype, buffer=flat.data, strides=strides)
