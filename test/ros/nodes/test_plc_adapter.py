"""A robot that knows sockets only leads the real cell through the shipped adapter."""

import importlib.util
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
from inspection_cell_msgs.msg import CellState, Disposition
from rclpy.parameter import Parameter
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Empty

from inspection_cell.nodes.cell_node import CellNode
from inspection_cell.nodes.conversions.sensor_data import scan_to_msg
from inspection_cell.nodes.program_node import ProgramNode
from inspection_cell.nodes.qos import LATCHED, SENSOR_RELIABLE
from inspection_cell.nodes.reject_node import RejectNode
from inspection_cell.nodes.surface_node import SurfaceNode

EXAMPLES = Path(__file__).parents[3] / 'docs' / 'examples'
ANYWHERE = 0


def example(name):
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Robot:
    """A program on the other side of a socket; the world is spun while it waits."""

    def __init__(self, world, port):
        self._world = world
        self._socket = socket.create_connection(('127.0.0.1', port), timeout=30)
        self._lines = self._socket.makefile('r')

    def say(self, line):
        """The numbers of the answer."""
        self._socket.sendall(f'{line}\n'.encode())
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self._lines.readline()))
        thread.start()
        self._world.until(lambda: answers)
        thread.join()
        return [float(number) for number in answers[0].strip('()\n').split(',')]

    def hang_up(self):
        self._lines.close()
        self._socket.close()


@pytest.fixture
def robot(make_world, files):
    """Makes the robot, with a plate in its gripper, and the whole cell."""
    made = []

    def make(dent_mm=0.0, timeout_s=10):
        files.edit('robot: {timeout_s: 10}', f'robot: {{led_by: program, timeout_s: {timeout_s}}}')
        world, scan = make_world(), files.scan(dent_mm)
        for kind in (SurfaceNode, RejectNode, ProgramNode, CellNode):
            world.start(kind())
        clouds = world.probe.create_publisher(PointCloud2, 'scanner/points', SENSOR_RELIABLE)

        def show(_):
            clouds.publish(scan_to_msg(scan, world.now_ns()))

        world.probe.create_subscription(Empty, 'scanner/trigger', show, 5)
        adapter = example('plc_adapter').PlcAdapter(
            parameter_overrides=[Parameter('port', value=ANYWHERE)]
        )
        world.executor.add_node(adapter)
        states = world.hear(CellState, 'cell_state', LATCHED)
        world.until(lambda: states and states[-1].state == CellState.READY)
        dispositions = world.hear(Disposition, 'disposition')
        program = Robot(world, adapter.port)
        program.dispositions = dispositions
        made.append((world, adapter, program))
        return program

    yield make
    for world, adapter, program in made:
        program.hang_up()
        world.executor.remove_node(adapter)
        adapter.destroy_node()


def test_a_good_part_is_shown_finished_and_placed(robot):
    program = robot()
    code, *pose = program.say('begin p-1 plate')
    assert code == 1
    np.testing.assert_allclose(pose, [0, 0, 0.2, 0, 0, 0], atol=1e-9)
    assert program.say('capture')[0] == 2
    assert program.say('finish') == [1, 1]
    assert program.say('placed 1') == [1]
    program._world.until(lambda: program.dispositions)
    assert program.dispositions[0].confirmed


def test_a_bad_part_goes_to_scrap_and_elsewhere_is_told(robot):
    program = robot(dent_mm=1.0)
    program.say('begin p-1 plate')
    program.say('capture')
    assert program.say('finish') == [2, 0]
    assert program.say('placed 1') == [0]


@pytest.mark.parametrize(
    'line', ['begin', 'begin p-1 gear', 'capture', 'placed 9', 'placed x', 'dance', '']
)
def test_what_is_wrong_is_refused_and_the_connection_lives_on(robot, line):
    program = robot()
    assert program.say(line)[0] == 0
    assert program.say('finish') == [3, 0]  # whatever it holds: into the review bin
    assert program.say('begin p-2 plate')[0] == 1


def test_a_late_robot_is_told_and_its_part_goes_to_review(robot):
    program = robot(timeout_s=1)
    program.say('begin p-1 plate')
    program._world.until(lambda: program.dispositions)
    assert program.say('capture')[0] == 0
    assert program.say('finish') == [3, 0]
