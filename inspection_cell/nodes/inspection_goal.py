"""The flow of one inspection: present and capture, wait for the findings, fuse, judge."""

import time
from dataclasses import dataclass
from typing import Protocol

from inspection_cell_msgs.action import PresentPart

from inspection_cell import __version__
from inspection_cell.cell import Cell
from inspection_cell.findings import Decision, Reason, Verdict, ViewFindings, ViewStatus
from inspection_cell.fusion.admission import admit, required_views
from inspection_cell.fusion.fuse import Fuser
from inspection_cell.nodes.board import Board
from inspection_cell.nodes.cell_topics import CellTopics
from inspection_cell.nodes.conversions.capturing import CaptureOrder
from inspection_cell.nodes.conversions.poses import pose_to_msg
from inspection_cell.nodes.presenting import Presenter
from inspection_cell.nodes.traffic import Traffic
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import Recipe
from inspection_cell.verdict import judge

GRACE_S = 0.3  # for an inspector's own "no frame came" to arrive after the sensor's deadline


class Progress(Protocol):
    """The goal that the inspection is done for."""

    def check(self) -> None:
        """Raise StoppedError when the inspection must end."""

    def tell(self, stage: str, presentation: str = '') -> None:
        """Say what is being done."""


@dataclass(frozen=True, slots=True)
class Station:
    """What all inspections share."""

    cell: Cell
    board: Board
    presenter: Presenter
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class Task:
    """One part to be inspected; `fuser` knows by which recipe."""

    inspection_id: str
    part_id: str
    fuser: Fuser

    @property
    def recipe(self) -> Recipe:
        """Of the part's type."""
        return self.fuser.recipe


class Inspection:
    """One part on its way to a verdict; runs in a thread of its own, never in a callback."""

    def __init__(
        self, station: Station, task: Task, topics: CellTopics, progress: Progress
    ) -> None:
        """Prepare; nothing moves yet."""
        self.announced = False
        self._station = station
        self._task = task
        self._topics = topics
        self._progress = progress
        self._capture_until_s: dict[ViewKey, float] = {}

    def run(self) -> Verdict:
        """Return the verdict; raises InspectionCellError when there is none."""
        task, board = self._task, self._station.board
        board.open(task.inspection_id)
        try:
            with self._station.traffic.robot(task.inspection_id, self._progress.check):
                for presentation in task.recipe.file.presentations:
                    self._present_and_capture(presentation)
            self._topics.announce(task.inspection_id, task.part_id)
            self.announced = True
            self._progress.tell('inspecting')
            board.wait(self._nothing_is_due, self._latest_s(), self._progress.check)
            self._progress.tell('judging')
            return self._judged()
        finally:
            board.close(task.inspection_id)

    def _present_and_capture(self, name: str) -> None:
        task = self._task
        presentation = task.recipe.file.presentations[name]
        self._progress.tell('presenting', name)
        goal = PresentPart.Goal(inspection_id=task.inspection_id, part_id=task.part_id)
        goal.part_type, goal.presentation = task.recipe.part_type, name
        goal.part_to_cell = pose_to_msg(presentation.pose.transform())
        settled = self._station.presenter.present(goal, self._progress.check)
        self._progress.tell('capturing', name)
        sensors = self._station.cell.sensors
        order = CaptureOrder(
            task.inspection_id,
            task.part_id,
            task.recipe.part_type,
            task.recipe.sha256,
            name,
            settled.settled_ns,
            settled.transform_part_to_cell,
            presentation.sensors,
            max(sensors[sensor].deadline_s for sensor in presentation.sensors),
        )
        self._capture(order)

    def _capture(self, order: CaptureOrder) -> None:
        views = [ViewKey(order.presentation, sensor) for sensor in order.sensors]
        self._topics.publish_capture(order)
        sent_s = time.monotonic()
        for view in views:
            deadline_s = self._station.cell.sensors[view.sensor].deadline_s
            self._capture_until_s[view] = sent_s + deadline_s + GRACE_S
        until_s = max(self._capture_until_s[view] for view in views)
        board, inspection_id = self._station.board, order.inspection_id
        board.wait(
            lambda: all(board.answer(inspection_id, view) for view in views),
            until_s,
            self._progress.check,
        )

    def _due_s(self, view: ViewKey) -> float:
        """Until when the findings of a view are awaited, steady clock."""
        answered_s = self._station.board.answered_s(self._task.inspection_id, view)
        if answered_s is None:
            return self._capture_until_s[view]
        return answered_s + self._station.cell.sensors[view.sensor].inspect_s

    def _latest_s(self) -> float:
        return max(self._due_s(view) for view in required_views(self._task.recipe))

    def _nothing_is_due(self) -> bool:
        findings = self._station.board.findings(self._task.inspection_id)
        missing = set(required_views(self._task.recipe)) - {found.view for found in findings}
        now_s = time.monotonic()
        return all(now_s > self._due_s(view) for view in missing)

    def _judged(self) -> Verdict:
        task, cell = self._task, self._station.cell
        delivered = self._station.board.findings(task.inspection_id)
        known = {found.view for found in delivered}
        absent = [self._absent(view) for view in required_views(task.recipe) if view not in known]
        views = admit(task.recipe, task.inspection_id, [*delivered, *absent])
        fused = task.fuser.fuse(views)
        return judge(
            task.recipe,
            fused,
            views,
            inspection_id=task.inspection_id,
            part_id=task.part_id,
            stamp_ns=self._topics.now_ns(),
            cell_hash=cell.sha256,
            reference=task.fuser.reference,
        )

    def _absent(self, view: ViewKey) -> ViewFindings:
        """Why there are no findings of a view."""
        inspection_id = self._task.inspection_id
        sensor = self._station.cell.sensors[view.sensor]
        answer = self._station.board.answer(inspection_id, view)
        if answer is None:
            reason = (
                f'no inspector answered the capture request within {sensor.deadline_s:g} s; '
                f'is the node for {sensor.kind} sensors running?'
            )
            return ViewFindings(inspection_id, view, ViewStatus.MISSING, reason)
        if not answer.ok:
            return ViewFindings(inspection_id, view, ViewStatus.MISSING, answer.reason)
        reason = f'no findings within {sensor.inspect_s:g} s after the capture'
        return ViewFindings(inspection_id, view, ViewStatus.LATE, reason, stamp_ns=answer.stamp_ns)


def no_verdict(task: Task, why: str, stamp_ns: int, cell_hash: str) -> Verdict:
    """What is recorded of an inspection that ended before a verdict: UNKNOWN, and why."""
    return Verdict(
        task.inspection_id,
        task.part_id,
        task.recipe.part_type,
        Decision.UNKNOWN,
        (Reason('aborted', why, decision=Decision.UNKNOWN),),
        stamp_ns=stamp_ns,
        recipe_hash=task.recipe.sha256,
        cell_hash=cell_hash,
        software_version=__version__,
    )
