"""Sensor topics of a cell without hardware: the same messages on the same triggers."""

import time
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.timer import Timer
from sensor_msgs.msg import CameraInfo, CompressedImage

from inspection_cell.cell import Camera, Cell
from inspection_cell.frames import Frames
from inspection_cell.nodes.conversions.poses import camera_info_to_msg, stamp_to_msg
from inspection_cell.nodes.conversions.sensor_data import (
    compressed_to_msg,
    image_to_msg,
    scan_to_msg,
)
from inspection_cell.nodes.conversions.signals import signal_to_msg
from inspection_cell.nodes.light_inputs import DARK, LightInputs
from inspection_cell.nodes.part_source import SensorFrame
from inspection_cell.nodes.qos import SENSOR_RELIABLE
from inspection_cell.nodes.sensor_messages import message_of
from inspection_cell.nodes.trigger_inputs import TriggerInput
from inspection_cell.observations import Image, Scan

FREE_RUNNING_PERIOD_S = 0.2
MATCH_S = 1.0  # a reader that others know of is known to us long before
POLL_S = 0.005

Outgoing = tuple[tuple[Publisher, Any], ...]  # messages that one exposure sends, in order
Shown = dict[tuple[str, str], Outgoing]  # by sensor and shot


class SensorOutputs:
    """Publishes prepared frames when their sensor is triggered, or steadily if free-running.

    A frame that is sent carries the time of sending as the begin of its exposure.
    """

    def __init__(self, node: Node, cell: Cell) -> None:
        """Create publishers and triggers for every sensor of the cell."""
        self._node = node
        self._scanners = cell.scanners
        self._frames = Frames.of(node.get_namespace(), cell)
        self._outgoing: Shown = {}
        self._unread: set[str] = set()
        self._lights = LightInputs(node, cell)
        self._data: dict[str, Publisher] = {}
        self._info: dict[str, Publisher] = {}
        self._timer: Timer | None = None
        self._triggers: list[TriggerInput] = []
        self._kinds: dict[str, type[Any]] = {}
        free_running = []
        for name, sensor in cell.sensors.items():
            kind = self._kinds[name] = message_of(sensor)
            self._data[name] = node.create_publisher(kind, sensor.topic, SENSOR_RELIABLE)
            if isinstance(sensor, Camera) and sensor.camera_info_topic:
                topic = sensor.camera_info_topic
                self._info[name] = node.create_publisher(CameraInfo, topic, SENSOR_RELIABLE)
            if sensor.trigger.kind == 'free_running':
                free_running.append(name)
            else:
                expose = partial(self.expose, name)
                self._triggers.append(TriggerInput(node, sensor.trigger, expose))
        if free_running:
            expose_all = partial(self._expose_each, tuple(free_running))
            self._timer = node.create_timer(FREE_RUNNING_PERIOD_S, expose_all)

    def close(self) -> None:
        """Take the topics back."""
        for publisher in (*self._data.values(), *self._info.values()):
            self._node.destroy_publisher(publisher)
        for trigger in self._triggers:
            trigger.close()
        self._lights.close()
        if self._timer is not None:
            self._node.destroy_timer(self._timer)

    def prepare(self, frames: Iterable[SensorFrame]) -> Shown:
        """The messages of all frames; slow for big data, so not for the executor.

        A camera with a lighting sequence sees nothing but darkness in any other light.
        """
        shown: Shown = {}
        for frame in frames:
            shown[frame.sensor, frame.shot] = self._prepared(frame)
            if frame.shot and isinstance(frame.data, Image):
                black = replace(frame, data=frame.data.darkened())
                shown.setdefault((frame.sensor, DARK), self._prepared(black))
        return shown

    def _prepared(self, frame: SensorFrame) -> Outgoing:
        frame_id = self._frames.optical(frame.sensor)
        messages: list[tuple[Publisher, Any]] = []
        if frame.sensor in self._info and frame.intrinsics is not None:
            info = camera_info_to_msg(frame.intrinsics, frame_id=frame_id)
            messages.append((self._info[frame.sensor], info))
        if isinstance(frame.data, Image):
            is_compressed = self._kinds[frame.sensor] is CompressedImage
            to_msg = compressed_to_msg if is_compressed else image_to_msg
            data: Any = to_msg(frame.data, frame_id=frame_id)
        elif isinstance(frame.data, Scan):
            axes = self._scanners[frame.sensor].axes
            data = scan_to_msg(frame.data, frame_id=frame_id, axes=axes)
        else:
            data = signal_to_msg(frame.data, frame_id=frame_id)
        return (*messages, (self._data[frame.sensor], data))

    def wait_for_readers(self, shown: Shown) -> None:
        """Wait until each frame has a reader, but for none twice in vain; not for the executor.

        What is sent before DDS has matched a reader never reaches it, and the cell may know of
        both sides before they know of each other.
        """
        until_s = time.monotonic() + MATCH_S
        for name in {sensor for sensor, _ in shown}:
            publisher = self._data[name]
            while not (is_read := publisher.get_subscription_count()) and name not in self._unread:
                if time.monotonic() > until_s:
                    self._node.get_logger().warning(f'nobody reads {publisher.topic_name}')
                    self._unread.add(name)
                time.sleep(POLL_S)
            if is_read:
                self._unread.discard(name)

    def show(self, outgoing: Shown) -> None:
        """From now on the sensors see this; nothing while the robot moves."""
        self._outgoing = outgoing

    def expose(self, sensor: str) -> bool:
        """Send what the sensor sees now; False when that is nothing."""
        outgoing = self._outgoing.get((sensor, self._lights.shot_of(sensor)))
        if outgoing is None:
            self._node.get_logger().warning(f'{sensor} was triggered and sees no part')
            return False
        stamp = stamp_to_msg(self._node.get_clock().now().nanoseconds)
        for publisher, message in outgoing:
            message.header.stamp = stamp
            publisher.publish(message)
        return True

    def _expose_each(self, sensors: tuple[str, ...]) -> None:
        for sensor in sensors:
            if (sensor, self._lights.shot_of(sensor)) in self._outgoing:
                self.expose(sensor)
