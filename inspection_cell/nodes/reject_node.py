"""reject_node: releases a part that has a valid permit, diverts every other one."""

import sys
import time

from inspection_cell_msgs.msg import (
    ActuatorCommand,
    ActuatorConfirmation,
    CellState,
    PartArrived,
    Release,
    Verdict,
)
from inspection_cell_msgs.msg import Disposition as DispositionMsg
from rclpy.clock import Clock, ClockType
from rclpy.duration import Duration

from inspection_cell.cell import load_cell
from inspection_cell.disposition import Action, Command, Disposition, RejectSide, Step
from inspection_cell.errors import DataError
from inspection_cell.nodes.conversions.rejecting import command_to_msg, disposition_to_msg
from inspection_cell.nodes.conversions.verdicts import decision_from_msg
from inspection_cell.nodes.diagnosis import Diagnosis, Reading
from inspection_cell.nodes.params import CellParams
from inspection_cell.nodes.pulse import DELIVERED_WITHIN_S, Pulse
from inspection_cell.nodes.qos import LATCHED, RELIABLE, publisher_events
from inspection_cell.nodes.run import ManagedNode, run
from inspection_cell.nodes.timers import Alarm
from inspection_cell.nodes.watch import CellWatch

WATCH_S = 0.1


class RejectNode(ManagedNode[CellParams]):
    """Feeds the reject side's state machine; its clock is steady and its own."""

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__('reject_node', CellParams)

    def configure(self) -> None:
        """Load the cell."""
        self._cell = load_cell(self.params.cell_path)

    def activate(self) -> None:
        """Open the topics; from now on every part that comes is decided about."""
        settings = self._cell.file.disposition
        self._side = RejectSide(settings)
        self._last: Disposition | None = None
        self._watch = CellWatch()
        self._robot_places = settings.kind == 'robot_place'
        self._commands = self.create_publisher(
            ActuatorCommand,
            'actuator_command',
            RELIABLE,
            event_callbacks=publisher_events(self, 'actuator_command'),
        )
        self._dispositions = self.create_publisher(DispositionMsg, 'disposition', RELIABLE)
        self._pulse: Pulse | None = None
        if settings.pulse_topic:
            self._pulse = Pulse(self, settings.pulse_topic, settings.pulse_ms)
            self._pulse.end()
        arrivals = settings.part_present_topic or 'part_arrived'
        self._heard = [
            self.create_subscription(Release, 'release', self._on_release, RELIABLE),
            self.create_subscription(Verdict, 'verdict', self._on_verdict, RELIABLE),
            self.create_subscription(PartArrived, arrivals, self._on_arrival, RELIABLE),
            self.create_subscription(CellState, 'cell_state', self._on_state, LATCHED),
            self.create_subscription(
                ActuatorConfirmation, 'actuator_confirmation', self._on_confirmation, RELIABLE
            ),
        ]
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._alarm = Alarm(self, self._tick)
        self._watching = self.create_timer(WATCH_S, self._look_at_cell, clock=steady)
        self._diagnosis = Diagnosis(self, self._readings)

    def deactivate(self) -> None:
        """Divert what waits and close the topics."""
        self._do(self._side.stop(time.monotonic_ns()))
        if self.context.ok():
            for publisher in (self._commands, self._dispositions):
                publisher.wait_for_all_acked(Duration(seconds=DELIVERED_WITHIN_S))
        self._alarm.close()
        self.destroy_timer(self._watching)
        self._diagnosis.close()
        for subscription in self._heard:
            self.destroy_subscription(subscription)
        if self._pulse is not None:
            self._pulse.close()
        self.destroy_publisher(self._commands)
        self.destroy_publisher(self._dispositions)

    def _on_release(self, msg: Release) -> None:
        self._do(
            self._side.permit(
                msg.inspection_id,
                msg.part_id,
                msg.valid_for_s,
                time.monotonic_ns(),
                # The heartbeat vouches for the permit: what comes without it is void.
                withdrawn=msg.withdrawn or self._watch.is_lost,
            )
        )

    def _on_verdict(self, msg: Verdict) -> None:
        try:
            decision = decision_from_msg(msg.decision)
        except DataError as error:
            self.get_logger().error(f'verdict of {msg.inspection_id}: {error}')
            return
        now_ns = time.monotonic_ns()
        self._do(self._side.verdict(msg.inspection_id, msg.part_id, decision, now_ns))

    def _on_arrival(self, msg: PartArrived) -> None:
        now_ns = time.monotonic_ns()
        self._watch.arrived(msg.inspection_id)
        self._do(self._side.part_arrived(msg.inspection_id, msg.part_id, now_ns))
        if self._watch.is_lost:
            self._do(self._side.cell_lost(self._watch.problem, now_ns))

    def _on_confirmation(self, msg: ActuatorConfirmation) -> None:
        now_ns = time.monotonic_ns()
        self._do(
            self._side.confirmation(
                msg.sequence, msg.inspection_id, msg.ok, msg.bin, msg.message, now_ns
            )
        )

    def _on_state(self, msg: CellState) -> None:
        self._watch.beat(msg.inspection_id, msg.state == CellState.STOPPED, time.monotonic_ns())

    def _tick(self) -> None:
        self._do(self._side.tick(time.monotonic_ns()))

    def _look_at_cell(self) -> None:
        now_ns = time.monotonic_ns()
        lost = self._watch.lost(now_ns)
        if lost is not None:
            self.get_logger().error(lost.reason)
            if self._robot_places and lost.in_work:  # the robot holds it, and nobody says so
                self._do(self._side.part_arrived(lost.in_work, '', now_ns))
            self._do(self._side.cell_lost(lost.reason, now_ns))

    def _do(self, steps: tuple[Step, ...]) -> None:
        stamp_ns = self.get_clock().now().nanoseconds
        for step in steps:
            if isinstance(step, Command):
                self._commands.publish(command_to_msg(step, stamp_ns))
                if self._pulse is not None and step.action is Action.DIVERT:
                    self._pulse.fire()
                self._say(step)
            else:
                self._last = step
                self._dispositions.publish(disposition_to_msg(step, stamp_ns))
        due_ns = self._side.due_ns
        if due_ns is not None:
            self._alarm.set(due_ns)

    def _say(self, command: Command) -> None:
        who = command.inspection_id or 'a part without a name'
        what = f'{command.action.name} {who} to {command.bin}: {command.reason}'
        if command.action is Action.RELEASE:
            self.get_logger().info(what)
        else:
            self.get_logger().warning(what)

    def _readings(self) -> list[Reading]:
        actuator = Reading('actuator')
        if self._last is not None:
            unsure = f'part not confirmed in {self._last.bin}: {self._last.reason}'
            actuator = Reading(
                'actuator', '' if self._last.confirmed else unsure, {'last_bin': self._last.bin}
            )
        return [Reading('cell heartbeat', self._watch.problem), actuator]


def main() -> int:
    """Run reject_node."""
    return run(RejectNode)


if __name__ == '__main__':
    sys.exit(main())
