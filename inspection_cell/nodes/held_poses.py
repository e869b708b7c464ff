"""Where the part and each sensor were when a frame was exposed."""

from collections.abc import Callable, Iterable
from typing import Any

from rclpy.node import Node

from inspection_cell.cell import Cell
from inspection_cell.errors import PoseError
from inspection_cell.frames import Frames
from inspection_cell.geometry import Transform
from inspection_cell.nodes.capture_edge import CapturedView
from inspection_cell.nodes.tf_lookup import PoseSource, Tf, require_tf2
from inspection_cell.sections.tf import FromTf


class HeldPoses:
    """The poses of one view: as cell.yaml and the robot side say, or looked up in TF.

    `part` and `sensor` may wait for TF, so they belong into a worker thread. How long counts from
    the frame's arrival: several views that wait do so at the same time. Of a lighting sequence it
    is the last frame, which was exposed while the robot held still as for the others.
    """

    def __init__(
        self,
        node: Node,
        cell: Cell,
        sensors: Iterable[str],
        source: Callable[[Node], PoseSource] = Tf,
    ) -> None:
        """Listen to TF, where these sensors need it."""
        self._cell = cell
        self._frames = Frames.of(node.get_namespace(), cell)
        self._source = source(node) if keys_of_tf(cell, sensors) else None

    def part(self, view: CapturedView[Any]) -> Transform:
        """`transform_part_to_cell` at the exposure; raises PoseError when it is not known."""
        looked_up = self._cell.file.robot.part_from_tf
        if looked_up is None:
            return view.order.transform_part_to_cell
        return self._looked_up(self._frames.part, looked_up, view)

    def sensor(self, view: CapturedView[Any]) -> Transform:
        """`transform_sensor_to_cell` at the exposure; raises PoseError when it is not known."""
        sensor = self._cell.posed_sensors[view.key.sensor]
        if sensor.pose is not None:
            return sensor.pose.transform()
        return self._looked_up(self._frames.optical(view.key.sensor), sensor.from_tf, view)

    def close(self) -> None:
        """Listen no more."""
        if self._source is not None:
            self._source.close()

    def _looked_up(self, frame: str, how: FromTf | None, view: CapturedView[Any]) -> Transform:
        if self._source is None or how is None:
            raise PoseError(f'{view.key}: nothing says where {frame} is')
        captured = view.captured
        until_ns = captured.frame.arrival_steady_ns + round(how.within_s * 1e9)
        stamp_ns = captured.exposure_start_ns
        return self._source.pose(frame, self._frames.cell, stamp_ns, until_ns)


def keys_of_tf(cell: Cell, sensors: Iterable[str]) -> tuple[str, ...]:
    """Keys of cell.yaml for which the views of these sensors need TF."""
    posed = [name for name in sensors if name in cell.posed_sensors]
    keys = [f'sensors.{name}.from_tf' for name in posed if cell.posed_sensors[name].from_tf]
    if posed and cell.file.robot.part_from_tf:
        keys.append('robot.part_from_tf')
    return tuple(keys)


def refuse_without_tf2(cell: Cell, sensors: Iterable[str]) -> None:
    """Raise DataError where these sensors need TF and tf2_ros is not installed."""
    keys = keys_of_tf(cell, sensors)
    if keys:
        require_tf2(f'{cell.path}: {", ".join(keys)}')
