"""Which message a sensor publishes."""

from typing import Any

from inspection_cell_msgs.msg import ProcessSignal
from sensor_msgs.msg import CompressedImage, PointCloud2
from sensor_msgs.msg import Image as ImageMsg

from inspection_cell.cell import Camera, ProcessSensor, Scanner


def message_of(sensor: Camera | Scanner | ProcessSensor) -> type[Any]:
    """Raw or compressed images, clouds, signals."""
    kind: type[Any] = PointCloud2
    if isinstance(sensor, Camera):
        kind = CompressedImage if sensor.transport == 'compressed' else ImageMsg
    elif isinstance(sensor, ProcessSensor):
        kind = ProcessSignal
    return kind
