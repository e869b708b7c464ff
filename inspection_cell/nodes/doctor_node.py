"""doctor_node: looks at the ROS graph of a cell for a few seconds, and tells what it lacks.

Prints one JSON list of findings on stdout; `inspection_cell doctor` starts and formats it.
"""

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from inspection_cell_msgs.msg import CellState
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CameraInfo

from inspection_cell.cell import Camera, ProcessSensor, Scanner, load_cell
from inspection_cell.doctor.finding import Found, Level, ok
from inspection_cell.errors import DataError
from inspection_cell.nodes.conversions.outcomes import state_in_words
from inspection_cell.nodes.conversions.poses import camera_info_from_msg, stamp_from_msg
from inspection_cell.nodes.params import CellParams, declare, parameter
from inspection_cell.nodes.qos import LATCHED, SENSOR
from inspection_cell.nodes.sensor_messages import message_of
from inspection_cell.nodes.task import run_task

CLOCKS_AGREE_S = 0.5


@dataclass(frozen=True, slots=True)
class DoctorParams(CellParams):
    """What doctor_node is told."""

    watch_s: float = parameter(
        4.0, 'How long the graph and the sensors are watched, s.', low=0.5, high=600.0
    )


class DoctorNode(Node):
    """Listens to the cell's state and to every sensor; asks for nothing."""

    def __init__(self) -> None:
        """Declare the parameters and subscribe."""
        super().__init__('doctor_node')
        params = declare(self, DoctorParams)
        self._watch_s = params.watch_s
        self._cell = load_cell(params.cell_path)
        self._states: list[CellState] = []
        self._frames: dict[str, list[tuple[float, float]]] = {}  # (arrival, stamp) in s
        self._infos: dict[str, CameraInfo] = {}
        self.create_subscription(CellState, 'cell_state', self._states.append, LATCHED)
        for name, sensor in self._cell.sensors.items():
            self._listen(name, sensor)
        self._spinner = SingleThreadedExecutor()
        self._spinner.add_node(self)

    def watch(self) -> None:
        """Listen for the time that was asked for."""
        end_s = time.monotonic() + self._watch_s
        while time.monotonic() < end_s:
            self._spinner.spin_once(timeout_sec=0.1)

    def findings(self) -> Iterator[Found]:
        """What was seen."""
        yield self._state()
        for name, sensor in self._cell.sensors.items():
            yield self._sensor(name, sensor)
            if isinstance(sensor, Camera) and sensor.camera_info_topic:
                yield self._geometry(name, sensor)

    def _listen(self, name: str, sensor: Camera | Scanner | ProcessSensor) -> None:
        frames = self._frames[name] = []

        def note(message: Any) -> None:
            now_s = self.get_clock().now().nanoseconds / 1e9
            frames.append((now_s, stamp_from_msg(message.header.stamp) / 1e9))

        self.create_subscription(message_of(sensor), sensor.topic, note, SENSOR)
        if isinstance(sensor, Camera) and sensor.camera_info_topic:

            def keep(message: CameraInfo) -> None:
                self._infos[name] = message

            self.create_subscription(CameraInfo, sensor.camera_info_topic, keep, SENSOR)

    def _state(self) -> Found:
        where = f'cell {self.get_namespace()}'
        if not self._states:
            advice = 'start it (inspection_cell run, ros2 launch); same ROS_DOMAIN_ID, namespace?'
            return Found(where, Level.ERROR, 'no cell_state is heard', advice)
        last = self._states[-1]
        seen = state_in_words(last)
        if last.state in (CellState.READY, CellState.INSPECTING):
            return ok(where, seen)
        return Found(
            where, Level.ERROR, f'{seen}: {last.reason or "no reason"}', 'mend what it names'
        )

    def _sensor(self, name: str, sensor: Camera | Scanner | ProcessSensor) -> Found:
        offers = self.get_publishers_info_by_topic(self.resolve_topic_name(sensor.topic))
        frames = self._frames[name]
        if not offers:
            advice = (
                f'is the driver running, in this domain? remap it, or change `topic` of {name}'
            )
            return Found(name, Level.ERROR, f'nobody publishes {sensor.topic}', advice)
        reliable = all(one.qos_profile.reliability == ReliabilityPolicy.RELIABLE for one in offers)
        if sensor.qos == 'reliable' and not reliable:
            seen = f'{sensor.topic} is offered best effort, `qos: reliable` never gets a frame'
            return Found(name, Level.ERROR, seen, 'qos: auto, or change the driver')
        how = 'reliable' if reliable else 'best effort'
        if not frames:
            if sensor.trigger.kind == 'free_running':
                seen = f'{sensor.topic} is offered, but no frame came in {self._watch_s:g} s'
                advice = 'is the driver streaming? eval "$(inspection_cell env)" before it'
                return Found(name, Level.ERROR, seen, advice)
            return ok(name, f'offered {how}, waits for its trigger ({sensor.trigger.kind})')
        ahead_s = max(stamp_s - now_s for now_s, stamp_s in frames)
        if ahead_s > CLOCKS_AGREE_S:
            seen = f'its stamps are {ahead_s:.1f} s ahead of this machine'
            return Found(name, Level.ERROR, seen, 'chrony or PTP, or `stamp: {meaning: arrival}`')
        ages = sorted(now_s - stamp_s for now_s, stamp_s in frames)
        seen = f'{len(frames)} frames, {how}, {1e3 * ages[len(ages) // 2]:.0f} ms old on arrival'
        return ok(name, seen)

    def _geometry(self, name: str, sensor: Camera) -> Found:
        where = f'{name} camera_info'
        if name not in self._infos:
            if sensor.trigger.kind != 'free_running' and not self._frames[name]:
                return ok(where, 'comes with the first image')
            seen = f'nothing has come on {sensor.camera_info_topic}'
            advice = 'mend the topic, or give `intrinsics` in cell.yaml instead'
            return Found(where, Level.ERROR, seen, advice)
        try:
            camera = camera_info_from_msg(self._infos[name])
        except DataError as error:
            return Found(where, Level.ERROR, str(error), 'calibrate the camera')
        return ok(where, f'{camera.width}×{camera.height} pixels, f {camera.fx:.0f}')


def look(node: DoctorNode) -> None:
    """Watch, then print."""
    node.watch()
    found = [asdict(one) for one in node.findings()]
    sys.stdout.write(json.dumps(found, ensure_ascii=False) + '\n')
    sys.stdout.flush()


def main() -> int:
    """Run the doctor once."""
    return run_task(DoctorNode, look)


if __name__ == '__main__':
    sys.exit(main())
