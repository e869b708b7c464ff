"""Rigid transforms, pinhole projection and rays.

A transform is a (4, 4) float64 array named `transform_a_to_b`: it maps points given in frame a
to frame b, `p_b = transform_a_to_b @ p_a`. Lengths are metres, angles radians. Camera frames are
optical frames (REP 103: x right, y down, z forward); pixel centres have integer coordinates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from inspection_cell.errors import DataError

Transform = NDArray[np.float64]  # (4, 4)
Points = NDArray[np.float64]  # (N, 3)

# REP 103: points of a body frame (x forward, y left, z up) in an optical frame at the same place.
TRANSFORM_X_FORWARD_TO_OPTICAL: Transform = np.array(
    [[0.0, -1.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
)
TRANSFORM_X_FORWARD_TO_OPTICAL.flags.writeable = False

# How many coefficients each distortion model may have; none means no distortion.
DISTORTION_MODELS = {
    'plumb_bob': (0, 4, 5),
    'rational_polynomial': (0, 8, 12, 14),
    'equidistant': (4,),
}
# Few iterations, OpenCV's default, leave pixels of error under strong distortion.
UNDISTORT_CRITERIA = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-12)


def rigid(rotation: ArrayLike, translation_m: ArrayLike) -> Transform:
    """Assemble a transform from a (3, 3) rotation and a (3,) translation in metres."""
    transform = np.eye(4)
    transform[:3, :3] = rotation
    transform[:3, 3] = translation_m
    return transform


def invert(transform_a_to_b: Transform) -> Transform:
    """Return `transform_b_to_a`."""
    rotation = transform_a_to_b[:3, :3].T
    return rigid(rotation, -rotation @ transform_a_to_b[:3, 3])


def transform_points(transform_a_to_b: Transform, points_a: NDArray[np.floating]) -> Points:
    """Map (N, 3) points from frame a to frame b."""
    points_b: Points = points_a @ transform_a_to_b[:3, :3].T + transform_a_to_b[:3, 3]
    return points_b


def inside_box(points: NDArray[np.generic], low: ArrayLike, high: ArrayLike) -> NDArray[np.bool_]:
    """(N,) which points (N, 3) have low <= point < high in every coordinate.

    By columns: NumPy is slow at reducing three values a million times.
    """
    inside = np.ones(len(points), dtype=np.bool_)
    for axis, (least, beyond) in enumerate(zip(np.asarray(low), np.asarray(high), strict=True)):
        inside &= points[:, axis] >= least
        inside &= points[:, axis] < beyond
    return inside


def rotate_vectors(transform_a_to_b: Transform, vectors_a: NDArray[np.floating]) -> Points:
    """Rotate (N, 3) directions from frame a to frame b."""
    vectors_b: Points = vectors_a @ transform_a_to_b[:3, :3].T
    return vectors_b


def checked_transform(values: ArrayLike, where: str) -> Transform:
    """Return `values` as a read-only transform, or raise DataError when it is not rigid."""
    transform = _floats(values, where)
    if transform.shape != (4, 4) or not np.isfinite(transform).all():
        raise DataError(f'{where}: expected a finite 4×4 matrix, got shape {transform.shape}')
    rotation = transform[:3, :3]
    orthonormal = np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-4)
    if not orthonormal or np.linalg.det(rotation) < 0:
        raise DataError(f'{where}: the upper left 3×3 block is not a right-handed rotation')
    if not np.allclose(transform[3], (0, 0, 0, 1)):
        raise DataError(f'{where}: the last row must be 0 0 0 1, got {transform[3].tolist()}')
    transform.flags.writeable = False
    return transform


def from_quaternion(position_m: ArrayLike, quaternion_xyzw: ArrayLike) -> Transform:
    """Transform from a position in metres and a unit quaternion (x, y, z, w).

    Raises:
        DataError: when the quaternion has not length 1; a pose never filled in may have 0.
    """
    quaternion = read_only(quaternion_xyzw, (4,), 'quaternion x, y, z, w')
    length = float(np.linalg.norm(quaternion))
    if abs(length - 1.0) > 1e-3:
        raise DataError(f'quaternion x, y, z, w: expected length 1, got {length:.4f}')
    return rigid(Rotation.from_quat(quaternion).as_matrix(), position_m)


def to_quaternion(transform: Transform) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Position (3,) in metres and quaternion (4,) as (x, y, z, w) of a transform."""
    return transform[:3, 3].copy(), Rotation.from_matrix(transform[:3, :3]).as_quat()


def from_rpy(position_m: ArrayLike, roll_pitch_yaw_rad: ArrayLike) -> Transform:
    """Transform from fixed-axis roll, pitch, yaw (REP 103) in radians."""
    angles = np.asarray(roll_pitch_yaw_rad, dtype=np.float64)
    return rigid(Rotation.from_euler('xyz', angles).as_matrix(), position_m)


def look_at(eye_m: ArrayLike, target_m: ArrayLike, up: ArrayLike = (0.0, 0.0, 1.0)) -> Transform:
    """`transform_camera_to_cell` of an optical frame at `eye_m` that looks at `target_m`."""
    eye = np.asarray(eye_m, dtype=np.float64)
    forward = np.asarray(target_m, dtype=np.float64) - eye
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, np.asarray(up, dtype=np.float64))
    if np.linalg.norm(right) < 1e-6:  # looking along `up`: any horizontal axis serves
        right = np.cross(forward, (0.0, 1.0, 0.0))
    right /= np.linalg.norm(right)
    return rigid(np.column_stack([right, np.cross(forward, right), forward]), eye)


def pose_difference(first: Transform, second: Transform) -> tuple[float, float]:
    """Distance in metres and angle in radians between two poses."""
    delta = invert(first) @ second
    angle_rad = Rotation.from_matrix(delta[:3, :3]).magnitude()
    return float(np.linalg.norm(delta[:3, 3])), float(angle_rad)


@dataclass(frozen=True)
class Intrinsics:
    """A camera's geometry: size and focal lengths in pixels, distortion as in CameraInfo.

    Attributes:
        distortion: coefficients in the order of sensor_msgs/CameraInfo `d`.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion_model: str = 'plumb_bob'
    distortion: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse what cannot be a camera."""
        if self.width < 1 or self.height < 1 or not (self.fx > 0 and self.fy > 0):
            raise DataError(
                f'camera intrinsics: size {self.width}×{self.height} and focal lengths '
                f'{self.fx}, {self.fy} must be positive (an uncalibrated camera sends zeros)'
            )
        if self.distortion_model not in DISTORTION_MODELS:
            raise DataError(
                f'camera intrinsics: distortion model {self.distortion_model!r}: '
                f'one of {", ".join(DISTORTION_MODELS)}'
            )
        if len(self.distortion) not in DISTORTION_MODELS[self.distortion_model]:
            raise DataError(
                f'camera intrinsics: {len(self.distortion)} coefficients for '
                f'{self.distortion_model}: one of {DISTORTION_MODELS[self.distortion_model]}'
            )
        if not np.isfinite((self.fx, self.fy, self.cx, self.cy, *self.distortion)).all():
            raise DataError(f'camera intrinsics: expected finite values, got {self}')

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """The (3, 3) camera matrix."""
        return np.array([[self.fx, 0.0, self.cx], [0.0, self.fy, self.cy], [0.0, 0.0, 1.0]])

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, pixels."""
        return self.width, self.height

    def project(self, points_camera: NDArray[np.floating]) -> NDArray[np.float64]:
        """Pixels (N, 2) of (N, 3) points in metres; NaN for points not in front of the camera."""
        points = np.asarray(points_camera, dtype=np.float64).reshape(-1, 3)
        pixels = np.full((len(points), 2), np.nan)
        front = points[:, 2] > 1e-9
        if front.any():
            pixels[front] = self._project_front(points[front])
        return pixels

    def rays(self, pixels: ArrayLike) -> Points:
        """Unit directions (N, 3) in the camera frame of (N, 2) pixels."""
        points = np.asarray(pixels, dtype=np.float64).reshape(-1, 2)
        directions = np.column_stack([self._undistort(points), np.ones(len(points))])
        unit: Points = directions / np.linalg.norm(directions, axis=1, keepdims=True)
        return unit

    @property
    def _is_pinhole(self) -> bool:
        # equidistant is curved even when its coefficients are zero
        return self.distortion_model != 'equidistant' and not any(self.distortion)

    def _undistort(self, pixels: NDArray[np.float64]) -> NDArray[np.float64]:
        """Coordinates (N, 2) at distance 1 on the straight ray of each pixel."""
        if self._is_pinhole or len(pixels) == 0:
            straight: NDArray[np.float64] = (pixels - (self.cx, self.cy)) / (self.fx, self.fy)
            return straight
        points, coefficients = pixels[:, None], np.array(self.distortion)
        if self.distortion_model == 'equidistant':
            flat = cv2.fisheye.undistortPoints(points, self.matrix, coefficients)
        else:
            same = np.eye(3)
            flat = cv2.undistortPointsIter(
                points, self.matrix, coefficients, same, same, UNDISTORT_CRITERIA
            )
        return np.asarray(flat, dtype=np.float64).reshape(-1, 2)

    def _project_front(self, points: Points) -> NDArray[np.float64]:
        if self._is_pinhole:
            flat: NDArray[np.float64] = points[:, :2] / points[:, 2:]
            return flat * (self.fx, self.fy) + (self.cx, self.cy)
        origin, coefficients = np.zeros(3), np.array(self.distortion)
        if self.distortion_model == 'equidistant':
            pixels, _ = cv2.fisheye.projectPoints(
                points[:, None], origin, origin, self.matrix, coefficients
            )
        else:
            pixels, _ = cv2.projectPoints(points, origin, origin, self.matrix, coefficients)
        return np.asarray(pixels, dtype=np.float64).reshape(-1, 2)


def _floats(values: ArrayLike, where: str) -> NDArray[np.float64]:
    try:
        return np.array(values, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise DataError(f'{where}: expected numbers, {error}') from error


def read_only(values: ArrayLike, shape: Sequence[int | None], where: str) -> NDArray[np.float64]:
    """Return a read-only float64 array of `shape` (None = any length), or raise DataError."""
    array = _floats(values, where)
    fits = array.ndim == len(shape) and all(
        want is None or want == got for want, got in zip(shape, array.shape, strict=True)
    )
    if not fits or not np.isfinite(array).all():
        raise DataError(f'{where}: expected finite values of shape {tuple(shape)}, got {array!r}')
    array.flags.writeable = False
    return array
