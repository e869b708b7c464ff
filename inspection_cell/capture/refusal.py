"""Why a frame does not belong to a view, in words that name both times."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class RefusalKind(StrEnum):
    """What is wrong with a frame; the value completes `2 frames …`."""

    NO_STAMP = 'without a stamp'
    FUTURE = 'stamped in the future'
    REPEATED = 'not newer than one already used'
    OLD = 'exposed before the robot had settled'
    OTHER_LIGHT = 'exposed before its light had settled'
    LATE = 'after the deadline'


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused frame."""

    kind: RefusalKind
    text: str

    @classmethod
    def no_stamp(cls, stamp_ns: int) -> Self:
        """The driver filled in no stamp."""
        return cls(RefusalKind.NO_STAMP, f'its stamp is {as_seconds(stamp_ns)}')

    @classmethod
    def future(cls, stamp_ns: int, arrival_ns: int) -> Self:
        """The stamp is later than the arrival: the clocks disagree."""
        return cls(
            RefusalKind.FUTURE,
            f'stamped {as_seconds(stamp_ns)}, {as_seconds(stamp_ns - arrival_ns)} after it '
            f'arrived at {as_seconds(arrival_ns)}',
        )

    @classmethod
    def repeated(cls, stamp_ns: int, used_ns: int) -> Self:
        """The frame is one that was used already, or older than that."""
        return cls(
            RefusalKind.REPEATED,
            f'stamped {as_seconds(stamp_ns)}, {as_seconds(used_ns - stamp_ns)} before the frame '
            f'already used, stamped {as_seconds(used_ns)}',
        )

    @classmethod
    def old(cls, begin_ns: int, settled_ns: int, uncertainty_ns: int, shot: str = '') -> Self:
        """The exposure began, or may have, before the robot, or the light of a shot, settled."""
        what = f'the light of shot {shot}' if shot else 'the robot'
        return cls(
            RefusalKind.OTHER_LIGHT if shot else RefusalKind.OLD,
            f'exposure began at {as_seconds(begin_ns)} ± {as_seconds(uncertainty_ns)}, {what} '
            f'had settled at {as_seconds(settled_ns)}, '
            f'{as_seconds(settled_ns + uncertainty_ns - begin_ns)} too early',
        )

    @classmethod
    def late(cls, arrival_steady_ns: int, deadline_steady_ns: int) -> Self:
        """The frame arrived after the deadline."""
        return cls(
            RefusalKind.LATE,
            f'arrived at {as_seconds(arrival_steady_ns)} of the steady clock, '
            f'{as_seconds(arrival_steady_ns - deadline_steady_ns)} after the deadline '
            f'{as_seconds(deadline_steady_ns)}',
        )


def as_seconds(time_ns: int) -> str:
    """A time or a difference in seconds, to the millisecond, exact for times since 1970."""
    sign = '-' if time_ns < 0 else ''
    milliseconds = (abs(time_ns) + 500_000) // 1_000_000
    return f'{sign}{milliseconds // 1000}.{milliseconds % 1000:03d} s'


def summary(kinds: Sequence[RefusalKind], last: str) -> str:
    """How many frames were refused for what, and the last refusal in detail."""
    counted = ', '.join(f'{number} {kind}' for kind, number in Counter(kinds).items())
    return f'{len(kinds)} refused ({counted}); the last: {last}'
