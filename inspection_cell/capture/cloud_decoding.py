"""From the fields of sensor_msgs/PointCloud2 to a `Scan` of valid points."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from inspection_cell.capture.payload import Payload, payload_bytes
from inspection_cell.errors import DataError
from inspection_cell.observations import Scan

FLOATS = {7: 'f4', 8: 'f8'}  # sensor_msgs/PointField FLOAT32, FLOAT64
CloudAxes = Literal['optical', 'x_forward']
# Which fields become the optical x, y and z; those of a body frame are -y, -z and x.
FIELDS: dict[CloudAxes, tuple[str, ...]] = {
    'optical': ('x', 'y', 'z'),
    'x_forward': ('y', 'z', 'x'),
}


@dataclass(frozen=True, slots=True)
class CloudField:
    """One sensor_msgs/PointField: `offset` in bytes from the begin of a point."""

    name: str
    offset: int
    datatype: int
    count: int


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the points lie; checked at birth."""

    width: int
    height: int
    point_step: int
    row_step: int

    def __post_init__(self) -> None:
        if min(self.width, self.height) < 0 or self.point_step < 1:
            raise DataError(f'{self}: expected no negative size and a point step of at least 1')
        if self.row_step < self.width * self.point_step:
            raise DataError(
                f'{self}: expected a row step of at least {self.width * self.point_step} '
                f'bytes, got {self.row_step}'
            )

    def __str__(self) -> str:
        return f'cloud {self.width}×{self.height} of {self.point_step}-byte points'


def decode_cloud(
    fields: Sequence[CloudField],
    width: int,
    height: int,
    point_step: int,
    row_step: int,
    is_bigendian: bool,
    data: Payload,
    axes: CloudAxes = 'optical',
) -> Scan:
    """Decode the fields of sensor_msgs/PointCloud2, organised or not.

    Points with a coordinate that is NaN, infinite or beyond float32 are dropped. The points are
    copied once, and a second time only when some are dropped. `axes` tells what the
    coordinates mean.

    Returns:
        Valid points (N, 3) in the optical frame, read-only, in the order of the message; N may
        be 0.

    Raises:
        DataError: when x, y or z is missing or no single float, or sizes and length disagree.
    """
    layout = _Layout(width, height, point_step, row_step)
    columns = [_axis(fields, name, layout) for name in FIELDS[axes]]
    flat = payload_bytes(data, row_step * height, str(layout))
    points = np.empty((width * height, 3), dtype=np.float32)
    if len(points):
        with np.errstate(over='ignore', invalid='ignore'):  # float64 beyond float32, NaN
            _fill(points, columns, layout, '>' if is_bigendian else '<', flat)
    if axes == 'x_forward':
        np.negative(points[:, :2], out=points[:, :2])
    points = _finite(points)
    points.flags.writeable = False
    return Scan(points)


def _axis(fields: Sequence[CloudField], name: str, layout: _Layout) -> CloudField:
    named = [field for field in fields if field.name == name]
    if len(named) != 1:
        names = ', '.join(field.name for field in fields) or 'none'
        raise DataError(f'{layout}: expected one field {name!r}, got the fields {names}')
    field = named[0]
    if field.datatype not in FLOATS or field.count != 1:
        raise DataError(
            f'{layout}: expected {name!r} as one FLOAT32 (7) or FLOAT64 (8), got '
            f'{field.count} of datatype {field.datatype}'
        )
    last = layout.point_step - np.dtype(FLOATS[field.datatype]).itemsize
    if not 0 <= field.offset <= last:
        raise DataError(f'{layout}: expected {name!r} at 0 to {last}, got offset {field.offset}')
    return field


def _fill(
    points: NDArray[np.float32],
    axes: Sequence[CloudField],
    layout: _Layout,
    order: str,
    flat: NDArray[np.uint8],
) -> None:
    shape = (layout.height, layout.width)
    strides = (layout.row_step, layout.point_step)
    for column, field in enumerate(axes):
        points[:, column].reshape(shape)[:] = np.ndarray(
            shape, order + FLOATS[field.datatype], flat.data, field.offset, strides
        )


def _finite(points: NDArray[np.float32]) -> NDArray[np.float32]:
    valid = np.isfinite(points[:, 0])
    valid &= np.isfinite(points[:, 1])
    valid &= np.isfinite(points[:, 2])
    return points if valid.all() else points.compress(valid, axis=0)
