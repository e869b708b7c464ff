"""Stands for a camera driver in benchmarks: big images at a steady rate, stamped as they leave."""

import json
import sys
import time
from dataclasses import dataclass

import numpy as np
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import Image as ImageMsg

from inspection_cell.errors import InspectionCellError
from inspection_cell.nodes.conversions.poses import stamp_to_msg
from inspection_cell.nodes.conversions.sensor_data import image_to_msg
from inspection_cell.nodes.params import declare, parameter
from inspection_cell.nodes.qos import SENSOR, SENSOR_RELIABLE
from inspection_cell.nodes.task import run_task
from inspection_cell.observations import Image

TOPIC = 'camera/image_raw'
FIND_S = 30.0
SETTLE_S = 2.0  # the subscriber has followed the offered QoS by then


@dataclass(frozen=True, slots=True)
class SourceParams:
    """What is sent."""

    width: int = parameter(1920, 'Width of the images, pixels.', low=1, high=20_000)
    height: int = parameter(1200, 'Height of the images, pixels.', low=1, high=20_000)
    rate_hz: float = parameter(30.0, 'Images per second.', low=0.1, high=1000.0)
    seconds: float = parameter(10.0, 'How long images are sent, s.', low=0.1, high=3600.0)
    reliable: bool = parameter(False, 'Whether to offer reliable instead of best-effort QoS.')


class TransportSource(Node):
    """Publishes bgr8 noise, which nothing on the way can compress."""

    def __init__(self) -> None:
        """Make the image once."""
        super().__init__('transport_source')
        self.params = declare(self, SourceParams)
        qos = SENSOR_RELIABLE if self.params.reliable else SENSOR
        self._publisher = self.create_publisher(ImageMsg, TOPIC, qos)
        shape = (self.params.height, self.params.width, 3)
        pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
        self._msg = image_to_msg(Image(pixels))

    def wait_for_subscriber(self) -> None:
        """Return when one has been there for a while; raises InspectionCellError if none comes."""
        deadline_s = time.monotonic() + FIND_S
        while not self._publisher.get_subscription_count():
            if time.monotonic() > deadline_s:
                raise InspectionCellError(f'{TOPIC}: nobody subscribed in {FIND_S:g} s')
            rclpy.spin_once(self, timeout_sec=0.1)
        time.sleep(SETTLE_S)

    def send_all(self) -> int:
        """Send at the given rate; a beat that was slept through is left out, as cameras do."""
        period_s = 1.0 / self.params.rate_hz
        beats = round(self.params.seconds * self.params.rate_hz)
        begin_s, sent, beat = time.monotonic(), 0, 0
        while beat < beats and rclpy.ok():
            time.sleep(max(0.0, begin_s + beat * period_s - time.monotonic()))
            self._msg.header.stamp = stamp_to_msg(self.get_clock().now().nanoseconds)
            self._publisher.publish(self._msg)
            sent += 1
            beat = max(beat + 1, int((time.monotonic() - begin_s) / period_s))
        return sent


def send(node: TransportSource) -> None:
    """Tell the begin and the number of images on stdout; stay until told to end."""
    node.wait_for_subscriber()
    _say({'began': True})
    _say({'sent': node.send_all()})
    rclpy.spin(node)  # a reliable writer still repeats what was lost


def main() -> int:
    """Send, once."""
    return run_task(TransportSource, send)


def _say(values: dict[str, int]) -> None:
    sys.stdout.write(json.dumps(values) + '\n')
    sys.stdout.flush()


if __name__ == '__main__':
    sys.exit(main())
