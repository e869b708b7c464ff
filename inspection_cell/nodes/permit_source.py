"""Stands for cell_node, robot and actuator before reject_node, with a clock, for benchmarks."""

import json
import sys
import time
from dataclasses import dataclass

from inspection_cell_msgs.msg import (
    ActuatorCommand,
    ActuatorConfirmation,
    Decision,
    PartArrived,
    Release,
    Verdict,
)
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from inspection_cell.errors import InspectionCellError
from inspection_cell.nodes.params import declare, parameter
from inspection_cell.nodes.qos import RELIABLE
from inspection_cell.nodes.task import run_task

FIND_S = 60.0
ANSWER_S = 5.0
PAUSE_S = 0.01
WARM_UP = 20


@dataclass(frozen=True, slots=True)
class PermitParams:
    """What is sent."""

    permits: int = parameter(500, 'Accepted parts, one after the other.', low=1, high=100_000)


class PermitSource(Node):
    """Has a part wait at the reject side, accepts it, and times the actuator's command."""

    def __init__(self) -> None:
        """Open the topics."""
        super().__init__('permit_source')
        self.params = declare(self, PermitParams)
        self._arrivals = self.create_publisher(PartArrived, 'part_arrived', RELIABLE)
        self._verdicts = self.create_publisher(Verdict, 'verdict', RELIABLE)
        self._permits = self.create_publisher(Release, 'release', RELIABLE)
        self._confirmations = self.create_publisher(
            ActuatorConfirmation, 'actuator_confirmation', RELIABLE
        )
        self.create_subscription(ActuatorCommand, 'actuator_command', self._commanded, RELIABLE)
        self._command: ActuatorCommand | None = None
        self._command_s = 0.0
        self._spinner = SingleThreadedExecutor()
        self._spinner.add_node(self)

    def wait_for_reject_side(self) -> None:
        """Return when all topics are connected; raises InspectionCellError if they never are."""
        publishers = (self._arrivals, self._verdicts, self._permits, self._confirmations)
        deadline_s = time.monotonic() + FIND_S
        while not (
            all(publisher.get_subscription_count() for publisher in publishers)
            and self.count_publishers('actuator_command')
        ):
            if time.monotonic() > deadline_s:
                raise InspectionCellError(f'no reject side was there in {FIND_S:g} s')
            self._spinner.spin_once(timeout_sec=0.1)

    def latencies_ms(self) -> list[float]:
        """From before the verdict is published to the actuator's command, for each permit."""
        latencies_ms = [self._latency_ms(f'bench-{n}') for n in range(-WARM_UP, self._count)]
        return latencies_ms[WARM_UP:]

    @property
    def _count(self) -> int:
        return self.params.permits

    def _latency_ms(self, identity: str) -> float:
        self._arrivals.publish(PartArrived(inspection_id=identity, part_id=identity))
        pause_s = time.monotonic() + PAUSE_S
        while time.monotonic() < pause_s:
            self._spinner.spin_once(timeout_sec=PAUSE_S)
        self._command = None
        verdict = Verdict(inspection_id=identity, part_id=identity)
        verdict.decision.value = Decision.ACCEPT
        permit = Release(inspection_id=identity, part_id=identity, valid_for_s=1.0)
        begin_s = time.monotonic()
        self._verdicts.publish(verdict)
        self._permits.publish(permit)
        while self._command is None or self._command.inspection_id != identity:
            self._spinner.spin_once(timeout_sec=0.1)
            if time.monotonic() - begin_s > ANSWER_S:
                raise InspectionCellError(f'no actuator command for {identity}')
        if self._command.action != ActuatorCommand.RELEASE:
            raise InspectionCellError(f'{identity} was diverted in spite of its permit')
        return (self._command_s - begin_s) * 1e3

    def _commanded(self, command: ActuatorCommand) -> None:
        self._command, self._command_s = command, time.monotonic()
        confirmation = ActuatorConfirmation(sequence=command.sequence, ok=True, bin=command.bin)
        confirmation.inspection_id = command.inspection_id
        self._confirmations.publish(confirmation)


def measure(node: PermitSource) -> None:
    """Tell the latencies on stdout; raises InspectionCellError without a reject side."""
    node.wait_for_reject_side()
    latencies_ms = [round(value, 3) for value in node.latencies_ms()]
    sys.stdout.write(json.dumps({'latencies_ms': latencies_ms}) + '\n')
    sys.stdout.flush()


def main() -> int:
    """Measure, once."""
    return run_task(PermitSource, measure)


if __name__ == '__main__':
    sys.exit(main())
