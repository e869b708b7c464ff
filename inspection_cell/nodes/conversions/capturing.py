"""Requests to capture a presentation, and the sensors' answers."""

from dataclasses import dataclass

from inspection_cell_msgs.msg import Capture as CaptureMsg
from inspection_cell_msgs.msg import Captured as CapturedMsg

from inspection_cell.geometry import Transform
from inspection_cell.nodes.conversions.poses import (
    pose_from_msg,
    pose_to_msg,
    stamp_from_msg,
    stamp_to_msg,
)
from inspection_cell.observations import ViewKey


@dataclass(frozen=True, slots=True, eq=False)
class CaptureOrder:
    """What the cell asks the inspectors for, once the robot has settled.

    Attributes:
        settled_ns: when the robot, and the light of a shot, had settled, ROS clock.
        deadline_s: seconds from receipt within which a frame must arrive.
        shot: of a lighting sequence, the one whose light is on; empty: the view is one frame.
    """

    inspection_id: str
    part_id: str
    part_type: str
    recipe_hash: str
    presentation: str
    settled_ns: int
    transform_part_to_cell: Transform
    sensors: tuple[str, ...]
    deadline_s: float
    shot: str = ''


@dataclass(frozen=True, slots=True)
class CaptureAnswer:
    """One sensor has its frame, or will not get one.

    Attributes:
        stamp_ns: begin of exposure, ROS clock; 0 when not captured.
        shot: the answer is about this shot alone; empty: about the whole view.
    """

    inspection_id: str
    view: ViewKey
    ok: bool
    reason: str = ''
    stamp_ns: int = 0
    shot: str = ''


def capture_order_to_msg(order: CaptureOrder) -> CaptureMsg:
    """Request to capture one presentation."""
    return CaptureMsg(
        inspection_id=order.inspection_id,
        part_id=order.part_id,
        part_type=order.part_type,
        recipe_hash=order.recipe_hash,
        presentation=order.presentation,
        settled=stamp_to_msg(order.settled_ns),
        part_to_cell=pose_to_msg(order.transform_part_to_cell),
        sensors=list(order.sensors),
        deadline_s=order.deadline_s,
        shot=order.shot,
    )


def capture_order_from_msg(msg: CaptureMsg) -> CaptureOrder:
    """Request to capture one presentation; raises DataError for an impossible pose."""
    return CaptureOrder(
        inspection_id=msg.inspection_id,
        part_id=msg.part_id,
        part_type=msg.part_type,
        recipe_hash=msg.recipe_hash,
        presentation=msg.presentation,
        settled_ns=stamp_from_msg(msg.settled),
        transform_part_to_cell=pose_from_msg(msg.part_to_cell),
        sensors=tuple(msg.sensors),
        deadline_s=msg.deadline_s,
        shot=msg.shot,
    )


def capture_answer_to_msg(answer: CaptureAnswer) -> CapturedMsg:
    """One sensor's answer."""
    return CapturedMsg(
        inspection_id=answer.inspection_id,
        presentation=answer.view.presentation,
        sensor=answer.view.sensor,
        ok=answer.ok,
        reason=answer.reason,
        stamp=stamp_to_msg(answer.stamp_ns),
        shot=answer.shot,
    )


def capture_answer_from_msg(msg: CapturedMsg) -> CaptureAnswer:
    """One sensor's answer."""
    return CaptureAnswer(
        inspection_id=msg.inspection_id,
        view=ViewKey(msg.presentation, msg.sensor),
        ok=msg.ok,
        reason=msg.reason,
        stamp_ns=stamp_from_msg(msg.stamp),
        shot=msg.shot,
    )
