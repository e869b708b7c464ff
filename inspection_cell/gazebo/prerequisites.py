"""Whether Gazebo and its bridge are there, and what to type if not."""

import os
from collections.abc import Mapping
from pathlib import Path

from inspection_cell.errors import DataError

PACKAGES = ('ros_gz_sim', 'ros_gz_bridge', 'ros_gz_interfaces')
INDEX = Path('share', 'ament_index', 'resource_index', 'packages')


def require_gazebo(environ: Mapping[str, str]) -> None:
    """Raise DataError, with how to install them, when packages are missing."""
    prefixes = [Path(one) for one in environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if one]
    missing = [
        package
        for package in PACKAGES
        if not any((prefix / INDEX / package).is_file() for prefix in prefixes)
    ]
    if missing:
        raise DataError(
            f'Gazebo is not installed here: {", ".join(missing)} missing. With ROS 2 Jazzy it is '
            'Gazebo Harmonic: sudo apt install ros-jazzy-ros-gz, then source '
            '/opt/ros/jazzy/setup.bash. The built-in simulator needs nothing more: '
            'ros2 launch inspection_cell sim.launch.py'
        )
