"""The way of an image into detection_node, with a clock at its end, for benchmarks.

The same parts as in the node: capture edge with QoS that follows the offer, frame gate, bounded
queue, worker thread, detector. Only what is sent on is left out.
"""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image as ImageMsg

from inspection_cell.cell import Camera, CameraIntrinsics, Limits, Stamp
from inspection_cell.errors import InspectionCellError
from inspection_cell.models import load_model_folder
from inspection_cell.nodes.capture_edge import CapturedView, CaptureEdge
from inspection_cell.nodes.conversions.capturing import CaptureOrder
from inspection_cell.nodes.conversions.sensor_data import image_from_msg
from inspection_cell.nodes.inspector_node import EXPIRE_PERIOD_S, FOLLOW_PERIOD_S
from inspection_cell.nodes.params import declare, parameter
from inspection_cell.nodes.transport_source import TOPIC
from inspection_cell.nodes.worker import Worker
from inspection_cell.schema import Pose
from inspection_cell.views.detections import Detector
from inspection_cell.views.detectors import load_detector

FOREVER_S = 3600.0


@dataclass(frozen=True, slots=True)
class SinkParams:
    """What is done with the images."""

    model: str = parameter('', 'Folder of the model that looks at the images; empty: none does.')
    image_size: int = parameter(
        0, 'Longest side that the network sees, pixels; 0: as sent.', low=0, high=8192
    )


class TransportSink(Node):
    """Wants every image, one after the other, and notes how old it was when it came."""

    def __init__(self) -> None:
        """Load the detector before the first image can come."""
        super().__init__('transport_sink')
        params = declare(self, SinkParams)
        self._detector = _detector(params)
        self._latencies_ms: list[float] = []
        self._inferences = 0
        self._worker: Worker[CapturedView[ImageMsg]] = Worker(
            'inspector', Limits().queue, self._work, self._failed, self.get_logger()
        )
        self._edge = CaptureEdge(self, 'camera', _camera(), self._captured)
        self._expect(0)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(EXPIRE_PERIOD_S, self._expire, clock=steady)
        self.create_timer(FOLLOW_PERIOD_S, self._edge.follow_offer, clock=steady)

    def close(self) -> None:
        """End the worker."""
        self._edge.close()
        self._worker.stop()

    def report(self) -> str:
        """How old each image was, and how many were looked at, as a line of JSON."""
        latencies_ms = [round(value, 3) for value in self._latencies_ms]
        return json.dumps({'latencies_ms': latencies_ms, 'inferences': self._inferences})

    def _expect(self, settled_ns: int) -> None:
        self._edge.expect(
            CaptureOrder('', '', '', '', 'bench', settled_ns, np.eye(4), ('camera',), FOREVER_S)
        )

    def _captured(self, view: CapturedView[ImageMsg]) -> None:
        frame = view.captured.frame
        self._latencies_ms.append((frame.arrival_ns - frame.stamp_ns) / 1e6)
        self._expect(frame.stamp_ns + 1)
        self._worker.submit(view)

    def _expire(self) -> None:
        self._edge.expire(time.monotonic_ns())

    def _work(self, view: CapturedView[ImageMsg]) -> None:
        image = image_from_msg(view.message)
        if self._detector is not None:
            self._detector.detect([image])
            self._inferences += 1

    def _failed(self, view: CapturedView[ImageMsg], reason: str) -> None:
        self.get_logger().error(f'{view.key}: {reason}')


def _detector(params: SinkParams) -> Detector | None:
    if not params.model:
        return None
    return load_detector(load_model_folder(Path(params.model)), params.image_size or None)


def _camera() -> Camera:
    return Camera(
        kind='camera',
        topic=TOPIC,
        pose=Pose(position_mm=(0, 0, 0), rpy_deg=(0, 0, 0)),
        stamp=Stamp(uncertainty_ms=0),  # one clock
        deadline_s=FOREVER_S,
        intrinsics=CameraIntrinsics(width=1, height=1, fx=1, fy=1, cx=0, cy=0),
    )


def main() -> int:
    """Say when ready; take images until told to end; report."""
    rclpy.init(args=sys.argv)
    node = None
    try:
        node = TransportSink()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        _say(json.dumps({'ready': True}))
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except InspectionCellError as error:
        rclpy.logging.get_logger('transport_sink').fatal(str(error))
        return 1
    finally:
        if node is not None:
            _say(node.report())
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0


def _say(line: str) -> None:
    sys.stdout.write(line + '\n')
    sys.stdout.flush()


if __name__ == '__main__':
    sys.exit(main())
