"""program_node: services for a robot whose own program leads, over the cell's two actions.

The program calls begin_part, capture_presentation for each pose, finish_part and part_placed. To
the cell this node is client and robot side, so every rule of an inspection holds here too: a
program that is late, silent or stops leaves an inspection that ends UNKNOWN and a part that is
diverted. Every call is answered within a bounded time.
"""

import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from action_msgs.msg import GoalStatus
from inspection_cell_msgs.action import InspectPart, PresentPart
from inspection_cell_msgs.msg import ActuatorCommand, ActuatorConfirmation
from inspection_cell_msgs.srv import BeginPart, CapturePresentation, FinishPart, PartPlaced
from rclpy.action import ActionClient, ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.service import Service
from rclpy.task import Future

from inspection_cell.cell import Camera, load_cell
from inspection_cell.errors import DataError
from inspection_cell.nodes.board import GRACE_S
from inspection_cell.nodes.conversions.poses import pose_from_msg, stamp_from_msg
from inspection_cell.nodes.params import CellParams
from inspection_cell.nodes.program_part import ProgramPart
from inspection_cell.nodes.qos import RELIABLE
from inspection_cell.nodes.run import ManagedNode, run

Answer = Callable[[Any, Any], Awaitable[Any]]
PARTS_KEPT = 16  # the robot holds one; others are on their way to the gate
SPARE_S = 2.0  # for messages to travel, beside what the cell's own deadlines allow


class ProgramNode(ManagedNode[CellParams]):
    """Serves the four services and PresentPart; sends InspectPart."""

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__('program_node', CellParams)
        # A call that waits must not keep out what it waits for.
        self._group = ReentrantCallbackGroup()
        self._calls = 0  # that wait for their answer
        self._leaving: list[Service] = []  # services whose calls are answered still

    def configure(self) -> None:
        """Load the cell."""
        self._cell = load_cell(self.params.cell_path)
        sensors = self._cell.sensors.values()
        settings = self._cell.file.disposition
        at_once = [s.deadline_s for s in sensors if not (isinstance(s, Camera) and s.shots)]
        in_turn = [c.deadline_s + GRACE_S for c in self._cell.cameras.values() if c.shots]
        self._capture_s = max(at_once, default=0.0) + sum(in_turn) + SPARE_S
        # Scans that are judged together take as long again.
        inspect_s = max(sensor.inspect_s * (1 + (sensor.kind == 'scanner')) for sensor in sensors)
        self._finish_s = inspect_s + settings.decide_within_s + SPARE_S

    def activate(self) -> None:
        """Open actions, services and topics."""
        self._parts: deque[ProgramPart] = deque(maxlen=PARTS_KEPT)
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._inspect = ActionClient(self, InspectPart, 'inspect_part', callback_group=self._group)
        self._present = ActionServer(
            self,
            PresentPart,
            self._cell.file.robot.action,
            execute_callback=self._presented,
            cancel_callback=self._taken_back,
            callback_group=self._group,
        )
        self._confirmations = self.create_publisher(
            ActuatorConfirmation, 'actuator_confirmation', RELIABLE
        )
        self._commands = self.create_subscription(
            ActuatorCommand,
            'actuator_command',
            self._commanded,
            RELIABLE,
            callback_group=self._group,
        )
        self._served = [
            self.create_service(kind, name, answer, callback_group=self._group)
            for kind, name, answer in (
                (BeginPart, 'begin_part', self._counted(self._begin)),
                (CapturePresentation, 'capture_presentation', self._counted(self._capture)),
                (FinishPart, 'finish_part', self._counted(self._finish)),
                (PartPlaced, 'part_placed', self._placed),
            )
        ]

    def deactivate(self) -> None:
        """End every inspection in work, and close."""
        for part in self._parts:
            self._abandon(part, 'the cell stops')
            part.touch()
        self._leaving += self._served
        if not self._calls:
            self._leave()
        self.destroy_subscription(self._commands)
        self.destroy_publisher(self._confirmations)
        self._present.destroy()
        self._inspect.destroy()

    def _counted(self, answer: Answer) -> Answer:
        """The same; a call that waits still gets its answer when the node is deactivated."""

        async def call(request: Any, response: Any) -> Any:
            self._calls += 1
            try:
                return await answer(request, response)
            finally:
                self._calls -= 1
                if self._leaving and not self._calls and self.executor is not None:
                    self.executor.create_task(self._leave)  # once this answer is on its way

        return call

    def _leave(self) -> None:
        while self._leaving and not self._calls:
            self.destroy_service(self._leaving.pop())

    async def _begin(
        self, request: BeginPart.Request, response: BeginPart.Response
    ) -> BeginPart.Response:
        part = self._held(request)
        if part is None:
            if not self._inspect.server_is_ready():
                response.message = 'the cell does not take parts: cell_node is not active'
                return response
            part = self._new(request)
        within_s = self._cell.file.robot.timeout_s
        if not await self._until(part, lambda: part.asked is not None or part.is_over, within_s):
            self._abandon(part, f'no turn within {within_s:g} s')
        if part.asked is None:
            response.message = f'part {part.part_id!r}: {part.why_over}'
            return response
        response.ok, response.inspection_id = True, part.inspection_id
        response.presentation = part.asked.presentation
        response.part_to_cell = part.asked.part_to_cell
        return response

    async def _capture(
        self, request: CapturePresentation.Request, response: CapturePresentation.Response
    ) -> CapturePresentation.Response:
        part = self._find(request.inspection_id)
        if part is None:
            response.message = f'no inspection {request.inspection_id!r}: call begin_part first'
            return response
        if request.presentation in part.answers:
            return part.answers[request.presentation]
        if part.capturing != request.presentation:  # else the program only repeats its call
            try:
                part.settle(self._settled(request, part))
            except DataError as error:
                response.message = str(error)
                return response
        if not await self._until(part, lambda: part.goes_on, self._capture_s):
            response.message = f'the cell did not capture within {self._capture_s:g} s'
            return response
        if part.is_over and not part.all_captured:
            response.message = f'part {part.part_id!r}: {part.why_over}'
            return response
        response.ok = True
        if part.asked is not None:
            response.presentation = part.asked.presentation
            response.part_to_cell = part.asked.part_to_cell
        part.answers[request.presentation] = response
        return response

    async def _finish(
        self, request: FinishPart.Request, response: FinishPart.Response
    ) -> FinishPart.Response:
        response.bin = self._cell.file.disposition.bins['UNKNOWN']
        part = self._find(request.inspection_id)
        if part is None:
            response.message = f'no inspection {request.inspection_id!r}: call begin_part first'
            return response
        if not (part.all_captured or part.is_over):
            self._abandon(part, 'finish_part was called before all poses were captured')
        watches = self._cell.file.disposition.only_watches
        await self._until(
            part,
            lambda: (part.ended and (part.command or watches)) or part.never_began,
            self._finish_s,
        )
        if part.ended is not None:
            verdict = part.ended.verdict
            response.decision = verdict.decision
            response.message = part.ended.message or '; '.join(r.text for r in verdict.reasons)
        if part.command is None:
            response.message = f'no command of the reject side; {response.message or "no verdict"}'
            return response
        response.ok = True
        response.bin = part.command.bin
        response.release = part.command.action == ActuatorCommand.RELEASE
        return response

    def _placed(
        self, request: PartPlaced.Request, response: PartPlaced.Response
    ) -> PartPlaced.Response:
        part = self._find(request.inspection_id)
        if part is None or part.command is None:
            response.message = f'no command for inspection {request.inspection_id!r}'
            return response
        response.ok = request.bin == part.command.bin
        if not response.ok:
            response.message = f'expected in {part.command.bin!r}, put into {request.bin!r}'
        self._confirmations.publish(
            ActuatorConfirmation(
                stamp=self.get_clock().now().to_msg(),
                sequence=part.command.sequence,
                inspection_id=part.inspection_id,
                ok=response.ok,
                bin=request.bin,
                message=response.message,
            )
        )
        return response

    def _held(self, request: BeginPart.Request) -> ProgramPart | None:
        """The part that the robot holds, where the call only repeats; another one is given up."""
        for part in self._parts:
            if part.all_captured or part.is_over:
                continue
            same = (part.part_id, part.part_type) == (request.part_id, request.part_type)
            if same and not part.answers:
                return part
            self._abandon(part, f'the robot has begun with part {request.part_id!r}')
        return None

    def _new(self, request: BeginPart.Request) -> ProgramPart:
        part = ProgramPart(request.part_id, request.part_type)
        self._parts.append(part)
        goal = InspectPart.Goal(part_id=part.part_id, part_type=part.part_type)
        sent = self._inspect.send_goal_async(
            goal, lambda message: self._told(part, message.feedback)
        )
        sent.add_done_callback(lambda future: self._answered(part, future))
        return part

    def _find(self, inspection_id: str) -> ProgramPart | None:
        found = (part for part in self._parts if part.inspection_id == inspection_id)
        return next(found, None) if inspection_id else None

    def _answered(self, part: ProgramPart, future: Future) -> None:
        """The cell has taken the goal, or not."""
        part.handle = future.result()
        if not part.handle.accepted:
            part.refusal = 'the cell refused it: it has no such recipe, or enough parts wait'
        else:
            part.handle.get_result_async().add_done_callback(lambda done: self._over(part, done))
            if part.refusal:  # given up while the goal was on its way
                part.handle.cancel_goal_async()
        part.touch()

    def _over(self, part: ProgramPart, future: Future) -> None:
        part.ended = future.result().result
        if future.result().status != GoalStatus.STATUS_SUCCEEDED and not part.ended.message:
            part.ended.message = 'the cell ended it without a word'
        part.take_back()

    def _told(self, part: ProgramPart, feedback: InspectPart.Feedback) -> None:
        part.inspection_id = feedback.inspection_id
        part.all_captured = part.all_captured or feedback.stage in ('inspecting', 'judging')
        part.touch()

    def _commanded(self, command: ActuatorCommand) -> None:
        part = self._find(command.inspection_id)
        if part is not None:
            part.command = command
            part.touch()

    async def _presented(self, handle: ServerGoalHandle) -> PresentPart.Result:
        """The cell asks for a pose: the program is told, and its next call is the answer."""
        goal = handle.request
        part = self._find(goal.inspection_id) or next(
            (
                one
                for one in self._parts
                if not one.inspection_id and one.part_id == goal.part_id and not one.is_over
            ),
            None,
        )
        if part is None:
            handle.abort()
            return PresentPart.Result(message='the robot program has not begun this part')
        part.inspection_id = goal.inspection_id
        result: PresentPart.Result | None = await part.ask(goal)
        if handle.is_cancel_requested:
            handle.canceled()
            return PresentPart.Result(message='cancelled')
        if result is None:
            handle.abort()
            return PresentPart.Result(message=part.refusal or 'the robot program gave it up')
        handle.succeed()
        return result

    def _taken_back(self, handle: ServerGoalHandle) -> CancelResponse:
        """The cell no longer waits: the robot was late, or the goal was taken back."""
        part = self._find(handle.request.inspection_id)
        if part is not None:
            part.take_back()
        return CancelResponse.ACCEPT

    def _abandon(self, part: ProgramPart, why: str) -> None:
        """End an inspection that the program does not go on with: it becomes UNKNOWN."""
        if part.is_over:
            return
        self.get_logger().warning(f'part {part.part_id!r} is given up: {why}')
        part.refusal = why
        if part.handle is not None and part.handle.accepted:
            part.handle.cancel_goal_async()
        part.take_back()

    def _settled(
        self, request: CapturePresentation.Request, part: ProgramPart
    ) -> PresentPart.Result:
        """What the program says, as the cell's action wants it; raises DataError."""
        if part.is_over:
            raise DataError(f'part {part.part_id!r}: {part.why_over}')
        if part.asked is None or part.asked.presentation != request.presentation:
            expected = f'the pose {part.asked.presentation!r}' if part.asked else 'no pose now'
            raise DataError(f'expected {expected}, got {request.presentation!r}')
        result = PresentPart.Result(settled=request.settled)
        if stamp_from_msg(request.settled) == 0:
            result.settled = self.get_clock().now().to_msg()
        if request.pose == CapturePresentation.Request.NOMINAL:
            result.part_to_cell = part.asked.part_to_cell
        elif request.pose == CapturePresentation.Request.REPORTED:
            pose_from_msg(request.part_to_cell)
            result.part_to_cell = request.part_to_cell
        else:
            raise DataError(f'pose: expected NOMINAL (1) or REPORTED (2), got {request.pose}')
        return result

    async def _until(
        self, part: ProgramPart, condition: Callable[[], object], within_s: float
    ) -> bool:
        """Wait for a condition of a part; False when it does not hold in time."""
        end_s = time.monotonic() + within_s
        timer = self.create_timer(within_s, part.touch, self._group, clock=self._steady)
        try:
            while True:
                changed = part.changed
                if condition():
                    return True
                if time.monotonic() >= end_s or not self._active:
                    return False
                await changed
        finally:
            self.destroy_timer(timer)


def main() -> int:
    """Run program_node."""
    return run(ProgramNode)


if __name__ == '__main__':
    sys.exit(main())
