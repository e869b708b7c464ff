"""One goal of InspectPart from its turn to its result, in a thread of its own."""

import threading
from dataclasses import dataclass

from inspection_cell_msgs.action import InspectPart
from rclpy.action.server import ServerGoalHandle
from rclpy.impl.implementation_singleton import rclpy_implementation

from inspection_cell.findings import Decision, Verdict
from inspection_cell.nodes.board import StoppedError
from inspection_cell.nodes.cell_topics import CellTopics
from inspection_cell.nodes.conversions.verdicts import verdict_to_msg
from inspection_cell.nodes.heartbeat import Heartbeat
from inspection_cell.nodes.inspection_goal import Inspection, Station, Task, no_verdict
from inspection_cell.nodes.journal import Journal
from inspection_cell.nodes.permits import Permits
from inspection_cell.nodes.run import Logger, guarded

RCLError = rclpy_implementation.RCLError


@dataclass(frozen=True, slots=True)
class Services:
    """What the goals in work share."""

    station: Station
    topics: CellTopics
    heartbeat: Heartbeat
    journal: Journal
    permits: Permits
    stopping: threading.Event
    logger: Logger


class GoalInWork:
    """Whatever happens to it, the part gets a record and the goal a result."""

    def __init__(self, services: Services, task: Task, handle: ServerGoalHandle) -> None:
        """Prepare; `serve` does the work."""
        self._services = services
        self._task = task
        self._handle = handle
        self._inspection = Inspection(services.station, task, services.topics, self)
        self._entered = False
        self._verdict: Verdict | None = None
        self._why = ''

    def serve(self) -> None:
        """Wait for the turn, inspect, record, publish, and end the goal."""
        what = f'inspection {self._task.inspection_id} of {self._task.part_id}'
        self._why = guarded(self._services.logger, what, self._inspect)
        if self._why and self._entered:
            guarded(self._services.logger, what, self._give_up)
        if self._entered:
            self._decided()
            self._services.heartbeat.end(self._task.inspection_id)
        if not self._services.stopping.is_set():  # when it is, nobody spins any more
            self._end()

    def _end(self) -> None:
        try:
            self._handle.execute(self._finish)
        except RCLError:  # taken back just now: there is nothing to execute, only to finish
            self._handle.execute(self._finish)

    def _decided(self) -> None:
        station, inspection_id = self._services.station, self._task.inspection_id
        station.traffic.decided(inspection_id)
        if station.cell.file.disposition.only_watches:  # nobody will say where the part went
            station.traffic.disposed(inspection_id)

    def check(self) -> None:
        """Raise StoppedError when the inspection must end."""
        if self._services.stopping.is_set() or not self._services.topics.is_open:
            raise StoppedError('the cell stops')
        if self._handle.is_cancel_requested:
            raise StoppedError('the client took its goal back')

    def tell(self, stage: str, presentation: str = '') -> None:
        """Publish feedback to the client."""
        feedback = InspectPart.Feedback(inspection_id=self._task.inspection_id, stage=stage)
        feedback.presentation = presentation
        self._handle.publish_feedback(feedback)

    def _inspect(self) -> None:
        self._services.station.traffic.enter(self._task.inspection_id, self.check)
        self._entered = True
        self._services.heartbeat.begin(self._task.inspection_id)
        verdict = self._inspection.run()
        self.check()  # a goal taken back until now gets no permit
        self._record_and_publish(verdict)

    def _give_up(self) -> None:
        """The part is somewhere in the cell: have it diverted, and leave a record.

        A verdict that is recorded already stays: without a permit the part is diverted.
        """
        if self._verdict is not None:
            return
        if not self._inspection.announced:
            self._services.topics.announce(self._task.inspection_id, self._task.part_id)
        topics, cell = self._services.topics, self._services.station.cell
        self._record_and_publish(no_verdict(self._task, self._why, topics.now_ns(), cell.sha256))

    def _record_and_publish(self, verdict: Verdict) -> None:
        self._verdict = self._services.journal.record(verdict)
        self._services.topics.publish_verdict(self._verdict)
        if self._verdict.decision is Decision.ACCEPT:
            self._services.permits.grant(self._task.inspection_id, self._task.part_id)

    def _finish(self, handle: ServerGoalHandle) -> InspectPart.Result:
        if not self._why:
            handle.succeed()
        elif handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        result = InspectPart.Result(message=self._why)
        if self._verdict is not None:
            result.verdict = verdict_to_msg(self._verdict)
        return result
