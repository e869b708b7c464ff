"""What the nodes of all sensors share: capture at the edge, inspect in worker threads."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from inspection_cell_msgs.msg import Capture, Captured
from inspection_cell_msgs.msg import ViewFindings as ViewFindingsMsg
from rclpy.clock import Clock, ClockType
from rclpy.publisher import Publisher

from inspection_cell.bringup import load_recipes
from inspection_cell.cell import Camera, Cell, ProcessSensor, Scanner, load_cell
from inspection_cell.errors import DataError, PoseError
from inspection_cell.evidence import EvidenceFolder
from inspection_cell.findings import ViewFindings, ViewStatus
from inspection_cell.nodes.capture_edge import CapturedView, CaptureEdge
from inspection_cell.nodes.conversions.capturing import (
    CaptureAnswer,
    CaptureOrder,
    capture_answer_to_msg,
    capture_order_from_msg,
)
from inspection_cell.nodes.conversions.findings import view_findings_to_msg
from inspection_cell.nodes.diagnosis import Diagnosis, Reading
from inspection_cell.nodes.held_poses import HeldPoses, refuse_without_tf2
from inspection_cell.nodes.held_recipes import HeldRecipes
from inspection_cell.nodes.params import CellParams
from inspection_cell.nodes.qos import RELIABLE, SHOWN, publisher_events
from inspection_cell.nodes.run import ManagedNode, guarded
from inspection_cell.nodes.timers import wake
from inspection_cell.nodes.worker import Rank, Worker
from inspection_cell.observations import Observation, ViewKey
from inspection_cell.recipe import Recipe

EXPIRE_PERIOD_S = 0.05
FOLLOW_PERIOD_S = 0.5

M = TypeVar('M')


class Inspection(Protocol):
    """What an inspector returns: findings, and what it wants shown."""

    @property
    def view_findings(self) -> ViewFindings:
        """All that the view says."""


S = TypeVar('S')  # looks at what its sensor has seen
R = TypeVar('R', bound=Inspection)


@dataclass(frozen=True, slots=True)
class Job(Generic[M, S]):
    """A captured view and who looks at it."""

    view: CapturedView[M]
    inspector: S


class InspectorNode(ManagedNode[CellParams], Generic[M, S, R]):
    """Captures the views of its sensors and inspects them in worker threads."""

    threads = 1  # views that are inspected at the same time at most

    def __init__(self, name: str) -> None:
        """Declare the parameters."""
        super().__init__(name, CellParams)
        self._edges: dict[str, CaptureEdge[M]] = {}
        self._last: dict[str, ViewFindings] = {}  # by sensor
        self._took_s: dict[tuple[str, ViewKey], float] = {}  # by part type, the last time

    def sensors_of(self, cell: Cell) -> Mapping[str, Camera | Scanner | ProcessSensor]:
        """Which sensors this node looks through."""
        raise NotImplementedError

    def begin_to_load(self, cell: Cell, evidence: EvidenceFolder) -> None:
        """What comes before the first recipe."""

    def make_ready(self, recipe: Recipe) -> object:
        """Make what looks at the views of a recipe and warm it up; in any thread."""
        raise NotImplementedError

    def recipes_changed(self, ready: Mapping[str, Any]) -> None:
        """What `make_ready` made is now this, by the recipe's sha256."""

    def inspector_of(self, view: CapturedView[M]) -> S | None:
        """Who looks at a view that was captured just now; None: nobody can."""
        raise NotImplementedError

    def observe(self, view: CapturedView[M]) -> Observation:
        """Decode one view; runs in a worker thread, and raises DataError for what is broken."""
        raise NotImplementedError

    def inspect(self, inspector: S, observation: Observation) -> R:
        """Inspect one view; runs in a worker thread."""
        raise NotImplementedError

    def show(self, view: CapturedView[M], result: R) -> None:
        """Publish what people want to see; runs in a worker thread after the findings."""
        raise NotImplementedError

    def said(self, order: CaptureOrder, findings: ViewFindings) -> None:
        """What a view said was published just now; runs wherever that was."""

    def configure(self) -> None:
        """Load cell, recipes and inspectors."""
        self._cell = load_cell(self.params.cell_path)
        refuse_without_tf2(self._cell, self.sensors_of(self._cell))
        recipes = load_recipes(self._cell, self.params.recipe_paths)
        self.begin_to_load(self._cell, EvidenceFolder(self.params.data_path))
        self._recipes = HeldRecipes[Any](self, self._cell, self.make_ready, self.recipes_changed)
        self._recipes.load(recipes)

    def activate(self) -> None:
        """Open topics, worker and timers."""
        events = publisher_events(self, 'findings')
        self._findings = self.create_publisher(
            ViewFindingsMsg, 'findings', RELIABLE, event_callbacks=events
        )
        self._answers = self.create_publisher(Captured, 'captured', RELIABLE)
        self._shot_answers = self.create_publisher(Captured, 'shot_captured', RELIABLE)
        self.held = HeldPoses(self, self._cell, self.sensors_of(self._cell))
        self._worker = Worker(
            self.get_name(),
            self._cell.file.limits.queue,
            self._work,
            self._failed,
            self.get_logger(),
            self.threads,
        )
        self._edges = {
            name: CaptureEdge(self, name, sensor, self._captured, self._shot)
            for name, sensor in self.sensors_of(self._cell).items()
        }
        self._orders = self.create_subscription(Capture, 'capture', self._on_capture, RELIABLE)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._expiring = self.create_timer(EXPIRE_PERIOD_S, self._expire, clock=steady)
        self._following = self.create_timer(FOLLOW_PERIOD_S, self._follow_offers, clock=steady)
        self._diagnosis = Diagnosis(self, self.readings)
        self._recipes.open()  # last: who answers can work

    def deactivate(self) -> None:
        """Close topics, worker and timers."""
        self._recipes.close()
        self.destroy_timer(self._expiring)
        self.destroy_timer(self._following)
        self.destroy_subscription(self._orders)
        for edge in self._edges.values():
            edge.close()
        self._edges = {}
        self._worker.stop()
        self.held.close()
        self._diagnosis.close()
        self.destroy_publisher(self._findings)
        self.destroy_publisher(self._answers)
        self.destroy_publisher(self._shot_answers)

    def shown(self, message_type: type, topic: str) -> Publisher:
        """A publisher for pictures, whom nobody needs to listen to."""
        return self.create_publisher(message_type, topic, SHOWN)

    def readings(self) -> Sequence[Reading]:
        """What /diagnostics shows."""
        queue = Reading('queue', '', {'waiting': str(self._worker.waiting)})
        return [queue, *(self._reading(edge) for edge in self._edges.values())]

    def _reading(self, edge: CaptureEdge[M]) -> Reading:
        """A sensor, and how its last view went."""
        reading, last = edge.reading(), self._last.get(edge.name)
        if last is None:
            return reading
        told = last.reason or last.status.name
        problem = '' if last.status is ViewStatus.OK else f'{last.view}: {told}'
        values = {**reading.values, 'last_view': last.status.name}
        return replace(reading, problem=reading.problem or problem, values=values)

    def _on_capture(self, msg: Capture) -> None:
        try:
            order = capture_order_from_msg(msg)
        except DataError as error:
            self.get_logger().error(f'capture of inspection {msg.inspection_id}: {error}')
            return
        refusal = self._refusal(order)
        for name in order.sensors:
            if name not in self._edges:
                continue
            if why := refusal or self._edges[name].unfit(order):
                key = ViewKey(order.presentation, name)
                self._not_captured(order, key, ViewStatus.ERROR, why)
            else:
                self._edges[name].expect(order)
                wake(self._expiring)

    def _refusal(self, order: CaptureOrder) -> str:
        if self._recipes.holds(order.recipe_hash):
            return ''
        known = ', '.join(f'{r.part_type} {r.sha256[:12]}' for r in self._recipes.held)
        wanted = f'{order.part_type} {order.recipe_hash[:12]}'
        return f'{self.get_name()} has no recipe {wanted}, only {known}: load it'

    def _shot(self, view: CapturedView[M]) -> None:
        stamp_ns, order = view.captured.exposure_start_ns, view.order
        answer = CaptureAnswer(
            order.inspection_id, view.key, True, stamp_ns=stamp_ns, shot=order.shot
        )
        self._shot_answers.publish(capture_answer_to_msg(answer))

    def _captured(self, view: CapturedView[M]) -> None:
        inspector = self.inspector_of(view)
        if inspector is None:
            reason = f'{self.get_name()} has no inspector for {view.order.part_type}'
            self._not_captured(view.order, view.key, ViewStatus.ERROR, reason)
            return
        if not self._worker.submit(Job(view, inspector), self._rank(view)):
            reason = f'{self._worker.waiting} captured views wait already'
            self._not_captured(view.order, view.key, ViewStatus.OVERLOADED, reason)
            return
        stamp_ns = view.captured.exposure_start_ns
        answer = CaptureAnswer(view.order.inspection_id, view.key, True, stamp_ns=stamp_ns)
        self._answers.publish(capture_answer_to_msg(answer))

    def _rank(self, view: CapturedView[M]) -> Rank:
        """Presentations in their order; of one, what took longest last time, to end together."""
        took_s = self._took_s.get((view.order.part_type, view.key), 0.0)
        return view.order.settled_ns, -took_s

    def _not_captured(
        self, order: CaptureOrder, key: ViewKey, status: ViewStatus, reason: str
    ) -> None:
        self.get_logger().warning(f'{key}: {status.name}: {reason}')
        answer = CaptureAnswer(order.inspection_id, key, False, reason)
        self._answers.publish(capture_answer_to_msg(answer))
        self._publish(order, ViewFindings(order.inspection_id, key, status, reason))

    def _expire(self) -> None:
        now_ns = time.monotonic_ns()
        for edge in self._edges.values():
            for view in edge.expire(now_ns):
                self._not_captured(view.order, view.key, view.missed.status, view.missed.reason)
        if not any(edge.waits for edge in self._edges.values()):
            self._expiring.cancel()

    def _follow_offers(self) -> None:
        for edge in self._edges.values():
            edge.follow_offer()

    def _work(self, job: Job[M, S]) -> None:
        begin_s = time.monotonic()
        try:
            observation = self.observe(job.view)
        except PoseError as error:
            self._not_inspected(job.view, ViewStatus.NO_POSE, str(error))
            return
        except DataError as error:
            self._not_inspected(job.view, ViewStatus.MALFORMED, str(error))
            return
        result = self.inspect(job.inspector, observation)
        self._took_s[job.view.order.part_type, job.view.key] = time.monotonic() - begin_s
        self._publish(job.view.order, _timed(job.view, result.view_findings))
        # What fails from here on does not undo the findings.
        guarded(self.get_logger(), 'show', partial(self.show, job.view, result))

    def _failed(self, job: Job[M, S], reason: str) -> None:
        self._not_inspected(job.view, ViewStatus.ERROR, reason)

    def _not_inspected(self, view: CapturedView[M], status: ViewStatus, reason: str) -> None:
        identity, stamp_ns = view.order.inspection_id, view.captured.exposure_start_ns
        findings = ViewFindings(identity, view.key, status, reason, stamp_ns=stamp_ns)
        self._publish(view.order, findings)

    def _publish(self, order: CaptureOrder, findings: ViewFindings) -> None:
        self.tell(findings)
        self.said(order, findings)

    def tell(self, findings: ViewFindings) -> None:
        """Publish what a view says."""
        self._last[findings.view.sensor] = findings
        self._findings.publish(view_findings_to_msg(findings))


def _timed(view: CapturedView[M], findings: ViewFindings) -> ViewFindings:
    took_s = (time.monotonic_ns() - view.captured.frame.arrival_steady_ns) / 1e9
    return replace(findings, inspect_s=took_s)
