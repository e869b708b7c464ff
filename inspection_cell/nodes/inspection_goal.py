"""The flow of one inspection: present and capture, wait for the findings, fuse, judge."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from inspection_cell_msgs.action import PresentPart

from inspection_cell import __version__
from inspection_cell.cell import Cell
from inspection_cell.findings import Decision, Reason, Verdict, ViewFindings, ViewStatus
from inspection_cell.fusion.admission import admit, judged_views
from inspection_cell.fusion.fuse import Fuser
from inspection_cell.nodes.board import GRACE_S, Board
from inspection_cell.nodes.cell_topics import CellTopics
from inspection_cell.nodes.conversions.capturing import CaptureOrder
from inspection_cell.nodes.conversions.poses import pose_to_msg
from inspection_cell.nodes.presenting import Presenter
from inspection_cell.nodes.shot_player import ShotPlayer
from inspection_cell.nodes.traffic import Traffic
from inspection_cell.observations import ViewKey
from inspection_cell.recipe import Recipe
from inspection_cell.verdict import judge


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
        self._not_taken: dict[ViewKey, str] = {}  # which shot of a lighting sequence, and why

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
        """Views of one image at once, then one lighting sequence after the other.

        A light shines on the part for every sensor that looks: none looks beside a sequence.
        """
        cell = self._station.cell
        sequences = [n for n in order.sensors if n in cell.cameras and cell.cameras[n].shots]
        others = tuple(name for name in order.sensors if name not in sequences)
        if others:
            self._topics.publish_capture(replace(order, sensors=others))
            self._begin(order, others)
        if sequences:
            self._captured(order, [name for name in others if name in cell.posed_sensors])
        player = ShotPlayer(cell, self._station.board, self._topics, self._progress.check)
        for name in sequences:
            (until_s,) = self._begin(order, [name])
            view = ViewKey(order.presentation, name)
            self._not_taken[view] = player.play(order, name, until_s)
            self._captured(order, [] if self._not_taken[view] else [name])
        self._captured(order, others)
        views = [ViewKey(order.presentation, name) for name in order.sensors]
        self._station.board.give_up(order.inspection_id, views)

    def _begin(self, order: CaptureOrder, sensors: Sequence[str]) -> list[float]:
        """Count the deadlines of views from now on; return them, steady clock."""
        now_s, known = time.monotonic(), self._station.cell.sensors
        deadlines_s = [now_s + known[name].deadline_s for name in sensors]
        for name, until_s in zip(sensors, deadlines_s, strict=True):
            self._capture_until_s[ViewKey(order.presentation, name)] = until_s + GRACE_S
        return deadlines_s

    def _captured(self, order: CaptureOrder, sensors: Sequence[str]) -> None:
        """Wait until these sensors have answered, or their deadlines are over."""
        views = [ViewKey(order.presentation, name) for name in sensors]
        board, inspection_id = self._station.board, order.inspection_id
        board.wait(
            lambda: all(board.answer(inspection_id, view) for view in views),
            max((self._capture_until_s[view] for view in views), default=0.0),
            self._progress.check,
        )

    def _due_s(self, view: ViewKey) -> float:
        """Until when the findings of a view are awaited, steady clock."""
        if view.is_joint:
            return self._joint_due_s(view)
        answered_s = self._station.board.answered_s(self._task.inspection_id, view)
        if answered_s is None:
            return self._capture_until_s[view]
        return answered_s + self._station.cell.sensors[view.sensor].inspect_s

    def _joint_due_s(self, view: ViewKey) -> float:
        """Scans that are judged together: after the last of them, and sooner without any."""
        due_s = max(self._due_s(scan) for scan in self._task.recipe.file.joint_scans)
        inspect_s = self._station.cell.sensors[view.sensor].inspect_s
        return due_s + inspect_s if self._scanned else due_s

    @property
    def _scanned(self) -> bool:
        """Whether a scan that is judged with others was captured."""
        board, task = self._station.board, self._task
        answers = [board.answer(task.inspection_id, one) for one in task.recipe.file.joint_scans]
        return any(answer is not None and answer.ok for answer in answers)

    def _latest_s(self) -> float:
        return max(self._due_s(view) for view in judged_views(self._task.recipe))

    def _nothing_is_due(self) -> bool:
        findings = self._station.board.findings(self._task.inspection_id)
        missing = set(judged_views(self._task.recipe)) - {found.view for found in findings}
        now_s = time.monotonic()
        return all(now_s > self._due_s(view) for view in missing)

    def _judged(self) -> Verdict:
        task, cell = self._task, self._station.cell
        delivered = self._station.board.findings(task.inspection_id)
        known = {found.view for found in delivered}
        absent = [self._absent(view) for view in judged_views(task.recipe) if view not in known]
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
        if view.is_joint:
            status = ViewStatus.LATE if self._scanned else ViewStatus.MISSING
            reason = f'the scans were not judged together within {sensor.inspect_s:g} s'
            return ViewFindings(inspection_id, view, status, reason)
        answer = self._station.board.answer(inspection_id, view)
        if answer is None:
            reason = self._not_taken.get(view) or (
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
