"""The cell in a launch file of somebody else's, by the real launch system."""

import json
import os
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import rclpy
from inspection_cell_msgs.msg import Verdict
from launch_service import LAUNCH
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from ros_processes import processes_of
from waiting import wait_until

from inspection_cell.environment import MALLOC_SETTINGS, PROFILE_VARIABLES
from inspection_cell.nodes.qos import RELIABLE

pytest.importorskip('launch_ros', reason='comes with an installed ROS 2 only')

HERE = Path(__file__).parent


@pytest.fixture
def verdicts(ros_domain):
    """What each cell says, by namespace."""
    rclpy.init()
    node, executor = Node('listener'), SingleThreadedExecutor()
    executor.add_node(node)
    heard = defaultdict(list)
    for name in ('one', 'two'):
        node.create_subscription(Verdict, f'/{name}/verdict', heard[name].append, RELIABLE)
    heard['spin'] = lambda: executor.spin_once(timeout_sec=0.05)
    yield heard
    node.destroy_node()
    rclpy.try_shutdown()


@pytest.fixture
def bringup(tmp_path, scanner_cell, ros_domain):
    """The launch file of this folder, running."""
    environment = (
        {'AMENT_PREFIX_PATH': sys.prefix}
        | os.environ
        | {
            'TEST_FOLDER': str(tmp_path),
            'TEST_SIM_LAUNCH': str(HERE.parents[2] / 'launch' / 'sim.launch.py'),
            'TEST_CELL': str(scanner_cell.cell),
            'TEST_RECIPES': ' '.join(map(str, scanner_cell.recipes)),
        }
    )
    process = subprocess.Popen(
        [sys.executable, '-c', LAUNCH, str(HERE / 'two_cells.launch.py')],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    yield process
    process.send_signal(signal.SIGINT)
    try:
        sys.stdout.write(process.communicate(timeout=30)[0])
    except subprocess.TimeoutExpired:
        process.kill()
    for pid in processes_of(ros_domain):
        os.kill(pid, signal.SIGKILL)


@pytest.mark.timeout(300)
def test_two_cells_in_one_bringup_each_give_their_own_verdicts_and_leave_nothing_behind(
    bringup, verdicts, tmp_path, ros_domain
):
    def complete():
        verdicts['spin']()
        return len(verdicts['one']) == len(verdicts['two']) == 2

    assert wait_until(complete, 200.0)
    for name in ('one', 'two'):
        parts = [verdict.part_id for verdict in verdicts[name]]
        assert parts == ['part_0001', 'part_0002']
        assert all(verdict.inspection_id for verdict in verdicts[name])
    ids = {verdict.inspection_id for name in ('one', 'two') for verdict in verdicts[name]}
    assert len(ids) == 4

    beside = json.loads((tmp_path / 'environment.json').read_text())
    ours = {*MALLOC_SETTINGS, *PROFILE_VARIABLES}
    assert {name for name in ours if name in beside} == {n for n in ours if n in os.environ}

    def first():
        return [pid for pid, words in processes_of(ros_domain).items() if '__ns:=/one' in words]

    running = processes_of(ros_domain)
    assert sum('one_process' in words[1] for words in running.values()) == 1
    assert wait_until(lambda: len(first()) == 5)  # with the simulator; the client ends
    ended = {*first()}
    for pid in ended:
        os.kill(pid, signal.SIGINT)
    assert wait_until(lambda: not ended & {*processes_of(ros_domain)}, 110.0)
    assert bringup.poll() is None  # the bringup outlives our nodes, and so does the other cell
    assert any('__ns:=/two' in words for words in processes_of(ros_domain).values())

    bringup.send_signal(signal.SIGINT)
    output, _ = bringup.communicate(timeout=60)
    assert 'Traceback' not in output
    assert processes_of(ros_domain) == {}
