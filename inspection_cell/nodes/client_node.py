"""Has parts inspected one after the other; prints one JSON line per part on stdout."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inspection_cell_msgs.action import InspectPart
from inspection_cell_msgs.msg import ActuatorCommand, CellState, Disposition, Verdict
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from inspection_cell.errors import InspectionCellError
from inspection_cell.nodes.conversions.outcomes import (
    disposition_in_words,
    goal_of,
    outcome_of,
    state_in_words,
)
from inspection_cell.nodes.params import declare, parameter
from inspection_cell.nodes.qos import LATCHED, RELIABLE
from inspection_cell.nodes.task import run_task
from inspection_cell.outcome import Outcome, PartOrder, outcome_to_json, read_orders

HEARTBEAT_LOST_S = 6.0


@dataclass(frozen=True, slots=True)
class ClientParams:
    """What the client is told."""

    parts: str = parameter('', 'Path of the parts file: JSON lines part_id, part_type, truth.')
    ready_timeout_s: float = parameter(
        120.0, 'Longest wait for the cell to be ready, s.', low=0.0, high=3600.0
    )
    part_timeout_s: float = parameter(
        60.0, 'Longest time for one part, from goal to disposition, s.', low=1.0, high=3600.0
    )
    disposition_timeout_s: float = parameter(
        10.0, 'Longest wait for the disposition after the verdict, s.', low=0.0, high=3600.0
    )


@dataclass(frozen=True, slots=True)
class _Received:
    """A verdict, when it came, and when it was published, ROS clock."""

    verdict: Verdict
    stamp_ns: int
    published_ns: int


class ClientNode(Node):
    """The robot program's side of InspectPart."""

    def __init__(
        self, name: str = 'client_node', params: type[ClientParams] = ClientParams
    ) -> None:
        """Listen to the cell."""
        super().__init__(name)
        self.params: Any = declare(self, params)
        self._state: CellState | None = None
        self._state_s = time.monotonic()
        self._verdicts: dict[str, _Received] = {}
        self._commanded_ns: dict[str, int] = {}
        self._dispositions: dict[str, Disposition] = {}
        self.inspection_id = ''
        self._said = ''
        self._goals = ActionClient(self, InspectPart, 'inspect_part')
        self.create_subscription(CellState, 'cell_state', self._take_state, LATCHED)
        self.create_subscription(Verdict, 'verdict', self._take_verdict, RELIABLE)
        self.create_subscription(ActuatorCommand, 'actuator_command', self._take_command, RELIABLE)
        self.create_subscription(Disposition, 'disposition', self._take_disposition, RELIABLE)
        self._spinner = SingleThreadedExecutor()
        self._spinner.add_node(self)

    @property
    def cell_is_alive(self) -> bool:
        """Whether the cell's heartbeat came lately."""
        return time.monotonic() - self._state_s < HEARTBEAT_LOST_S

    def wait_until_ready(self) -> None:
        """Return when the cell takes goals; raises InspectionCellError when it never does."""
        if not self.spin_until(self._is_ready, self.params.ready_timeout_s):
            limit_s = self.params.ready_timeout_s
            raise InspectionCellError(
                f'the cell was not ready in {limit_s:g} s: {self._missing()}'
            )

    def inspect(self, order: PartOrder) -> Outcome:
        """Have one part inspected, and wait for verdict and disposition."""
        begin_s = time.monotonic()
        self.inspection_id = ''
        why = self.work_through(order)
        if self.inspection_id:
            self.spin_until(lambda: self.inspection_id in self._verdicts, 1.0)
        received = self._verdicts.pop(self.inspection_id, None)
        if received is None:
            return self._unknown(order, begin_s, why or 'aborted without a verdict')
        self._wait_for_disposition(self.inspection_id)
        cycle_s = time.monotonic() - begin_s
        outcome = outcome_of(order, received.verdict, received.stamp_ns, cycle_s)
        return self._with_release(self._with_disposition(outcome), received.published_ns)

    def work_through(self, order: PartOrder) -> str:
        """Send one goal and wait for its result; why there may be no verdict, in words."""
        future = self._goals.send_goal_async(goal_of(order), feedback_callback=self._feedback)
        if not self.spin_until(future.done, self.params.part_timeout_s, while_alive=True):
            return 'the cell did not answer the goal'
        goal: Any = future.result()
        if not goal.accepted:
            return 'the cell refused the goal'
        result = goal.get_result_async()
        if not self.spin_until(result.done, self.params.part_timeout_s, while_alive=True):
            return 'no verdict in time' if self.cell_is_alive else "the cell's heartbeat stopped"
        answer = result.result().result
        self.inspection_id = answer.verdict.inspection_id or self.inspection_id
        return str(answer.message)

    def lacking(self) -> str:
        """What of the cell that this client calls is not there, in words."""
        return '' if self._goals.server_is_ready() else 'the action inspect_part'

    def _unknown(self, order: PartOrder, begin_s: float, why: str) -> Outcome:
        self.get_logger().warning(f'{order.part_id}: {why}')
        if self.inspection_id:
            self._wait_for_disposition(self.inspection_id)
        outcome = Outcome(
            order.part_id,
            order.part_type,
            order.truth,
            decision='UNKNOWN',
            reasons=(why,),
            inspection_id=self.inspection_id,
            cycle_s=round(time.monotonic() - begin_s, 3),
        )
        return self._with_disposition(outcome)

    def _wait_for_disposition(self, inspection_id: str) -> None:
        self.spin_until(
            lambda: inspection_id in self._dispositions, self.params.disposition_timeout_s
        )

    def _with_disposition(self, outcome: Outcome) -> Outcome:
        msg = self._dispositions.pop(outcome.inspection_id, None)
        if msg is None:
            return outcome
        return replace(outcome, disposition=disposition_in_words(msg))

    def _with_release(self, outcome: Outcome, verdict_ns: int) -> Outcome:
        command_ns = self._commanded_ns.pop(outcome.inspection_id, None)
        if command_ns is None:
            return outcome
        return replace(outcome, release_latency_ms=round((command_ns - verdict_ns) / 1e6, 3))

    def _is_ready(self) -> bool:
        missing = self._missing()
        if missing and missing != self._said:
            self.get_logger().info(f'waiting: {missing}')
        self._said = missing
        return not missing

    def _missing(self) -> str:
        if self._state is None:
            return 'the cell node starts'
        if self._state.state not in (CellState.READY, CellState.INSPECTING):
            name = state_in_words(self._state)
            return ': '.join(filter(None, (f'the cell is {name}', self._state.reason)))
        return self.lacking()

    def spin_until(
        self, condition: Callable[[], bool], timeout_s: float, *, while_alive: bool = False
    ) -> bool:
        """Wait, at most while the cell lives if asked; whether the condition came to hold."""
        deadline_s = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline_s or (while_alive and not self.cell_is_alive):
                return False
            self._spinner.spin_once(timeout_sec=0.1)
        return True

    def _take_state(self, msg: CellState) -> None:
        self._state, self._state_s = msg, time.monotonic()

    def _take_verdict(self, msg: Verdict, info: Mapping[str, int]) -> None:
        now_ns = self.get_clock().now().nanoseconds
        self._verdicts[msg.inspection_id] = _Received(msg, now_ns, info['source_timestamp'])

    def _take_command(self, msg: ActuatorCommand, info: Mapping[str, int]) -> None:
        # Both times are the middleware's, at the publishers: how long this client took to read a
        # large verdict is no part of the latency.
        self._commanded_ns[msg.inspection_id] = info['source_timestamp']

    def _take_disposition(self, msg: Disposition) -> None:
        self._dispositions[msg.inspection_id] = msg

    def _feedback(self, msg: InspectPart.Impl.FeedbackMessage) -> None:
        self.inspection_id = msg.feedback.inspection_id


def inspect_all(node: ClientNode) -> None:
    """Inspect every part of the parts file; raises InspectionCellError without a cell."""
    orders = read_orders(Path(node.params.parts))
    node.wait_until_ready()
    for order in orders:
        sys.stdout.write(outcome_to_json(node.inspect(order)) + '\n')
        sys.stdout.flush()
        if not node.cell_is_alive:
            raise InspectionCellError("the cell's heartbeat stopped")


def main() -> int:
    """Run the client; exit status 1 when the cell is not there."""
    return run_task(ClientNode, inspect_all)


if __name__ == '__main__':
    sys.exit(main())
