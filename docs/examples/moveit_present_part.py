r"""The robot side of a cell that leads, with MoveIt: every presentation is one goal of MoveGroup.

Needs MoveIt 2 (`moveit_msgs`, a running `move_group`) and a robot.

    python moveit_present_part.py --ros-args -r __ns:=/press_line -p group:=manipulator \
        -p link:=tool0 -p part_in_link:="[0.0, 0.0, 0.12, 0.0, 0.0, 0.0, 1.0]"

The pose of the part in the link (x, y, z, qx, qy, qz, qw) says how the gripper holds it; planning
is in the frame `frame`, which is the cell's frame: `<namespace>/cell`, or `frame` of cell.yaml.
"""

import time
from typing import Any

import numpy as np
import rclpy
from geometry_msgs.msg import Point, Pose, Quaternion
from inspection_cell_msgs.action import PresentPart
from moveit_msgs.action import MoveGroup
from moveit_msgs.msg import (
    BoundingVolume,
    Constraints,
    MoveItErrorCodes,
    OrientationConstraint,
    PositionConstraint,
)
from rclpy.action import ActionClient, ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node
from scipy.spatial.transform import Rotation
from shape_msgs.msg import SolidPrimitive

SETTLE_S = 0.3  # after the controller says that it has arrived
POSITION_TOLERANCE_M = 0.0005
ANGLE_TOLERANCE_RAD = 0.002


class PresentPartServer(Node):
    """Serves `present_part`: move the link so that the part is in the pose, wait, report it."""

    def __init__(self) -> None:
        """Connect to move_group and offer the action."""
        super().__init__('present_part_server')
        self._group = self.declare_parameter('group', 'manipulator').value
        self._link = self.declare_parameter('link', 'tool0').value
        cell = f'{self.get_namespace().strip("/")}/cell'.lstrip('/')
        self._frame = self.declare_parameter('frame', cell).value
        held = self.declare_parameter('part_in_link', [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]).value
        self._link_in_part = np.linalg.inv(matrix(held[:3], held[3:]))
        together = ReentrantCallbackGroup()
        self._moves = ActionClient(self, MoveGroup, '/move_action', callback_group=together)
        self._server = ActionServer(
            self,
            PresentPart,
            'present_part',
            self._present,
            cancel_callback=self._taken_back,
            callback_group=together,
        )
        self._moving: Any = None

    async def _present(self, handle: ServerGoalHandle) -> PresentPart.Result:
        part_to_cell = handle.request.part_to_cell
        self._moving = await self._moves.send_goal_async(self._goal(part_to_cell))
        if not self._moving.accepted:
            handle.abort()
            return PresentPart.Result(message='move_group refused the goal')
        moved = (await self._moving.get_result_async()).result
        if handle.is_cancel_requested:
            handle.canceled()
            return PresentPart.Result(message='cancelled')
        if moved.error_code.val != MoveItErrorCodes.SUCCESS:
            handle.abort()
            return PresentPart.Result(message=f'move_group: error {moved.error_code.val}')
        time.sleep(SETTLE_S)
        handle.succeed()
        # Better, where the controller's accuracy is not enough: the pose that TF tells now.
        settled = self.get_clock().now().to_msg()
        return PresentPart.Result(settled=settled, part_to_cell=part_to_cell)

    def _taken_back(self, _: ServerGoalHandle) -> CancelResponse:
        if self._moving is not None:
            self._moving.cancel_goal_async()
        return CancelResponse.ACCEPT

    def _goal(self, part_to_cell: Pose) -> MoveGroup.Goal:
        turn, at = part_to_cell.orientation, part_to_cell.position
        part = matrix([at.x, at.y, at.z], [turn.x, turn.y, turn.z, turn.w])
        link = part @ self._link_in_part
        x, y, z = (float(value) for value in link[:3, 3])
        qx, qy, qz, qw = (float(v) for v in Rotation.from_matrix(link[:3, :3]).as_quat())
        place = Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(w=1.0))
        ball = SolidPrimitive(type=SolidPrimitive.SPHERE, dimensions=[POSITION_TOLERANCE_M])
        position = PositionConstraint(link_name=self._link, weight=1.0)
        position.header.frame_id = self._frame
        position.constraint_region = BoundingVolume(primitives=[ball], primitive_poses=[place])
        orientation = OrientationConstraint(
            link_name=self._link,
            orientation=Quaternion(x=qx, y=qy, z=qz, w=qw),
            absolute_x_axis_tolerance=ANGLE_TOLERANCE_RAD,
            absolute_y_axis_tolerance=ANGLE_TOLERANCE_RAD,
            absolute_z_axis_tolerance=ANGLE_TOLERANCE_RAD,
            weight=1.0,
        )
        orientation.header.frame_id = self._frame
        goal = MoveGroup.Goal()
        goal.request.group_name = self._group
        goal.request.num_planning_attempts = 5
        goal.request.allowed_planning_time = 2.0
        goal.request.max_velocity_scaling_factor = 0.5
        goal.request.max_acceleration_scaling_factor = 0.5
        goal.request.goal_constraints = [
            Constraints(position_constraints=[position], orientation_constraints=[orientation])
        ]
        return goal


def matrix(position: Any, quaternion: Any) -> Any:
    """The 4×4 transform of a position (metres) and a quaternion (x, y, z, w)."""
    transform = np.eye(4)
    transform[:3, :3] = Rotation.from_quat(quaternion).as_matrix()
    transform[:3, 3] = position
    return transform


def main() -> None:
    """Run the server."""
    rclpy.init()
    node, executor = PresentPartServer(), MultiThreadedExecutor(2)
    executor.add_node(node)
    try:
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == '__main__':
    main()
