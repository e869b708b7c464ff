"""Who must be there before the cell can work, seen in the ROS graph."""

from rclpy.node import Node

from inspection_cell.cell import Cell, Trigger
from inspection_cell.nodes.presenting import Presenter
from inspection_cell.nodes.recipe_holders import RecipeHolders


class Readiness:
    """Looks for the robot side, the sensors, their inspectors and the reject side."""

    def __init__(
        self, node: Node, cell: Cell, presenter: Presenter, holders: RecipeHolders
    ) -> None:
        """Take what the cell needs."""
        self._node = node
        self._cell = cell
        self._presenter = presenter
        self._holders = holders

    def missing(self) -> str:
        """What is not there, in words; empty when all is."""
        lacking = []
        if not self._presenter.is_ready:
            lacking.append(f'nobody serves the action {self._cell.file.robot.action}')
        for name, sensor in self._cell.sensors.items():
            lacking += self._publisher_of(name, sensor.topic)
            if not self._node.count_subscribers(sensor.topic):
                lacking.append(f'no inspector listens to {name} on {sensor.topic}')
            lacking += self._trigger_of(name, sensor.trigger)
        lacking += self._lights()
        watches = self._cell.file.disposition.only_watches
        if not watches and not self._node.count_subscribers('release'):
            lacking.append('no reject side listens for permits')
        return '; '.join([*lacking, *self._holders.missing()])

    def _lights(self) -> list[str]:
        lights = self._cell.file.lights
        topics = {f'the light {name}': light.topic for name, light in lights.items()}
        for name, camera in self._cell.cameras.items():
            if camera.exposure:
                topics[f'the exposure of {name}'] = camera.exposure.topic
        return [
            f'nobody listens to {name} on {topic}'
            for name, topic in topics.items()
            if not self._node.count_subscribers(topic)
        ]

    def _trigger_of(self, name: str, trigger: Trigger) -> list[str]:
        if trigger.topic and not self._node.count_subscribers(trigger.topic):
            return [f'nobody listens to the trigger {trigger.topic} of {name}']
        if trigger.service and not self._node.count_services(trigger.service):
            return [f'nobody serves the trigger {trigger.service} of {name}']
        return []

    def _publisher_of(self, name: str, topic: str) -> list[str]:
        if self._node.count_publishers(topic):
            return []
        return [f'nobody publishes {name} on {topic}']
