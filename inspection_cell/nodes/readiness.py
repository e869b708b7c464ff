"""Who must be there before the cell can work, seen in the ROS graph."""

from rclpy.node import Node

from inspection_cell.cell import Camera, Cell, ProcessSensor, Scanner, Trigger
from inspection_cell.nodes.presenting import Presenter
from inspection_cell.nodes.qos import sensor_profile
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
            lacking += self._inspector_of(name, sensor)
            lacking += self._trigger_of(name, sensor.trigger)
        lacking += self._lights()
        watches = self._cell.file.disposition.only_watches
        if not watches and not self._node.count_subscribers('release'):
            lacking.append('no reject side listens for permits')
        return '; '.join([*lacking, *self._holders.missing()])

    def _inspector_of(self, name: str, sensor: Camera | Scanner | ProcessSensor) -> list[str]:
        topic = self._node.resolve_topic_name(sensor.topic)
        readers = self._node.get_subscriptions_info_by_topic(topic)
        if not readers:
            return [f'no inspector listens to {name} on {sensor.topic}']
        # An inspector that was there first listens best-effort until it has seen the offer: a
        # first big frame could get lost.
        wanted = sensor_profile(self._node, sensor.topic, sensor.qos).reliability
        if any(reader.qos_profile.reliability == wanted for reader in readers):
            return []
        return [f'no inspector listens to {name} on {sensor.topic} as its publisher offers yet']

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
