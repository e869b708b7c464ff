"""The cell's lights and exposure settings for lighting sequences; a light never stays on.

Whoever switches a light on sees to it that `off` is called, and `close` switches off what is on.
A process that is killed cannot: an output that must not stay on needs its own time limit.
"""

import threading
import time
from collections.abc import Collection, Mapping

from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from std_msgs.msg import Bool, Float64

from inspection_cell.cell import Camera, Cell
from inspection_cell.nodes.board import StoppedError
from inspection_cell.nodes.qos import LATCHED, publisher_events
from inspection_cell.sections.lights import Shot

DELIVERED_WITHIN_S = 0.2


class Lights:
    """Outputs of a cell's lights and of its cameras' exposure times; used from any thread."""

    def __init__(self, node: Node, cell: Cell) -> None:
        """Open the topics and switch everything off, whatever an earlier process left on."""
        self._node = node
        self._lights = cell.file.lights
        self._cameras = cell.cameras
        self._lock = threading.Lock()
        self._is_open = True
        self._on: frozenset[str] = frozenset()
        self._settled_ns = 0  # steady clock
        self._switches = {
            name: self._publisher(Bool, light.topic) for name, light in self._lights.items()
        }
        self._exposures: Mapping[str, Publisher] = {
            name: self._publisher(Float64, camera.exposure.topic)
            for name, camera in self._cameras.items()
            if camera.exposure
        }
        with self._lock:
            self._publish(self._lights, frozenset())

    def prepare(self, camera: str, shot: Shot) -> int:
        """Switch on the lights of a shot, and no others, and set its exposure time.

        Returns:
            From when on all that was ever switched is steady, ns of the steady clock.

        Raises:
            StoppedError: when the lights are closed already.
        """
        with self._lock:
            if not self._is_open:
                raise StoppedError('the cell stops')
            if shot.exposure_us is not None:
                self._exposures[camera].publish(Float64(data=shot.exposure_us))
                self._settle(_settle_ms(self._cameras[camera]))
            self._switch(frozenset(shot.lights))
            return self._settled_ns

    def off(self) -> None:
        """Switch off what is on."""
        with self._lock:
            if self._is_open:
                self._switch(frozenset())

    def close(self) -> None:
        """Switch everything off, wait until that is delivered, and close the topics."""
        with self._lock:
            self._is_open = False
            publishers = [*self._switches.values(), *self._exposures.values()]
            if self._node.context.ok():
                self._publish(self._lights, frozenset())
                for publisher in self._switches.values():
                    publisher.wait_for_all_acked(Duration(seconds=DELIVERED_WITHIN_S))
        for publisher in publishers:
            self._node.destroy_publisher(publisher)

    def _switch(self, on: frozenset[str]) -> None:
        changed = sorted(on ^ self._on, key=lambda name: name in on)  # off before on
        if changed and self._node.context.ok():
            self._on = on | self._on  # if publishing fails, all may be on
            self._publish(changed, on)
            self._settle(max(self._lights[name].settle_ms for name in changed))
        self._on = on

    def _publish(self, names: Collection[str], on: frozenset[str]) -> None:
        for name in names:
            self._switches[name].publish(Bool(data=name in on))

    def _settle(self, settle_ms: float) -> None:
        settled_ns = time.monotonic_ns() + round(settle_ms * 1e6)
        self._settled_ns = max(self._settled_ns, settled_ns)

    def _publisher(self, kind: type, topic: str) -> Publisher:
        events = publisher_events(self._node, topic)
        return self._node.create_publisher(kind, topic, LATCHED, event_callbacks=events)


def _settle_ms(camera: Camera) -> float:
    return camera.exposure.settle_ms if camera.exposure else 0.0
