"""gazebo_node: the robot side in Gazebo: puts the part where the cell wants it, and answers."""

import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from inspection_cell_msgs.action import PresentPart
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.clock import Clock, ClockType

from inspection_cell.cell import load_cell
from inspection_cell.errors import DataError
from inspection_cell.gazebo.names import Names
from inspection_cell.gazebo.world import waiting_pose
from inspection_cell.geometry import Transform
from inspection_cell.nodes.actuator_side import ActuatorSide
from inspection_cell.nodes.conversions.poses import pose_from_msg, stamp_to_msg
from inspection_cell.nodes.params import CellParams, parameter
from inspection_cell.nodes.placing import PartMover, Placed, Placing
from inspection_cell.nodes.run import ManagedNode, run
from inspection_cell.outcome import read_orders

LOOK_S = 0.01
TOLD_AFTER = 0.8  # of the cell's own patience: it shall hear why


@dataclass(frozen=True, slots=True)
class GazeboParams(CellParams):
    """What the node is told."""

    parts: str = parameter('', 'Path of the parts file that was written beside the world.')


class GazeboNode(ManagedNode[GazeboParams]):
    """Serves PresentPart with the parts of a world; the actuators do what they are told."""

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__('gazebo_node', GazeboParams)
        self._goal: ServerGoalHandle | None = None
        self._open = False

    def make_mover(self, service: str) -> PartMover:
        """What moves the parts."""
        from inspection_cell.nodes.set_pose import SetPose  # only where ros_gz is installed

        return SetPose(self, service)

    def configure(self) -> None:
        """Read which parts there are and open the topics."""
        cell = load_cell(self.params.cell_path)
        orders = read_orders(Path(self.params.parts).expanduser())
        self._waiting = {one.part_id: waiting_pose(place) for place, one in enumerate(orders)}
        self._timeout_s = TOLD_AFTER * cell.file.robot.timeout_s
        self._held = ''
        self._mover = self.make_mover(Names.of(cell).set_pose)
        self._actuators = ActuatorSide(self, cell)
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # goals end while the world is paused
        self._timer = self.create_timer(LOOK_S, self._look, clock=steady)
        self._server = ActionServer(
            self,
            PresentPart,
            cell.file.robot.action,
            execute_callback=_never,
            handle_accepted_callback=self._accepted,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )
        self._open = True

    def cleanup(self) -> None:
        """Close the topics."""
        if not self._open:
            return
        self._open = False
        self._end(Placed(problem='the robot side stops'))
        self._server.destroy()
        self.destroy_timer(self._timer)
        self._actuators.close()
        self._mover.close()

    def _accepted(self, goal: ServerGoalHandle) -> None:
        self._end(Placed(problem='another presentation was asked for'))
        self._goal = goal
        try:
            moves = self._moves(goal.request.part_id, pose_from_msg(goal.request.part_to_cell))
        except DataError as error:
            self._end(Placed(problem=str(error)))
            return
        self._placing = Placing(
            self._mover,
            moves,
            self._timeout_s,
            lambda: int(self.get_clock().now().nanoseconds),
        )

    def _moves(self, part_id: str, transform_part_to_cell: Transform) -> dict[str, Transform]:
        if part_id not in self._waiting:
            known = ', '.join(self._waiting)
            raise DataError(f'no part {part_id!r} in the world; there are {known}')
        former, self._held = self._held, part_id
        back = {former: self._waiting[former]} if former and former != part_id else {}
        return {**back, part_id: transform_part_to_cell}

    def _look(self) -> None:
        if self._goal is None:
            return
        if self._goal.is_cancel_requested:
            self._end(Placed(problem='cancelled'))
        elif placed := self._placing.look():
            self._end(placed)

    def _end(self, placed: Placed) -> None:
        goal, self._goal = self._goal, None
        if goal is not None and self.executor is not None:
            goal.execute(partial(_answer, placed))


def _answer(placed: Placed, goal: ServerGoalHandle) -> PresentPart.Result:
    if goal.is_cancel_requested:
        goal.canceled()
    elif placed.problem:
        goal.abort()
    else:
        goal.succeed()
        settled = stamp_to_msg(placed.settled_ns)
        return PresentPart.Result(settled=settled, part_to_cell=goal.request.part_to_cell)
    return PresentPart.Result(message=placed.problem)


def _never(goal: ServerGoalHandle) -> PresentPart.Result:
    """The server wants one; each goal is ended by `_end`."""
    goal.abort()
    return PresentPart.Result()


def main() -> int:
    """Run gazebo_node."""
    return run(GazeboNode)


if __name__ == '__main__':
    sys.exit(main())
