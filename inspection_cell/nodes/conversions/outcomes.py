"""From what the cell published about one part to its outcome."""

from inspection_cell_msgs.action import InspectPart
from inspection_cell_msgs.msg import CellState, Disposition
from inspection_cell_msgs.msg import Verdict as VerdictMsg

from inspection_cell.findings import Decision, Defect
from inspection_cell.nodes.conversions.poses import stamp_from_msg
from inspection_cell.nodes.conversions.verdicts import defect_from_msg
from inspection_cell.outcome import DefectOutcome, Outcome, PartOrder

DIGITS = 3  # of millimetres and probabilities that people and comparisons read

STATES = {
    CellState.STARTING: 'starting',
    CellState.READY: 'ready',
    CellState.INSPECTING: 'inspecting',
    CellState.FAULT: 'fault',
    CellState.STOPPED: 'stopped',
}


def goal_of(order: PartOrder) -> InspectPart.Goal:
    """The goal that asks for one part."""
    return InspectPart.Goal(part_id=order.part_id, part_type=order.part_type)


def outcome_of(order: PartOrder, msg: VerdictMsg, received_ns: int, cycle_s: float) -> Outcome:
    """The outcome of a part with a verdict.

    Args:
        order: which part was asked for.
        msg: the verdict.
        received_ns: when the verdict was received, ROS clock.
        cycle_s: goal sent to now, s.
    """
    stamps_ns = [stamp_from_msg(view.stamp) for view in msg.views]
    last_ns = max(stamps_ns, default=0)
    return Outcome(
        part_id=order.part_id,
        part_type=order.part_type,
        truth=order.truth,
        decision=Decision(msg.decision.value).name,
        reasons=tuple(reason.text for reason in msg.reasons),
        defects=tuple(_defect(defect_from_msg(defect)) for defect in msg.defects),
        inspection_id=msg.inspection_id,
        verdict_latency_ms=round((received_ns - last_ns) * 1e-6, DIGITS) if last_ns else None,
        cycle_s=round(cycle_s, DIGITS),
    )


def disposition_in_words(msg: Disposition) -> str:
    """Where a part went: `released to good`, `diverted to scrap (not confirmed: ...)`."""
    action = 'released' if msg.action == Disposition.RELEASED else 'diverted'
    doubt = '' if msg.confirmed else f' (not confirmed: {msg.reason})'
    return f'{action} to {msg.bin}{doubt}'


def _defect(defect: Defect) -> DefectOutcome:
    position_mm = None
    if defect.position_m is not None:
        x, y, z = (round(float(value) * 1000.0, DIGITS) for value in defect.position_m)
        position_mm = (x, y, z)
    return DefectOutcome(
        label=defect.label,
        probability=round(defect.probability, DIGITS),
        position_mm=position_mm,
        length_mm=round(defect.length_mm, DIGITS),
        peak_mm=round(defect.peak_mm, DIGITS),
    )


def state_in_words(msg: CellState) -> str:
    """What the cell is doing, in a word."""
    return STATES.get(msg.state, str(msg.state))
