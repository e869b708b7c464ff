"""Images and clouds; big arrays go in and out of messages without a Python loop."""

import sys
from array import array

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CompressedImage, PointCloud2, PointField
from sensor_msgs.msg import Image as ImageMsg

from inspection_cell.capture.cloud_decoding import CloudAxes, CloudField, decode_cloud
from inspection_cell.capture.compressed_decoding import decode_compressed
from inspection_cell.capture.image_decoding import decode_image
from inspection_cell.errors import DataError
from inspection_cell.geometry import TRANSFORM_X_FORWARD_TO_OPTICAL
from inspection_cell.nodes.conversions.poses import stamp_to_msg
from inspection_cell.observations import Image, Scan

GREY_ENCODINGS = {'uint8': 'mono8', 'uint16': 'mono16', 'float32': '32FC1'}
COLOUR_ENCODINGS = {'uint8': 'bgr8', 'uint16': 'bgr16'}
BIG_ENDIAN = sys.byteorder == 'big'


def image_to_msg(image: Image, stamp_ns: int = 0, frame_id: str = '') -> ImageMsg:
    """An image: bgr8, bgr16, mono8, mono16 or 32FC1; raises DataError for other kinds."""
    pixels = np.ascontiguousarray(image.pixels)
    msg = ImageMsg(height=pixels.shape[0], width=pixels.shape[1])
    msg.header.stamp, msg.header.frame_id = stamp_to_msg(stamp_ns), frame_id
    encodings = COLOUR_ENCODINGS if pixels.ndim == 3 else GREY_ENCODINGS
    encoding = encodings.get(str(pixels.dtype))
    if encoding is None:
        raise DataError(f'image {pixels.shape}, {pixels.dtype}: no encoding of ROS holds it')
    msg.encoding = encoding
    msg.is_bigendian = int(BIG_ENDIAN)
    msg.step = pixels.nbytes // pixels.shape[0]
    msg.data = _bytes_of(pixels)
    return msg


def image_from_msg(msg: ImageMsg) -> Image:
    """An image, without a copy where the layout allows; raises DataError when malformed."""
    return decode_image(
        msg.encoding, msg.width, msg.height, msg.step, bool(msg.is_bigendian), msg.data
    )


def compressed_to_msg(image: Image, stamp_ns: int = 0, frame_id: str = '') -> CompressedImage:
    """An 8 or 16 bit image as PNG: nothing is lost."""
    done, file = cv2.imencode('.png', image.pixels)
    if not done:
        raise DataError(f'image {image.pixels.shape}: cannot be written as PNG')
    msg = CompressedImage(format='png')
    msg.header.stamp, msg.header.frame_id = stamp_to_msg(stamp_ns), frame_id
    msg.data = _bytes_of(file)
    return msg


def compressed_from_msg(msg: CompressedImage) -> Image:
    """The image of a JPEG or PNG file; raises DataError when malformed."""
    return decode_compressed(msg.format, msg.data)


def any_image_from_msg(msg: ImageMsg | CompressedImage) -> Image:
    """An image, raw or compressed; raises DataError when malformed."""
    return compressed_from_msg(msg) if isinstance(msg, CompressedImage) else image_from_msg(msg)


def scan_to_msg(
    scan: Scan, stamp_ns: int = 0, frame_id: str = '', axes: CloudAxes = 'optical'
) -> PointCloud2:
    """A scan as x, y, z float32 in the sensor's own axes, not organised."""
    points = scan.points
    if axes == 'x_forward':
        points = points @ TRANSFORM_X_FORWARD_TO_OPTICAL[:3, :3].astype(np.float32)
    return _cloud(np.ascontiguousarray(points), ('x', 'y', 'z'), stamp_ns, frame_id)


def scan_from_msg(msg: PointCloud2, axes: CloudAxes = 'optical') -> Scan:
    """The valid points of a cloud whose axes are known; raises DataError when malformed."""
    fields = [CloudField(f.name, f.offset, f.datatype, f.count) for f in msg.fields]
    return decode_cloud(
        fields,
        msg.width,
        msg.height,
        msg.point_step,
        msg.row_step,
        bool(msg.is_bigendian),
        msg.data,
        axes,
    )


def deviation_to_msg(
    points_part: NDArray[np.floating],
    deviation_mm: NDArray[np.floating],
    colours: NDArray[np.uint8],
    stamp_ns: int = 0,
    frame_id: str = '',
) -> PointCloud2:
    """Points (N, 3) in the part frame, metres, with the fields `deviation` (N,) in mm and `rgb`.

    Colours (N, 3) are packed as viewers expect: the bytes 0, r, g, b of a number, read as float32.
    """
    rows = np.empty((len(points_part), 5), dtype=np.float32)
    rows[:, :3], rows[:, 3] = points_part, deviation_mm
    red, green, blue = colours.astype(np.uint32).T
    rows.view(np.uint32)[:, 4] = red << 16 | green << 8 | blue
    return _cloud(rows, ('x', 'y', 'z', 'deviation', 'rgb'), stamp_ns, frame_id)


def _cloud(
    rows: NDArray[np.float32], names: tuple[str, ...], stamp_ns: int, frame_id: str
) -> PointCloud2:
    msg = PointCloud2(height=1, width=len(rows), is_dense=True, is_bigendian=BIG_ENDIAN)
    msg.header.stamp, msg.header.frame_id = stamp_to_msg(stamp_ns), frame_id
    msg.fields = [
        PointField(name=name, offset=4 * column, datatype=PointField.FLOAT32, count=1)
        for column, name in enumerate(names)
    ]
    msg.point_step = 4 * len(names)
    msg.row_step = msg.point_step * len(rows)
    msg.data = _bytes_of(rows)
    return msg


def _bytes_of(values: NDArray[np.generic]) -> 'array[int]':
    # rclpy takes an array.array as it is; lists and ndarrays are copied value by value.
    data = array('B')
    if values.size:  # a memoryview of nothing cannot be cast
        data.frombytes(values.data.cast('B'))
    return data
