"""What sensors deliver: images, scans and signals, each with the view that it belongs to."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.geometry import Intrinsics, Transform, checked_transform, invert

_JOINED = '+'  # no name of a presentation holds it


@dataclass(frozen=True, slots=True, order=True)
class ViewKey:
    """One sensor at one presentation, or at several that are judged together."""

    presentation: str
    sensor: str

    def __str__(self) -> str:
        """Words as they appear in reasons: `left at top`, `scanner at top+tilted`."""
        return f'{self.sensor} at {self.presentation}'

    @property
    def is_joint(self) -> bool:
        """Whether it stands for views that are judged together."""
        return _JOINED in self.presentation


def joint_key(views: Sequence[ViewKey]) -> ViewKey:
    """What views of several presentations say together, under the name of the first's sensor."""
    presentations = dict.fromkeys(view.presentation for view in views)
    return ViewKey(_JOINED.join(presentations), views[0].sensor)


@dataclass(frozen=True, slots=True)
class Image:
    """Pixels as they came, read-only: (H, W) or (H, W, 3) in B, G, R order.

    dtype uint8, uint16 (16 bit grey or depth in mm) or float32 (depth in metres).
    """

    pixels: NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]

    def __post_init__(self) -> None:
        """Refuse shapes that no inspector can use."""
        shape = self.pixels.shape
        if len(shape) not in (2, 3) or 0 in shape or (len(shape) == 3 and shape[2] != 3):
            raise DataError(f'image: expected (H, W) or (H, W, 3) pixels, got shape {shape}')
        if self.pixels.dtype not in (np.uint8, np.uint16, np.float32):
            raise DataError(f'image: expected uint8, uint16 or float32, got {self.pixels.dtype}')
        object.__setattr__(self, 'pixels', _frozen_view(self.pixels))

    def darkened(self) -> 'Image':
        """The same camera in the dark: an image of the same size and type, all black."""
        return Image(np.zeros_like(self.pixels))


@dataclass(frozen=True, slots=True)
class ShotImage:
    """One image of a lighting sequence, with the name of its shot in `cell.yaml`."""

    shot: str
    image: Image


@dataclass(frozen=True, slots=True)
class ImageSeries:
    """The images of one view under different lights: the same camera, the same pose.

    Attributes:
        shots: in the order in which they were taken, each name once.
    """

    shots: tuple[ShotImage, ...]

    def __post_init__(self) -> None:
        """Refuse what is no series."""
        names = [one.shot for one in self.shots]
        if not names or len(set(names)) != len(names):
            raise DataError(f'image series: expected shots with different names, got {names}')


@dataclass(frozen=True, slots=True)
class Scan:
    """Valid points (N, 3) float32 in metres, in the scanner's optical frame; no NaN."""

    points: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Refuse arrays that are not finite float32 points."""
        if self.points.ndim != 2 or self.points.shape[1] != 3 or self.points.dtype != np.float32:
            raise DataError(
                f'scan: expected (N, 3) float32, got {self.points.shape} {self.points.dtype}'
            )
        if not np.isfinite(self.points).all():
            raise DataError('scan: points must be finite; the decoder drops invalid ones')
        object.__setattr__(self, 'points', _frozen_view(self.points))


@dataclass(frozen=True, slots=True)
class Signal:
    """One recording of a process sensor: values (N,) float32 in `unit`, finite, equally spaced."""

    values: NDArray[np.float32]
    rate_hz: float  # samples per second
    unit: str

    def __post_init__(self) -> None:
        """Refuse what is no signal."""
        if self.values.ndim != 1 or self.values.dtype != np.float32:
            raise DataError(
                f'signal: expected (N,) float32, got {self.values.shape} {self.values.dtype}'
            )
        if not (math.isfinite(self.rate_hz) and self.rate_hz > 0.0):
            raise DataError(f'signal: expected a rate above 0 Hz, got {self.rate_hz}')
        invalid = np.flatnonzero(~np.isfinite(self.values))
        if len(invalid):
            value, index = self.values[invalid[0]], invalid[0]
            raise DataError(f'signal: expected finite values, got {value} at sample {index}')
        object.__setattr__(self, 'values', _frozen_view(self.values))

    @property
    def duration_s(self) -> float:
        """Length of the recording."""
        return len(self.values) / self.rate_hz


@dataclass(frozen=True, slots=True)
class Observation:
    """What one sensor delivered for one view.

    Attributes:
        stamp_ns: begin of exposure (of a signal: of the recording; of an image series: of its last
            shot) on the sensor's ROS clock.
        transform_part_to_cell: pose of the part as the robot reported it, metres.
        transform_sensor_to_cell: pose of the sensor's optical frame, metres; of a process sensor,
            which has none, the identity.
        intrinsics: of a camera; None for other sensors.
    """

    inspection_id: str
    view: ViewKey
    stamp_ns: int
    data: Image | ImageSeries | Scan | Signal
    transform_part_to_cell: Transform
    transform_sensor_to_cell: Transform
    intrinsics: Intrinsics | None = None

    def __post_init__(self) -> None:
        """Refuse poses that are not rigid, and freeze them."""
        for name in ('transform_part_to_cell', 'transform_sensor_to_cell'):
            frozen = checked_transform(getattr(self, name), f'{self.view}: {name}')
            object.__setattr__(self, name, frozen)

    @property
    def transform_part_to_sensor(self) -> Transform:
        """Pose of the part in the sensor's optical frame."""
        transform: Transform = invert(self.transform_sensor_to_cell) @ self.transform_part_to_cell
        return transform


def _frozen_view(array: NDArray[Any]) -> NDArray[Any]:
    """The same memory, read-only through this name only."""
    view = array.view()
    view.flags.writeable = False
    return view
