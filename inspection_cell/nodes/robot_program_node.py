"""The program of a robot that leads, with a robot that only exists in simulation.

It calls the cell's services as docs/integrating.md says and moves the robot side without hardware,
so that a cell with `robot.led_by: program` runs complete. One JSON line per part on stdout.
"""

import sys
from dataclasses import dataclass
from typing import Any

from action_msgs.msg import GoalStatus
from geometry_msgs.msg import Pose
from inspection_cell_msgs.action import PresentPart
from inspection_cell_msgs.srv import BeginPart, CapturePresentation, FinishPart, PartPlaced
from rclpy.action import ActionClient

from inspection_cell.nodes.client_node import ClientNode, ClientParams, inspect_all
from inspection_cell.nodes.params import parameter
from inspection_cell.nodes.part_source import MOVE
from inspection_cell.nodes.task import run_task
from inspection_cell.outcome import PartOrder

SERVICES = {
    'begin_part': BeginPart,
    'capture_presentation': CapturePresentation,
    'finish_part': FinishPart,
    'part_placed': PartPlaced,
}


@dataclass(frozen=True, slots=True)
class RobotProgramParams(ClientParams):
    """What the program is told."""

    places: bool = parameter(True, 'Whether the robot itself puts the part into its bin.')


class RobotProgramNode(ClientNode):
    """Leads the robot: begin, go and capture, finish, place."""

    def __init__(self) -> None:
        """Connect to the cell's services and the simulated robot."""
        super().__init__('robot_program_node', RobotProgramParams)
        self._calls = {name: self.create_client(kind, name) for name, kind in SERVICES.items()}
        self._robot = ActionClient(self, PresentPart, MOVE)

    def lacking(self) -> str:
        """What this program calls and is not there, in words."""
        missing = [name for name, call in self._calls.items() if not call.service_is_ready()]
        if not self._robot.server_is_ready():
            missing.append(MOVE)
        return ', '.join(missing)

    def work_through(self, order: PartOrder) -> str:
        """One part from begin to bin; why there may be no verdict, in words."""
        begun = self._call('begin_part', part_id=order.part_id, part_type=order.part_type)
        if begun is None or not begun.ok:
            return begun.message if begun else 'begin_part was not answered'
        self.inspection_id = begun.inspection_id
        why = self._present_all(order, begun.presentation, begun.part_to_cell)
        end = self._call('finish_part', inspection_id=self.inspection_id)
        if end is None:
            return why or 'finish_part was not answered'
        if end.ok and self.params.places:
            self._call('part_placed', inspection_id=self.inspection_id, bin=end.bin)
        return why or end.message

    def _present_all(self, order: PartOrder, presentation: str, part_to_cell: Pose) -> str:
        """Pose after pose, until the cell asks for no more; why not all, in words."""
        while presentation:
            held = self._move(order, presentation, part_to_cell)
            if held is None:
                return f'the robot did not reach {presentation}'
            answer = self._call(
                'capture_presentation',
                inspection_id=self.inspection_id,
                presentation=presentation,
                settled=held.settled,
                pose=CapturePresentation.Request.REPORTED,
                part_to_cell=held.part_to_cell,
            )
            if answer is None or not answer.ok:
                return answer.message if answer else 'capture_presentation was not answered'
            presentation, part_to_cell = answer.presentation, answer.part_to_cell
        return ''

    def _move(
        self, order: PartOrder, presentation: str, part_to_cell: Pose
    ) -> PresentPart.Result | None:
        goal = PresentPart.Goal(inspection_id=self.inspection_id, part_id=order.part_id)
        goal.part_type, goal.presentation = order.part_type, presentation
        goal.part_to_cell = part_to_cell
        handle = self._answer(self._robot.send_goal_async(goal))
        if handle is None or not handle.accepted:
            return None
        answer = self._answer(handle.get_result_async())
        if answer is None or answer.status != GoalStatus.STATUS_SUCCEEDED:
            return None
        held: PresentPart.Result = answer.result
        return held

    def _call(self, name: str, **request: Any) -> Any:
        """The answer of a service; None when none came."""
        return self._answer(self._calls[name].call_async(SERVICES[name].Request(**request)))

    def _answer(self, future: Any) -> Any:
        done = self.spin_until(future.done, self.params.part_timeout_s, while_alive=True)
        return future.result() if done else None


def main() -> int:
    """Run the program; exit status 1 when the cell is not there."""
    return run_task(RobotProgramNode, inspect_all)


if __name__ == '__main__':
    sys.exit(main())
