"""Process signals; the samples go in and out of messages without a Python loop."""

from array import array

import numpy as np
from inspection_cell_msgs.msg import ProcessSignal

from inspection_cell.nodes.conversions.poses import stamp_to_msg
from inspection_cell.observations import Signal


def signal_to_msg(signal: Signal, stamp_ns: int = 0, frame_id: str = '') -> ProcessSignal:
    """A recording; the stamp is that of its begin."""
    msg = ProcessSignal(rate_hz=float(signal.rate_hz), unit=signal.unit)
    msg.header.stamp, msg.header.frame_id = stamp_to_msg(stamp_ns), frame_id
    values = array('f')
    values.frombytes(np.ascontiguousarray(signal.values).data.cast('B'))
    msg.values = values
    return msg


def signal_from_msg(msg: ProcessSignal) -> Signal:
    """A recording; raises DataError for a rate of 0 or less and values that are not finite."""
    return Signal(np.frombuffer(msg.values, dtype=np.float32), msg.rate_hz, msg.unit)
