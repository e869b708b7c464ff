"""A node that is killed comes back on its own; until then the cell is not ready."""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import rclpy
import yaml
from inspection_cell_msgs.action import InspectPart
from inspection_cell_msgs.msg import CellState, Decision, Disposition
from launch_service import LAUNCH
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from ros_processes import processes_of
from waiting import wait_until

from inspection_cell.bringup import Simulated, load_recipes, source_node
from inspection_cell.cell import load_cell
from inspection_cell.nodes.qos import LATCHED, RELIABLE
from inspection_cell.processes import NodeProcesses

SIM_LAUNCH = Path(__file__).parents[3] / 'launch' / 'sim.launch.py'


class Client:
    """Sends parts to the cell and hears its state."""

    def __init__(self, namespace):
        self.node = rclpy.create_node('client', namespace=namespace)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.states, self.disposed = [], {}
        self.node.create_subscription(CellState, 'cell_state', self.states.append, LATCHED)
        self.node.create_subscription(Disposition, 'disposition', self.on_disposition, RELIABLE)
        self.goals = ActionClient(self.node, InspectPart, 'inspect_part')

    def on_disposition(self, msg):
        self.disposed[msg.inspection_id] = msg

    def until(self, condition, timeout_s=150.0):
        def spun():
            self.executor.spin_once(timeout_sec=0.05)
            return condition()

        assert wait_until(spun, timeout_s), self.states[-1:]

    def until_ready(self):
        ready = (CellState.READY, CellState.INSPECTING)
        self.until(lambda: self.states and self.states[-1].state in ready)

    def inspect(self, part_id, part_type):
        """The decision on a part and the bin in which it was put."""
        goal = InspectPart.Goal(part_id=part_id, part_type=part_type)
        sent = self.goals.send_goal_async(goal)
        self.until(sent.done)
        result = sent.result().get_result_async()
        self.until(result.done)
        verdict = result.result().result.verdict
        self.until(lambda: verdict.inspection_id in self.disposed)
        return verdict.decision.value, self.disposed[verdict.inspection_id].bin


@pytest.fixture
def mesh(scanner_cell, tmp_path):
    """The reference mesh of the first recipe; without it no node can begin to work."""
    recipe = scanner_cell.recipes[0]
    content = yaml.safe_load(recipe.read_text())
    own = shutil.copy(content['reference']['mesh'], tmp_path / 'mesh.ply')
    content['reference']['mesh'] = str(own)
    recipe.write_text(yaml.safe_dump(content, sort_keys=False))
    return own


@pytest.fixture
def scanner_cell(scanner_cell):
    return replace(scanner_cell, recipes=scanner_cell.recipes[:1])


@pytest.fixture
def client(ros, scanner_cell):
    return Client(load_cell(scanner_cell.cell).file.name)


@pytest.fixture
def run(command, scanner_cell, ros_domain):
    """The cell by our command, with a simulator beside it; both end with the test."""
    cell = load_cell(scanner_cell.cell)
    recipes = load_recipes(cell, scanner_cell.recipes)
    with NodeProcesses(os.environ, scanner_cell.data_dir / 'logs') as processes:
        processes.start(source_node(cell, recipes, Simulated(1, 4)))
        yield command('run', *scanner_cell.options, '--respawn')


@pytest.fixture
def launch(scanner_cell, ros_domain):
    """The cell with its simulator by the real launch system."""
    pytest.importorskip('launch_ros', reason='comes with an installed ROS 2 only')
    words = [
        f'cell:={scanner_cell.cell}',
        f'recipes:={scanner_cell.recipes[0]}',
        f'data_dir:={scanner_cell.data_dir}',
        *('respawn:=true', 'client:=false', 'parts:=4', 'seed:=1'),
    ]
    process = subprocess.Popen(
        [sys.executable, '-c', LAUNCH, str(SIM_LAUNCH), *words],
        env={'AMENT_PREFIX_PATH': sys.prefix} | os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    yield process
    if process.poll() is None:
        process.kill()
    for pid in processes_of(ros_domain):
        os.kill(pid, signal.SIGKILL)


def pid_of(name, domain):
    found = (pid for pid, words in processes_of(domain).items() if f'__node:={name}' in words)
    return next(found)


@pytest.mark.timeout(400)
@pytest.mark.parametrize('deadline_s', [3.0])
@pytest.mark.parametrize('way', ['run', 'launch'])
def test_a_killed_node_comes_back_and_parts_are_diverted_until_it_has(
    way, mesh, request, ros_domain, client
):
    cell = request.getfixturevalue(way)
    client.until_ready()
    known = pid_of('surface_node', ros_domain)
    away = mesh.rename(mesh.with_suffix('.away'))  # so that it does not come back too early
    os.kill(known, signal.SIGKILL)
    client.until(lambda: client.states[-1].state == CellState.FAULT)
    assert client.inspect('part_0001', 'bracket') == (Decision.UNKNOWN, 'review')
    assert 'surface_node' in client.states[-1].reason
    away.rename(mesh)
    client.until_ready()
    assert pid_of('surface_node', ros_domain) != known
    decision, _ = client.inspect('part_0002', 'bracket')
    assert decision != Decision.UNKNOWN
    cell.send_signal(signal.SIGINT)
    _, stderr = cell.communicate(timeout=60)
    if way == 'run':
        assert 'surface_node ended with signal 9' in stderr
        assert 'it starts again in 2 s' in stderr
        assert cell.returncode == 0
