"""Frames of sensors without hardware are not sent before somebody can get them."""

import threading

import pytest
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Empty

from inspection_cell.cell import load_cell
from inspection_cell.nodes import sensor_outputs
from inspection_cell.nodes.part_source import SensorFrame
from inspection_cell.nodes.qos import SENSOR_RELIABLE
from inspection_cell.nodes.sensor_outputs import SensorOutputs


@pytest.fixture
def world(make_world):
    return make_world()


@pytest.fixture
def outputs(world, files):
    outputs = SensorOutputs(world.probe, load_cell(files.cell))
    yield outputs
    outputs.close()


@pytest.fixture
def shown(outputs, files):
    return outputs.prepare([SensorFrame('scanner', files.scan())])


def test_a_frame_waits_for_its_reader_and_then_reaches_it(world, outputs, shown, monkeypatch):
    monkeypatch.setattr(sensor_outputs, 'MATCH_S', 60.0)
    waiting = threading.Thread(target=outputs.wait_for_readers, args=(shown,))
    waiting.start()
    waiting.join(0.2)
    assert waiting.is_alive()
    clouds = world.hear(PointCloud2, 'scanner/points', SENSOR_RELIABLE)
    world.until(lambda: not waiting.is_alive())
    outputs.show(shown)
    world.publisher(Empty, 'scanner/trigger').publish(Empty())
    world.until(lambda: clouds)


def test_frames_that_nobody_reads_hold_the_robot_up_once(outputs, shown, monkeypatch, capfd):
    monkeypatch.setattr(sensor_outputs, 'MATCH_S', 0.05)
    outputs.wait_for_readers(shown)
    assert 'nobody reads /scanner/points' in capfd.readouterr().err
    monkeypatch.setattr(sensor_outputs, 'MATCH_S', 60.0)
    outputs.wait_for_readers(shown)
    assert 'nobody reads' not in capfd.readouterr().err
