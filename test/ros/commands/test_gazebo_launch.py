"""gazebo.launch.py on a machine without Gazebo, by the real launch system."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from inspection_cell.errors import DataError
from inspection_cell.gazebo.prerequisites import require_gazebo

pytest.importorskip('launch_ros', reason='comes with an installed ROS 2 only')

LAUNCH_FILE = Path(__file__).parents[3] / 'launch' / 'gazebo.launch.py'
LAUNCH = """
import sys
from launch import LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
service = LaunchService()
service.include_launch_description(
    IncludeLaunchDescription(PythonLaunchDescriptionSource(sys.argv[1]))
)
sys.exit(service.run())
"""


def test_without_gazebo_the_launch_says_what_to_install_and_fails(tmp_path):
    environment = {**os.environ, 'AMENT_PREFIX_PATH': sys.prefix, 'ROS_LOG_DIR': str(tmp_path)}
    try:
        require_gazebo(environment)
    except DataError as error:
        expected = str(error)
    else:
        pytest.skip('Gazebo is installed here')
    done = subprocess.run(
        [sys.executable, '-c', LAUNCH, str(LAUNCH_FILE)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.count(expected) == 1
    assert 'apt install ros-jazzy-ros-gz' in expected
    assert 'Traceback' not in done.stdout
    assert not any(word in done.stdout for word in ('process started', 'died'))
