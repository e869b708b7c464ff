"""Poses of frames in the TF tree."""

from geometry_msgs.msg import TransformStamped

from inspection_cell.geometry import Transform, from_quaternion, to_quaternion
from inspection_cell.nodes.conversions.poses import stamp_to_msg


def transform_to_msg(
    transform_child_to_parent: Transform, parent: str, child: str, stamp_ns: int = 0
) -> TransformStamped:
    """Where frame `child` is in frame `parent`: tf2's word for what maps child points there."""
    msg = TransformStamped(child_frame_id=child)
    msg.header.stamp, msg.header.frame_id = stamp_to_msg(stamp_ns), parent
    position, quaternion = to_quaternion(transform_child_to_parent)
    move, turn = msg.transform.translation, msg.transform.rotation
    move.x, move.y, move.z = (float(value) for value in position)
    turn.x, turn.y, turn.z, turn.w = (float(value) for value in quaternion)
    return msg


def transform_from_msg(msg: TransformStamped) -> Transform:
    """`transform_child_to_parent`; raises DataError when it is none."""
    move, turn = msg.transform.translation, msg.transform.rotation
    return from_quaternion((move.x, move.y, move.z), (turn.x, turn.y, turn.z, turn.w))
