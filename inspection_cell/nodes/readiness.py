"""Who must be there before the cell can work, seen in the ROS graph."""

from rclpy.node import Node

from inspection_cell.cell import Cell
from inspection_cell.nodes.presenting import Presenter


class Readiness:
    """Looks for the robot side, the sensors, their inspectors and the reject side."""

    def __init__(self, node: Node, cell: Cell, presenter: Presenter) -> None:
        """Take what the cell needs."""
        self._node = node
        self._cell = cell
        self._presenter = presenter

    def missing(self) -> str:
        """What is not there, in words; empty when all is."""
        lacking = []
        if not self._presenter.is_ready:
            lacking.append(f'nobody serves the action {self._cell.file.robot.action}')
        for name, sensor in self._cell.sensors.items():
            lacking += self._publisher_of(name, sensor.topic)
            if not self._node.count_subscribers(sensor.topic):
                lacking.append(f'no inspector listens to {name} on {sensor.topic}')
            if sensor.trigger.topic and not self._node.count_subscribers(sensor.trigger.topic):
                lacking.append(f'nobody listens to the trigger {sensor.trigger.topic} of {name}')
        watches = self._cell.file.disposition.only_watches
        if not watches and not self._node.count_subscribers('release'):
            lacking.append('no reject side listens for permits')
        return '; '.join(lacking)

    def _publisher_of(self, name: str, topic: str) -> list[str]:
        if self._node.count_publishers(topic):
            return []
        return [f'nobody publishes {name} on {topic}']
