"""The topics that people look at: which there are in a cell, and what they carry."""

from dataclasses import dataclass

from inspection_cell.cell import Cell

MARKERS = 'markers'
MARKER_ARRAY = 'visualization_msgs/msg/MarkerArray'
IMAGE = 'sensor_msgs/msg/Image'
CLOUD = 'sensor_msgs/msg/PointCloud2'


@dataclass(frozen=True, slots=True)
class ShownTopic:
    """A topic for people.

    Attributes:
        name: relative to the cell's namespace.
        message: its type, as ROS names it.
        latched: reliable, and whoever comes later gets the last message; else best effort.
        label: of what it shows, for the list of a viewer.
    """

    name: str
    message: str
    latched: bool
    label: str


def annotated_topic(camera: str) -> str:
    """Images of a camera with what was found in them."""
    return f'{camera}/annotated'


def deviation_topic(scanner: str) -> str:
    """Clouds of a scanner in the part frame, coloured by their deviation."""
    return f'{scanner}/deviation'


def shown_topics(cell: Cell) -> tuple[ShownTopic, ...]:
    """What the nodes of a cell show."""
    pictures = [
        ShownTopic(annotated_topic(name), IMAGE, False, f'{name}, annotated')
        for name in cell.cameras
    ]
    clouds = [
        ShownTopic(deviation_topic(name), CLOUD, False, f'{name}, deviation')
        for name in cell.scanners
    ]
    return (ShownTopic(MARKERS, MARKER_ARRAY, True, 'verdict on the part'), *clouds, *pictures)
