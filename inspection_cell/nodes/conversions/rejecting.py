"""Commands to actuators, and what was done with a part."""

from inspection_cell_msgs.msg import ActuatorCommand
from inspection_cell_msgs.msg import Disposition as DispositionMsg

from inspection_cell.disposition import Action, Command, Disposition
from inspection_cell.nodes.conversions.enums import enum_from_msg
from inspection_cell.nodes.conversions.poses import stamp_to_msg
from inspection_cell.nodes.conversions.verdicts import decision_from_msg, decision_to_msg


def command_to_msg(command: Command, stamp_ns: int) -> ActuatorCommand:
    """What an actuator is to do; decision, reason and latency stay behind."""
    return ActuatorCommand(
        stamp=stamp_to_msg(stamp_ns),
        sequence=command.sequence,
        inspection_id=command.inspection_id,
        part_id=command.part_id,
        action=int(command.action),
        bin=command.bin,
    )


def disposition_to_msg(disposition: Disposition, stamp_ns: int) -> DispositionMsg:
    """What was done with a part; the command's sequence stays behind."""
    command = disposition.command
    return DispositionMsg(
        stamp=stamp_to_msg(stamp_ns),
        inspection_id=command.inspection_id,
        part_id=command.part_id,
        decision=decision_to_msg(command.decision),
        action=int(command.action),
        bin=disposition.bin,
        confirmed=disposition.confirmed,
        reason=disposition.reason,
        latency_s=command.latency_s,
    )


def disposition_from_msg(msg: DispositionMsg) -> Disposition:
    """What was done with a part; raises DataError for an unknown action or decision."""
    command = Command(
        0,
        msg.inspection_id,
        msg.part_id,
        enum_from_msg(Action, msg.action),
        msg.bin,
        decision_from_msg(msg.decision),
        msg.reason,
        msg.latency_s,
    )
    return Disposition(command, msg.confirmed, msg.bin, msg.reason)
