"""The configuration of `ros_gz_bridge`: one entry per topic of the cell, and the service."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import yaml

from inspection_cell.cell import Camera, CellFile, Scanner
from inspection_cell.gazebo.names import Names

SET_POSE_TYPE = 'ros_gz_interfaces/srv/SetEntityPose'
QUEUE = 10


class Direction(StrEnum):
    """Which way messages go."""

    FROM_GAZEBO = 'GZ_TO_ROS'
    TO_GAZEBO = 'ROS_TO_GZ'


@dataclass(frozen=True, slots=True)
class BridgedTopic:
    """One topic on both sides of the bridge."""

    ros_topic: str
    gz_topic: str
    ros_type: str
    gz_type: str
    direction: Direction


def bridged_topics(names: Names, file: CellFile) -> tuple[BridgedTopic, ...]:
    """All topics that the cell needs from Gazebo, and that Gazebo needs from the cell."""
    clock = BridgedTopic(
        '/clock', names.clock, 'rosgraph_msgs/msg/Clock', 'gz.msgs.Clock', Direction.FROM_GAZEBO
    )
    return (clock, *_sensor_topics(names, file))


def bridge_text(names: Names, file: CellFile) -> str:
    """The YAML file; it needs ros_gz 1.0.17 or later, which reads services from it too."""
    entries: list[dict[str, object]] = [
        {
            'ros_topic_name': one.ros_topic,
            'gz_topic_name': one.gz_topic,
            'ros_type_name': one.ros_type,
            'gz_type_name': one.gz_type,
            'direction': one.direction.value,
            'subscriber_queue': QUEUE,
            'publisher_queue': QUEUE,
            'lazy': False,
        }
        for one in bridged_topics(names, file)
    ]
    service = {
        'service_name': names.set_pose,
        'ros_type_name': SET_POSE_TYPE,
        'gz_req_type_name': 'gz.msgs.Pose',
        'gz_rep_type_name': 'gz.msgs.Boolean',
    }
    return yaml.safe_dump([*entries, service], sort_keys=False)


def _sensor_topics(names: Names, file: CellFile) -> Iterable[BridgedTopic]:
    for name, sensor in file.sensors.items():
        kinds = 'sensor_msgs/msg/PointCloud2', 'gz.msgs.PointCloudPacked'
        if isinstance(sensor, Camera):
            kinds = 'sensor_msgs/msg/Image', 'gz.msgs.Image'
        elif not isinstance(sensor, Scanner):
            continue
        yield BridgedTopic(
            names.ros(sensor.topic), names.data(name, sensor), *kinds, Direction.FROM_GAZEBO
        )
        yield BridgedTopic(
            names.ros(sensor.trigger.topic),
            names.trigger(name),
            'std_msgs/msg/Bool',
            'gz.msgs.Boolean',
            Direction.TO_GAZEBO,
        )
