"""What came in about the inspections in work, for the threads that wait for it."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from inspection_cell.errors import InspectionCellError
from inspection_cell.findings import ViewFindings
from inspection_cell.nodes.conversions.capturing import CaptureAnswer
from inspection_cell.observations import ViewKey

POLL_S = 0.1
GRACE_S = 0.3  # for an inspector's own "no frame came" to arrive after the sensor's deadline


class StoppedError(InspectionCellError):
    """The inspection ends without a verdict: cancelled, aborted, or the cell stops."""


@dataclass(slots=True)
class _Sheet:
    """One inspection: each answer, and when it came, in seconds of the steady clock."""

    answers: dict[ViewKey, CaptureAnswer] = field(default_factory=dict)
    answered_s: dict[ViewKey, float] = field(default_factory=dict)
    findings: list[ViewFindings] = field(default_factory=list)
    shots: set[tuple[ViewKey, str]] = field(default_factory=set)
    given_up: set[ViewKey] = field(default_factory=set)


class Board:
    """Collects the inspectors' answers by inspection; what nobody waits for is dropped."""

    def __init__(self) -> None:
        """Start with no inspection in work."""
        self._sheets: dict[str, _Sheet] = {}
        self._changed = threading.Condition()

    def open(self, inspection_id: str) -> None:
        """Collect for this inspection from now on."""
        with self._changed:
            self._sheets[inspection_id] = _Sheet()

    def close(self, inspection_id: str) -> None:
        """Forget this inspection."""
        with self._changed:
            self._sheets.pop(inspection_id, None)

    def put_answer(self, answer: CaptureAnswer) -> None:
        """Take a sensor's answer to a capture request."""
        with self._changed:
            sheet = self._sheets.get(answer.inspection_id)
            if sheet is None or answer.view in sheet.given_up:
                return
            if answer.view not in sheet.answers:
                sheet.answers[answer.view] = answer
                sheet.answered_s[answer.view] = time.monotonic()
                self._changed.notify_all()

    def put_shot(self, answer: CaptureAnswer) -> None:
        """Take a sensor's answer about one shot of its lighting sequence."""
        with self._changed:
            sheet = self._sheets.get(answer.inspection_id)
            if sheet is not None and answer.ok:
                sheet.shots.add((answer.view, answer.shot))
                self._changed.notify_all()

    def put_findings(self, findings: ViewFindings) -> bool:
        """Take the findings of a view; False when nobody waits for them any more."""
        with self._changed:
            sheet = self._sheets.get(findings.inspection_id)
            if sheet is None or findings.view in sheet.given_up:
                return False
            sheet.findings.append(findings)
            self._changed.notify_all()
            return True

    def give_up(self, inspection_id: str, views: Iterable[ViewKey]) -> None:
        """Take nothing any more of those views that have not been captured.

        The robot moves on: what an inspector captures from now on shows something else.
        """
        with self._changed:
            sheet = self._sheets[inspection_id]
            sheet.given_up |= {view for view in views if view not in sheet.answers}

    def answer(self, inspection_id: str, view: ViewKey) -> CaptureAnswer | None:
        """A sensor's answer, if it came."""
        with self._changed:
            return self._sheets[inspection_id].answers.get(view)

    def shot_came(self, inspection_id: str, view: ViewKey, shot: str) -> bool:
        """Whether the frame of a shot has been captured."""
        with self._changed:
            return (view, shot) in self._sheets[inspection_id].shots

    def answered_s(self, inspection_id: str, view: ViewKey) -> float | None:
        """When a sensor answered, steady clock."""
        with self._changed:
            return self._sheets[inspection_id].answered_s.get(view)

    def findings(self, inspection_id: str) -> tuple[ViewFindings, ...]:
        """All findings so far, in the order in which they came."""
        with self._changed:
            return tuple(self._sheets[inspection_id].findings)

    def wait(self, done: Callable[[], bool], until_s: float, check: Callable[[], None]) -> bool:
        """Wait until `done` or the steady time is over; `check` raises StoppedError to end it."""
        with self._changed:  # reentrant: `done` may ask the board
            while not done():
                check()
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    return False
                self._changed.wait(min(left_s, POLL_S))
            return True
