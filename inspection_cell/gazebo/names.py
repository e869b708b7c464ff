"""What things are called in ROS, in Gazebo, and on the bridge between them."""

from dataclasses import dataclass
from typing import Self

from inspection_cell.cell import Cell, Scanner

PART_LINK = 'body'


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one cell's world; a namespace of its own keeps two worlds apart."""

    world: str
    namespace: str

    @classmethod
    def of(cls, cell: Cell, namespace: str = '') -> Self:
        """The names of a cell in a namespace; empty: the cell's name."""
        return cls(cell.file.name, namespace.strip('/') or cell.file.name)

    def ros(self, topic: str) -> str:
        """A topic of `cell.yaml` in full."""
        return topic if topic.startswith('/') else f'/{self.namespace}/{topic}'

    def sensor(self, name: str) -> str:
        """Gazebo's topic of a camera's images, and what begins those of a scanner."""
        return f'/{self.namespace}/{name}'

    def data(self, name: str, sensor: object) -> str:
        """Gazebo's topic of what the cell takes from a sensor: images, or clouds."""
        plain = self.sensor(name)
        return f'{plain}/points' if isinstance(sensor, Scanner) else plain

    def trigger(self, name: str) -> str:
        """Gazebo's topic on which a sensor is triggered."""
        return f'{self.sensor(name)}/trigger'

    @property
    def clock(self) -> str:
        """Gazebo's topic of the world's time."""
        return f'/world/{self.world}/clock'

    @property
    def set_pose(self) -> str:
        """The service that moves a model, of the same name on both sides."""
        return f'/world/{self.world}/set_pose'
