"""Stamps, poses, points and camera geometry."""

import math

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo

from inspection_cell.errors import DataError
from inspection_cell.geometry import Intrinsics, Transform, from_quaternion, to_quaternion

NS_PER_S = 1_000_000_000


def stamp_to_msg(stamp_ns: int) -> Time:
    """Nanoseconds of a ROS clock as a message."""
    seconds, nanoseconds = divmod(stamp_ns, NS_PER_S)
    return Time(sec=seconds, nanosec=nanoseconds)


def stamp_from_msg(msg: Time) -> int:
    """Nanoseconds of a ROS clock from a message."""
    return int(msg.sec) * NS_PER_S + int(msg.nanosec)


def pose_to_msg(transform_a_to_b: Transform) -> Pose:
    """Pose of frame a in frame b, metres."""
    position, quaternion = to_quaternion(transform_a_to_b)
    x, y, z, w = (float(value) for value in quaternion)
    return Pose(position=point_to_msg(position), orientation=Quaternion(x=x, y=y, z=z, w=w))


def pose_from_msg(msg: Pose) -> Transform:
    """Pose of frame a in frame b as `transform_a_to_b`; raises DataError when it is none."""
    turn = msg.orientation
    quaternion = (turn.x, turn.y, turn.z, turn.w)
    norm = math.sqrt(sum(value * value for value in quaternion))
    if not abs(norm - 1.0) < 1e-3:
        raise DataError(f'pose: expected a unit quaternion x y z w, got {quaternion}')
    position = point_from_msg(msg.position)
    if not np.isfinite(position).all():
        raise DataError(f'pose: expected a finite position, got {position.tolist()}')
    return from_quaternion(position, quaternion)


def point_to_msg(position_m: NDArray[np.float64]) -> Point:
    """A position (3,) in metres."""
    x, y, z = (float(value) for value in position_m)
    return Point(x=x, y=y, z=z)


def point_from_msg(msg: Point | Vector3) -> NDArray[np.float64]:
    """A position or direction (3,)."""
    return np.array([msg.x, msg.y, msg.z])


def vector_to_msg(direction: NDArray[np.float64]) -> Vector3:
    """A direction (3,)."""
    x, y, z = (float(value) for value in direction)
    return Vector3(x=x, y=y, z=z)


def vector_from_msg(msg: Vector3) -> NDArray[np.float64]:
    """A direction (3,)."""
    return point_from_msg(msg)


def camera_info_to_msg(
    intrinsics: Intrinsics, stamp_ns: int = 0, frame_id: str = ''
) -> CameraInfo:
    """Geometry of a camera; rectification is the identity."""
    msg = CameraInfo(width=intrinsics.width, height=intrinsics.height)
    msg.header.stamp = stamp_to_msg(stamp_ns)
    msg.header.frame_id = frame_id
    msg.distortion_model = intrinsics.distortion_model
    msg.d = [float(value) for value in intrinsics.distortion]
    matrix = intrinsics.matrix
    msg.k = matrix.ravel()
    msg.r = np.eye(3).ravel()
    msg.p = np.column_stack([matrix, np.zeros(3)]).ravel()
    return msg


def camera_info_from_msg(msg: CameraInfo) -> Intrinsics:
    """Geometry of a camera; raises DataError for an uncalibrated one."""
    fx, _, cx, _, fy, cy = (float(value) for value in msg.k[:6])
    return Intrinsics(
        width=int(msg.width),
        height=int(msg.height),
        fx=fx,
        fy=fy,
        cx=cx,
        cy=cy,
        distortion_model=msg.distortion_model or 'plumb_bob',
        distortion=tuple(float(value) for value in msg.d),
    )
