"""Actuators without hardware: they do what they are told and confirm it."""

from collections.abc import Callable

from inspection_cell_msgs.msg import ActuatorCommand, ActuatorConfirmation, PartArrived, Verdict
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.publisher import Publisher

from inspection_cell.cell import Cell
from inspection_cell.nodes.qos import RELIABLE

ACTUATION_S = 0.05
TRAVEL_S = 0.2  # from the robot to the reject side's own part sensor


class ActuatorSide:
    """Confirms every command, and reports arriving parts where the cell has a sensor for them."""

    def __init__(self, node: Node, cell: Cell) -> None:
        """Listen to the reject side."""
        self._node = node
        self._confirmations = node.create_publisher(
            ActuatorConfirmation, 'actuator_confirmation', RELIABLE
        )
        self._subscriptions = []
        settings = cell.file.disposition
        if settings.kind != 'robot_place' or cell.file.robot.led_by == 'cell':
            # Else the robot's program puts the part away, and says so.
            self._subscriptions.append(
                node.create_subscription(
                    ActuatorCommand, 'actuator_command', self._command, RELIABLE
                )
            )
        self._arrivals: Publisher | None = None
        topic = settings.part_present_topic
        if topic:
            self._arrivals = node.create_publisher(PartArrived, topic, RELIABLE)
            self._subscriptions.append(
                node.create_subscription(Verdict, 'verdict', self._leave_robot, RELIABLE)
            )

    def close(self) -> None:
        """Take the topics back."""
        self._node.destroy_publisher(self._confirmations)
        if self._arrivals is not None:
            self._node.destroy_publisher(self._arrivals)
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _command(self, command: ActuatorCommand) -> None:
        def confirm() -> None:
            self._confirmations.publish(
                ActuatorConfirmation(
                    stamp=self._node.get_clock().now().to_msg(),
                    sequence=command.sequence,
                    inspection_id=command.inspection_id,
                    ok=True,
                    bin=command.bin,
                )
            )

        self._later(ACTUATION_S, confirm)

    def _leave_robot(self, verdict: Verdict) -> None:
        def arrive() -> None:
            part = PartArrived(inspection_id=verdict.inspection_id, part_id=verdict.part_id)
            part.stamp = self._node.get_clock().now().to_msg()
            if self._arrivals is not None:
                self._arrivals.publish(part)

        self._later(TRAVEL_S, arrive)

    def _later(self, delay_s: float, action: Callable[[], None]) -> None:
        def once() -> None:
            self._node.destroy_timer(timer)
            action()

        # Steady: an actuator does not stop when simulated time does.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        timer = self._node.create_timer(delay_s, once, clock=steady)
