"""Scans that are judged together wait for each other; a thread of its own judges them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from inspection_cell_msgs.msg import Verdict as VerdictMsg
from rclpy.node import Node

from inspection_cell.findings import ViewFindings, ViewStatus
from inspection_cell.nodes.conversions.capturing import CaptureOrder
from inspection_cell.nodes.qos import RELIABLE
from inspection_cell.nodes.run import guarded
from inspection_cell.nodes.worker import Worker
from inspection_cell.observations import Observation, ViewKey
from inspection_cell.views.joint_scans import JointScans
from inspection_cell.views.surface import SurfaceInspection, SurfaceInspector
from inspection_cell.views.waiting_scans import Complete, WaitingScans


@dataclass(frozen=True, slots=True)
class _Job:
    """The scans of one part, and the order by which the last of them came."""

    order: CaptureOrder
    complete: Complete[SurfaceInspector]


class JointWorker:
    """Keeps scans until their part is complete; a part that has its verdict is forgotten."""

    def __init__(
        self,
        node: Node,
        queue: int,
        publish: Callable[[ViewFindings], None],
        show: Callable[[CaptureOrder, SurfaceInspection], None],
    ) -> None:
        """Start the thread and listen for verdicts.

        Args:
            node: whose scans they are.
            queue: parts that may wait, for scans or for the thread.
            publish: told what the scans say together.
            show: told it afterwards, with the order of the last scan and what is to be seen.
        """
        self._node = node
        self._publish = publish
        self._show = show
        self._waiting: WaitingScans[SurfaceInspector] = WaitingScans(queue)
        name = f'{node.get_name()} together'
        self._worker = Worker(name, queue, self._work, self._failed, node.get_logger())
        self._verdicts = node.create_subscription(
            VerdictMsg, 'verdict', self._on_verdict, RELIABLE
        )

    def close(self) -> None:
        """End the thread; scans that wait are dropped."""
        self._node.destroy_subscription(self._verdicts)
        self._worker.stop()

    @property
    def waiting(self) -> int:
        """Parts of which scans wait for others."""
        return len(self._waiting)

    def keep(self, observation: Observation, by: SurfaceInspector) -> None:
        """Keep a scan that is to be judged with others; call it before its findings are told."""
        for dropped in self._waiting.keep(observation, by.joint_scans, by):
            self._overloaded(dropped)

    def said(
        self, order: CaptureOrder, findings: ViewFindings, required: tuple[ViewKey, ...]
    ) -> None:
        """Take what the view of a scan said; the last one of a part has them all judged."""
        complete = self._waiting.said(findings, required)
        if complete is not None and not self._worker.submit(_Job(order, complete)):
            self._overloaded(complete.scans)

    def _work(self, job: _Job) -> None:
        scans, inspector = job.complete.scans, job.complete.judge
        if inspector is None:
            self._publish(scans.nothing())
            return
        result = inspector.inspect_together(scans)
        self._publish(result.view_findings)
        # What fails from here on does not undo the findings.
        guarded(self._node.get_logger(), 'show', partial(self._show, job.order, result))

    def _failed(self, job: _Job, reason: str) -> None:
        scans = job.complete.scans
        findings = ViewFindings(scans.inspection_id, scans.view, ViewStatus.ERROR, reason)
        self._publish(findings)

    def _overloaded(self, scans: JointScans) -> None:
        reason = f'scans of {self.waiting} other parts wait already'
        findings = ViewFindings(scans.inspection_id, scans.view, ViewStatus.OVERLOADED, reason)
        self._publish(findings)

    def _on_verdict(self, msg: VerdictMsg) -> None:
        self._waiting.forget(msg.inspection_id)
