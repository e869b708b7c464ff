"""The frame gate: which frame of a sensor belongs to which view of which part.

Pure: every time is passed in. ROS times compare exposures with the robot, steady times judge
deadlines; the two are never mixed. One gate serves one sensor and one thread.
"""

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

from inspection_cell.capture.refusal import Refusal, RefusalKind, as_seconds, summary
from inspection_cell.cell import Stamp, StampMeaning
from inspection_cell.findings import ViewStatus

T = TypeVar('T')

RECENT = 4  # frames kept for a request that comes after its frame


@dataclass(frozen=True, slots=True)
class Frame(Generic[T]):
    """One message of a sensor.

    Attributes:
        stamp_ns: of the message, sensor's ROS clock.
        arrival_ns: when it was received, ROS clock.
        arrival_steady_ns: when it was received, steady clock.
    """

    payload: T
    stamp_ns: int
    arrival_ns: int
    arrival_steady_ns: int


@dataclass(frozen=True, slots=True)
class CaptureRequest:
    """A view that waits for its frame.

    Attributes:
        settled_ns: when the robot, and the light of a shot, had settled, ROS clock.
        deadline_steady_ns: latest arrival of the frame, steady clock.
        shot: of a lighting sequence; empty: the view is one frame.
        exposure_ns: exposure time of the shot; None: the one of the sensor's stamps.
    """

    inspection_id: str
    presentation: str
    settled_ns: int
    deadline_steady_ns: int
    shot: str = ''
    exposure_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Captured(Generic[T]):
    """The frame that belongs to a request; `exposure_start_ns` is its earliest begin."""

    request: CaptureRequest
    frame: Frame[T]
    exposure_start_ns: int


@dataclass(frozen=True, slots=True)
class NotCaptured:
    """A request that gets no frame: MISSING when none came, REFUSED when none belonged."""

    request: CaptureRequest
    status: ViewStatus
    reason: str


class FrameGate(Generic[T]):
    """Pairs the frames of one sensor with capture requests, in any order of arrival.

    Attributes:
        refused: frames that came for a request and did not belong to it, since the start.
        last_refusal: why the last of them did not.
    """

    def __init__(self, stamp: Stamp) -> None:
        """Take what the sensor's stamps mean from its `cell.yaml` entry."""
        self._meaning = stamp.meaning
        self._exposure_ns = round(stamp.exposure_ms * 1e6)
        self._latency_ns = round(stamp.latency_ms * 1e6)
        self._uncertainty_ns = round(stamp.uncertainty_ms * 1e6)
        self._open: CaptureRequest | None = None
        self._refusals: list[RefusalKind] = []
        self.refused = 0
        self.last_refusal = ''
        self._recent: deque[Frame[T]] = deque(maxlen=RECENT)
        self._given_up: deque[NotCaptured] = deque()
        self._last_used_ns = 0
        self._last_seen_ns = 0

    def expect(self, request: CaptureRequest) -> Captured[T] | None:
        """Open a request; one that is still open is given up, and `expire` hands it out.

        Returns:
            A frame that came before its request, if one belongs to it.
        """
        if self._open is not None:
            self._give_up(f'{_words(request)} was requested before a frame came; ')
        self._open = request
        self._refusals = []
        for frame in self._recent:
            if captured := self._take(frame, request):
                return captured
        return None

    def offer(self, frame: Frame[T]) -> Captured[T] | None:
        """Take a frame as it arrives; return it with the request that it belongs to, if any."""
        self._last_seen_ns = frame.stamp_ns
        captured = self._take(frame, self._open) if self._open is not None else None
        if captured is None:
            self._recent.append(frame)
        return captured

    def expire(self, now_steady_ns: int) -> NotCaptured | None:
        """Return a request that gets no frame: given up, or past its deadline.

        Call it until it returns None: several requests may have ended since the last call.
        """
        if self._open is not None and now_steady_ns > self._open.deadline_steady_ns:
            self._give_up('')
        return self._given_up.popleft() if self._given_up else None

    def _exposure_start_ns(self, frame: Frame[T], request: CaptureRequest) -> int:
        """Earliest begin of a frame's exposure, before clock uncertainty, ROS clock."""
        exposure_ns = self._exposure_ns if request.exposure_ns is None else request.exposure_ns
        if self._meaning is StampMeaning.EXPOSURE_START:
            return frame.stamp_ns
        if self._meaning is StampMeaning.EXPOSURE_END:
            return frame.stamp_ns - exposure_ns
        # Time in the transport must not make a frame look younger than the driver says it is.
        arrival_ns = min(frame.stamp_ns, frame.arrival_ns)
        return arrival_ns - exposure_ns - self._latency_ns

    def _take(self, frame: Frame[T], request: CaptureRequest) -> Captured[T] | None:
        refusal = self._refusal(frame, request)
        if refusal is None:
            self._open = None
            self._last_used_ns = frame.stamp_ns
            self._recent.clear()
            return Captured(request, frame, self._exposure_start_ns(frame, request))
        if frame.arrival_ns >= request.settled_ns:  # what came earlier is nobody's fault
            self._refusals.append(refusal.kind)
            self.refused += 1
            self.last_refusal = refusal.text
        return None

    def _refusal(self, frame: Frame[T], request: CaptureRequest) -> Refusal | None:
        if frame.stamp_ns <= 0:
            return Refusal.no_stamp(frame.stamp_ns)
        if frame.stamp_ns > frame.arrival_ns + self._uncertainty_ns:
            return Refusal.future(frame.stamp_ns, frame.arrival_ns)
        if frame.stamp_ns <= self._last_used_ns:
            return Refusal.repeated(frame.stamp_ns, self._last_used_ns)
        begin_ns = self._exposure_start_ns(frame, request)
        if begin_ns - self._uncertainty_ns < request.settled_ns:
            return Refusal.old(begin_ns, request.settled_ns, self._uncertainty_ns, request.shot)
        if frame.arrival_steady_ns > request.deadline_steady_ns:
            return Refusal.late(frame.arrival_steady_ns, request.deadline_steady_ns)
        return None

    def _give_up(self, cause: str) -> None:
        request, self._open = self._open, None
        if request is None:
            return
        if self._refusals:
            status = ViewStatus.REFUSED
            text = summary(self._refusals, self.last_refusal)
        else:
            status = ViewStatus.MISSING
            text = self._missing(request)
        shot = f'shot {request.shot}: ' if request.shot else ''
        self._given_up.append(NotCaptured(request, status, shot + cause + text))

    def _missing(self, request: CaptureRequest) -> str:
        what = 'its light' if request.shot else 'the robot'
        settled = f'no frame came after {what} had settled at {as_seconds(request.settled_ns)}'
        if self._last_seen_ns == 0:
            return f'{settled}; none ever came from this sensor'
        before = as_seconds(request.settled_ns - self._last_seen_ns)
        last = f'the last one is stamped {as_seconds(self._last_seen_ns)}, {before} before that'
        return f'{settled}; {last}'


def trigger_spare_ns(stamp: Stamp) -> int:
    """How long a trigger waits after a light has settled, so that its frame surely counts.

    By so much may the exposure of a frame that is exposed at once look older than it is.
    """
    late_ms = stamp.latency_ms if stamp.meaning is StampMeaning.ARRIVAL else 0.0
    return round((late_ms + stamp.uncertainty_ms) * 1e6)


def _words(request: CaptureRequest) -> str:
    shot = f'shot {request.shot} at ' if request.shot else ''
    return f'{shot}{request.presentation} of inspection {request.inspection_id}'
