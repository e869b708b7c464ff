"""A bringup that is not ours: two cells, and a process that tells what its environment is."""

import os
import sys

from launch import LaunchDescription
from launch.actions import ExecuteProcess, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

WRITE = 'import json, os, sys; open(sys.argv[1], "w").write(json.dumps(dict(os.environ)))'


def generate_launch_description():
    folder, sim = os.environ['TEST_FOLDER'], os.environ['TEST_SIM_LAUNCH']
    cells = [
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource(sim),
            launch_arguments=[
                ('cell', os.environ['TEST_CELL']),
                ('recipes', os.environ['TEST_RECIPES']),
                ('data_dir', f'{folder}/{name}'),
                ('namespace', name),
                ('parts', '2'),
                ('seed', seed),
                ('one_process', one_process),
            ],
        )
        for name, seed, one_process in (('one', '1', 'false'), ('two', '2', 'true'))
    ]
    beside = ExecuteProcess(cmd=[sys.executable, '-c', WRITE, f'{folder}/environment.json'])
    return LaunchDescription([*cells, beside])
