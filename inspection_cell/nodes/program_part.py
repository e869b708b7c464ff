"""One part in the hands of a robot whose own program leads: what was asked, done and answered."""

import threading
from dataclasses import dataclass, field
from typing import Any

from inspection_cell_msgs.action import InspectPart, PresentPart
from inspection_cell_msgs.msg import ActuatorCommand
from inspection_cell_msgs.srv import CapturePresentation
from rclpy.task import Future


@dataclass(slots=True, eq=False)
class ProgramPart:
    """One inspection between begin_part and part_placed.

    Attributes:
        handle: the goal of InspectPart, once the cell has accepted it.
        asked: the pose that the cell asks for now.
        settled: takes the answer to `asked`.
        capturing: the pose whose pictures are being taken.
        all_captured: whether the cell asks for no more poses.
        ended: the result of InspectPart.
        refusal: why there is no inspection.
        command: what the reject side wants done with the part.
        answers: what was answered for each pose, for a program that repeats its call.
        changed: done when something of this has changed; then there is a new one.
        lock: held while it is exchanged: callbacks may run at the same time.
    """

    part_id: str
    part_type: str
    inspection_id: str = ''
    handle: Any = None
    asked: PresentPart.Goal | None = None
    settled: Future = field(default_factory=Future)
    capturing: str = ''
    all_captured: bool = False
    ended: InspectPart.Result | None = None
    refusal: str = ''
    command: ActuatorCommand | None = None
    answers: dict[str, CapturePresentation.Response] = field(default_factory=dict)
    changed: Future = field(default_factory=Future)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def is_over(self) -> bool:
        """Whether the cell has nothing more to say about the poses."""
        return bool(self.refusal) or self.ended is not None

    @property
    def never_began(self) -> bool:
        """Whether the cell has not taken it: nothing will be said about it."""
        return bool(self.refusal) and (self.handle is None or not self.handle.accepted)

    @property
    def goes_on(self) -> bool:
        """Whether the cell has taken its pictures of the last pose."""
        return self.asked is not None or self.all_captured or self.is_over

    @property
    def why_over(self) -> str:
        """Why it is over, in words."""
        return self.refusal or (self.ended.message if self.ended else '') or 'it has ended'

    def touch(self) -> None:
        """Wake up who waits."""
        with self.lock:
            changed, self.changed = self.changed, Future()
        changed.set_result(None)

    def ask(self, goal: PresentPart.Goal) -> Future:
        """Note the pose that the cell asks for; the future takes the answer."""
        self.asked, self.settled, self.capturing = goal, Future(), ''
        self.touch()
        return self.settled

    def settle(self, answer: PresentPart.Result) -> None:
        """The robot holds the part still in the pose that was asked for."""
        self.capturing = self.asked.presentation if self.asked else ''
        self.asked = None
        self.settled.set_result(answer)

    def take_back(self) -> None:
        """The cell no longer waits for the pose that it asked for."""
        self.asked = None
        if not self.settled.done():
            self.settled.set_result(None)
        self.touch()
