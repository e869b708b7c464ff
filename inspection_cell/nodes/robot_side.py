"""The robot side without hardware: serves PresentPart and shows the held part to the sensors."""

import time
from dataclasses import dataclass
from typing import TypeVar

from builtin_interfaces.msg import Time
from inspection_cell_msgs.action import PresentPart
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future

from inspection_cell.cell import load_cell
from inspection_cell.errors import InspectionCellError
from inspection_cell.nodes.actuator_side import ActuatorSide
from inspection_cell.nodes.conversions.poses import pose_from_msg, pose_to_msg, stamp_from_msg
from inspection_cell.nodes.moved_frames import MovedFrames
from inspection_cell.nodes.params import CellParams
from inspection_cell.nodes.part_source import MOVE, HeldPart, PartSource, PresentRequest
from inspection_cell.nodes.run import ManagedNode
from inspection_cell.nodes.sensor_outputs import SensorOutputs, Shown
from inspection_cell.nodes.worker import Worker

P = TypeVar('P', bound=CellParams)
WAITING_MOVES = 4
HOLD_S = 0.005  # held still before it is said: frames must be newer than settling by some ms


@dataclass(frozen=True, slots=True)
class _Move:
    """One presentation in work; the future takes the settled part."""

    request: PresentRequest
    settled: Future


@dataclass(frozen=True, slots=True)
class _Settled:
    """A part that is held still, or why it is not."""

    held: HeldPart | None
    outgoing: Shown
    settled: Time
    message: str = ''


class RobotSide(ManagedNode[P]):
    """Base of the nodes that stand for robot, sensors and actuators."""

    _worker: Worker[_Move] | None = None

    def make_source(self) -> PartSource:
        """Where parts come from; raises InspectionCellError."""
        raise NotImplementedError

    def configure(self) -> None:
        """Load the parts and open the topics."""
        cell = load_cell(self.params.cell_path)
        self._source = self.make_source()
        self._moved = MovedFrames(self, cell)
        self._outputs = SensorOutputs(self, cell)
        self._actuators = ActuatorSide(self, cell)
        self._worker = Worker(
            'robot', WAITING_MOVES, self._move, self._move_failed, self.get_logger()
        )
        self._server = ActionServer(
            self,
            PresentPart,
            MOVE if cell.file.robot.led_by == 'program' else cell.file.robot.action,
            execute_callback=self._present,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )

    def cleanup(self) -> None:
        """End the worker and take the topics back."""
        if self._worker is None:
            return
        self._worker.stop()
        self._worker = None
        self._server.destroy()
        self._outputs.close()
        self._moved.close()
        self._actuators.close()

    async def _present(self, goal: ServerGoalHandle) -> PresentPart.Result:
        try:
            request = _request(goal.request)
        except InspectionCellError as error:
            return _refused(goal, str(error))
        self._outputs.show({})  # the robot moves: nothing can be seen
        self._moved.let_go()
        move = _Move(request, Future(executor=self.executor))
        if self._worker is None or not self._worker.submit(move):
            return _refused(goal, 'the robot is busy with other presentations')
        settled: _Settled = await move.settled
        if settled.held is None:
            return _refused(goal, settled.message)
        if goal.is_cancel_requested:
            goal.canceled()
            return PresentPart.Result(message='cancelled')
        held = settled.held
        since_ns = stamp_from_msg(settled.settled)
        self._moved.hold(held.transform_part_to_cell, held.sensor_poses, since_ns)
        self._outputs.show(settled.outgoing)
        result = PresentPart.Result(settled=settled.settled)
        result.part_to_cell = pose_to_msg(held.transform_part_to_cell)
        goal.succeed()
        return result

    def _move(self, move: _Move) -> None:
        begin_s = time.monotonic()
        held = self._source.present(move.request)
        outgoing = self._outputs.prepare(held.frames)
        self._outputs.wait_for_readers(outgoing)
        time.sleep(max(0.0, self._source.move_s - (time.monotonic() - begin_s)))
        settled = _Settled(held, outgoing, self.get_clock().now().to_msg())
        time.sleep(HOLD_S)
        self._settle(move, settled)

    def _move_failed(self, move: _Move, why: str) -> None:
        self._settle(move, _Settled(None, {}, Time(), why))

    def _settle(self, move: _Move, settled: _Settled) -> None:
        move.settled.set_result(settled)
        if self.executor is not None:
            self.executor.wake()  # a result from another thread does not wake it by itself


def _request(goal: PresentPart.Goal) -> PresentRequest:
    return PresentRequest(
        goal.part_id, goal.part_type, goal.presentation, pose_from_msg(goal.part_to_cell)
    )


def _refused(goal: ServerGoalHandle, message: str) -> PresentPart.Result:
    goal.abort()
    return PresentPart.Result(message=message)
