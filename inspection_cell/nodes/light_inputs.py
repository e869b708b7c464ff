"""The lights' and cameras' side of lighting sequences, for cells without hardware."""

from collections.abc import Callable

from rclpy.node import Node
from std_msgs.msg import Bool, Float64

from inspection_cell.cell import Cell
from inspection_cell.nodes.qos import LATCHED

DARK = '(dark)'  # no shot has this name


class LightInputs:
    """Knows which lights are on, and so which shot a camera would take now."""

    def __init__(self, node: Node, cell: Cell) -> None:
        """Listen to every light and every exposure time."""
        self._node = node
        self._cameras = {name: camera for name, camera in cell.cameras.items() if camera.shots}
        self._on: set[str] = set()
        self._exposures_us: dict[str, float] = {}
        self._subscriptions_ours = [
            node.create_subscription(Bool, light.topic, self._switch(name), LATCHED)
            for name, light in cell.file.lights.items()
        ]
        self._subscriptions_ours += [
            node.create_subscription(Float64, camera.exposure.topic, self._expose(name), LATCHED)
            for name, camera in self._cameras.items()
            if camera.exposure
        ]

    def shot_of(self, sensor: str) -> str:
        """The shot whose light and exposure time these are; DARK: none; empty: it has no shots."""
        if sensor not in self._cameras:
            return ''
        exposure_us = self._exposures_us.get(sensor)
        for name, shot in self._cameras[sensor].shots.items():
            if set(shot.lights) == self._on and shot.exposure_us in (None, exposure_us):
                return name
        return DARK

    def close(self) -> None:
        """Listen no more."""
        for subscription in self._subscriptions_ours:
            self._node.destroy_subscription(subscription)

    def _switch(self, light: str) -> Callable[[Bool], None]:
        return lambda msg: (self._on.add if msg.data else self._on.discard)(light)

    def _expose(self, camera: str) -> Callable[[Float64], None]:
        return lambda msg: self._exposures_us.update({camera: msg.data})
