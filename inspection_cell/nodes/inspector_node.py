"""What the nodes of all sensors share: capture at the edge, inspect in a worker thread."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from inspection_cell_msgs.msg import Capture, Captured
from inspection_cell_msgs.msg import ViewFindings as ViewFindingsMsg
from rclpy.clock import Clock, ClockType
from rclpy.publisher import Publisher

from inspection_cell.bringup import load_recipes
from inspection_cell.cell import Camera, Cell, ProcessSensor, Scanner, load_cell
from inspection_cell.errors import DataError
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
from inspection_cell.nodes.params import CellParams
from inspection_cell.nodes.qos import RELIABLE, SHOWN, publisher_events
from inspection_cell.nodes.run import ManagedNode
from inspection_cell.nodes.worker import Worker
from inspection_cell.observations import Observation, ViewKey
from inspection_cell.recipe import Recipe

EXPIRE_PERIOD_S = 0.02
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
    """Captures the views of its sensors and inspects them in a worker thread."""

    at_once = 1  # waiting views that are inspected together at most

    def __init__(self, name: str) -> None:
        """Declare the parameters."""
        super().__init__(name, CellParams)
        self._edges: dict[str, CaptureEdge[M]] = {}
        self._recipes: dict[str, Recipe] = {}
        self._last: dict[str, ViewFindings] = {}  # by sensor

    def sensors_of(self, cell: Cell) -> Mapping[str, Camera | Scanner | ProcessSensor]:
        """Which sensors this node looks through."""
        raise NotImplementedError

    def load(self, cell: Cell, recipes: Sequence[Recipe], evidence: EvidenceFolder) -> None:
        """Make the inspectors and warm them up."""
        raise NotImplementedError

    def inspector_of(self, view: CapturedView[M]) -> S | None:
        """Who looks at a view that was captured just now; None: nobody can."""
        raise NotImplementedError

    def observe(self, view: CapturedView[M]) -> Observation:
        """Decode one view; runs in the worker thread, and raises DataError for what is broken."""
        raise NotImplementedError

    def inspect(self, inspector: S, observations: Sequence[Observation]) -> Iterable[R]:
        """Inspect views, in their order; runs in the worker thread."""
        raise NotImplementedError

    def show(self, view: CapturedView[M], result: R) -> None:
        """Publish what people want to see; runs in the worker thread after all findings."""
        raise NotImplementedError

    def configure(self) -> None:
        """Load cell, recipes and inspectors."""
        self._cell = load_cell(self.params.cell_path)
        recipes = load_recipes(self._cell, self.params.recipe_paths)
        self._recipes = {recipe.part_type: recipe for recipe in recipes}
        self.load(self._cell, recipes, EvidenceFolder(self.params.data_path))

    def activate(self) -> None:
        """Open topics, worker and timers."""
        events = publisher_events(self, 'findings')
        self._findings = self.create_publisher(
            ViewFindingsMsg, 'findings', RELIABLE, event_callbacks=events
        )
        self._answers = self.create_publisher(Captured, 'captured', RELIABLE)
        self._worker = Worker(
            self.get_name(),
            self._cell.file.limits.queue,
            self._work,
            self._failed,
            self.get_logger(),
            self.at_once,
        )
        self._edges = {
            name: CaptureEdge(self, name, sensor, self._captured)
            for name, sensor in self.sensors_of(self._cell).items()
        }
        self._orders = self.create_subscription(Capture, 'capture', self._on_capture, RELIABLE)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timers_ours = [
            self.create_timer(EXPIRE_PERIOD_S, self._expire, clock=steady),
            self.create_timer(FOLLOW_PERIOD_S, self._follow_offers, clock=steady),
        ]
        self._diagnosis = Diagnosis(self, self.readings)

    def deactivate(self) -> None:
        """Close topics, worker and timers."""
        for timer in self._timers_ours:
            self.destroy_timer(timer)
        self.destroy_subscription(self._orders)
        for edge in self._edges.values():
            edge.close()
        self._edges = {}
        self._worker.stop()
        self._diagnosis.close()
        self.destroy_publisher(self._findings)
        self.destroy_publisher(self._answers)

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
            if name in self._edges and refusal:
                key = ViewKey(order.presentation, name)
                self._not_captured(order, key, ViewStatus.ERROR, refusal)
            elif name in self._edges:
                self._edges[name].expect(order)

    def _refusal(self, order: CaptureOrder) -> str:
        recipe = self._recipes.get(order.part_type)
        if recipe is None:
            known = ', '.join(self._recipes)
            return f'{self.get_name()} has no recipe {order.part_type!r}, only {known}'
        if recipe.sha256 != order.recipe_hash:
            return (
                f'{self.get_name()} has loaded recipe {order.part_type} {recipe.sha256[:12]}, the '
                f'cell asks for {order.recipe_hash[:12]}: restart both with the same file'
            )
        return ''

    def _captured(self, view: CapturedView[M]) -> None:
        inspector = self.inspector_of(view)
        if inspector is None:
            reason = f'{self.get_name()} has no inspector for {view.order.part_type}'
            self._not_captured(view.order, view.key, ViewStatus.ERROR, reason)
            return
        if not self._worker.submit(Job(view, inspector)):
            reason = f'{self._worker.waiting} captured views wait already'
            self._not_captured(view.order, view.key, ViewStatus.OVERLOADED, reason)
            return
        stamp_ns = view.captured.exposure_start_ns
        answer = CaptureAnswer(view.order.inspection_id, view.key, True, stamp_ns=stamp_ns)
        self._answers.publish(capture_answer_to_msg(answer))

    def _not_captured(
        self, order: CaptureOrder, key: ViewKey, status: ViewStatus, reason: str
    ) -> None:
        self.get_logger().warning(f'{key}: {status.name}: {reason}')
        answer = CaptureAnswer(order.inspection_id, key, False, reason)
        self._answers.publish(capture_answer_to_msg(answer))
        self._publish(ViewFindings(order.inspection_id, key, status, reason))

    def _expire(self) -> None:
        now_ns = time.monotonic_ns()
        for edge in self._edges.values():
            for view in edge.expire(now_ns):
                self._not_captured(view.order, view.key, view.missed.status, view.missed.reason)

    def _follow_offers(self) -> None:
        for edge in self._edges.values():
            edge.follow_offer()

    def _work(self, jobs: Sequence[Job[M, S]]) -> Iterator[Job[M, S]]:
        """Publish the findings of each view as soon as they are there, and yield its job."""
        observed: list[tuple[Job[M, S], Observation]] = []
        for job in jobs:
            try:
                observed.append((job, self.observe(job.view)))
            except DataError as error:
                self._publish(_without_findings(job.view, ViewStatus.MALFORMED, str(error)))
                yield job
        inspected: list[tuple[Job[M, S], R]] = []
        for same in _by_inspector(observed):
            results = self.inspect(same[0][0].inspector, [seen for _, seen in same])
            for (job, _), result in zip(same, results, strict=True):
                self._publish(_timed(job.view, result.view_findings))
                yield job
                inspected.append((job, result))
        for job, result in inspected:
            self.show(job.view, result)

    def _failed(self, job: Job[M, S], reason: str) -> None:
        self._publish(_without_findings(job.view, ViewStatus.ERROR, reason))

    def _publish(self, findings: ViewFindings) -> None:
        self._last[findings.view.sensor] = findings
        self._findings.publish(view_findings_to_msg(findings))


def _by_inspector(
    observed: Iterable[tuple[Job[M, S], Observation]],
) -> list[list[tuple[Job[M, S], Observation]]]:
    """Views that the same inspector looks at, in the order in which they came."""
    groups: dict[int, list[tuple[Job[M, S], Observation]]] = {}
    for job, observation in observed:
        groups.setdefault(id(job.inspector), []).append((job, observation))
    return list(groups.values())


def _timed(view: CapturedView[M], findings: ViewFindings) -> ViewFindings:
    took_s = (time.monotonic_ns() - view.captured.frame.arrival_steady_ns) / 1e9
    return replace(findings, inspect_s=took_s)


def _without_findings(view: CapturedView[M], status: ViewStatus, reason: str) -> ViewFindings:
    return ViewFindings(
        view.order.inspection_id,
        view.key,
        status,
        reason,
        stamp_ns=view.captured.exposure_start_ns,
    )
