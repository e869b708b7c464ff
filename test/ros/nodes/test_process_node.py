"""process_node: recordings in, findings of their views out; replay brings stored recordings."""

import numpy as np
import pytest
from inspection_cell_msgs.action import PresentPart
from inspection_cell_msgs.msg import Capture, Captured, ProcessSignal, ViewFindings
from rclpy.action import ActionClient
from std_msgs.msg import Empty

from inspection_cell.errors import DataError
from inspection_cell.nodes.conversions.capturing import CaptureOrder, capture_order_to_msg
from inspection_cell.nodes.conversions.findings import view_findings_from_msg
from inspection_cell.nodes.conversions.poses import stamp_from_msg
from inspection_cell.nodes.conversions.signals import signal_from_msg, signal_to_msg
from inspection_cell.nodes.process_node import ProcessNode
from inspection_cell.nodes.qos import SENSOR_RELIABLE
from inspection_cell.nodes.replay_node import ReplayNode, ReplayParams
from inspection_cell.observations import Signal
from inspection_cell.recipe import load_recipe
from inspection_cell.signal_files import signal_csv

MS = 1_000_000
PRESS = Signal(np.linspace(0, 50, 1000, dtype=np.float32), 1000.0, 'N')
TOO_HARD = Signal(np.linspace(0, 70, 1000, dtype=np.float32), 1000.0, 'N')


@pytest.fixture
def pressing(files):
    """The cell with a force sensor beside its scanner, and one stored part."""
    force = '  force: {kind: process, topic: force, unit: N, deadline_s: 2, trigger: TRIGGER}\n'
    trigger = '{kind: software, topic: force/trigger}'
    files.edit('robot: {', force.replace('TRIGGER', trigger) + 'robot: {')
    limits = 'limits: [{measure: peak, high: 60}]'
    process = f'process: {{force: {{unit: N, min_duration_s: 1, {limits}}}}}\n'
    text = files.recipe.read_text().replace('[scanner]', '[scanner, force]')
    files.recipe.write_text(text + process)
    top = files.cell.parent / 'parts/p-1/top'
    top.mkdir(parents=True)
    (top.parent / 'part.yaml').write_text('part_type: plate\nunits: m\n')
    (top / 'force.csv').write_bytes(signal_csv(TOO_HARD))
    return files


class Bench:
    """process_node with the cell played by the test."""

    def __init__(self, world):
        self.world = world
        self.recipe = load_recipe(world.files.recipe)
        self.node = world.start(ProcessNode())
        self.captured = world.hear(Captured, 'captured')
        self.findings = world.hear(ViewFindings, 'findings')
        self.orders = world.publisher(Capture, 'capture')
        world.until(lambda: self.node.count_subscribers('findings'))

    def order(self, settled_ns=None):
        settled_ns = self.world.now_ns() - 10 * MS if settled_ns is None else settled_ns
        pose = self.recipe.file.presentations['top'].pose.transform()
        sensors = ('scanner', 'force')
        order = CaptureOrder(
            'i-1', 'p-1', 'plate', self.recipe.sha256, 'top', settled_ns, pose, sensors, 5.0
        )
        self.orders.publish(capture_order_to_msg(order))

    def result(self):
        self.world.until(lambda: self.findings and self.captured)
        return view_findings_from_msg(self.findings[-1])


@pytest.fixture
def bench(make_world, pressing):
    return Bench(make_world())


def test_a_signal_comes_through_its_message_unchanged():
    msg = signal_to_msg(PRESS, 5, 'force')
    read = signal_from_msg(msg)
    assert read.values.tobytes() == PRESS.values.tobytes()
    assert (read.rate_hz, read.unit) == (PRESS.rate_hz, PRESS.unit)
    assert (stamp_from_msg(msg.header.stamp), msg.header.frame_id) == (5, 'force')
    msg.rate_hz = 0.0
    with pytest.raises(DataError, match='rate above 0'):
        signal_from_msg(msg)


@pytest.mark.parametrize(('signal', 'labels'), [(PRESS, []), (TOO_HARD, ['process_peak'])])
def test_a_recording_after_settling_is_judged(bench, pressing, signal, labels):
    signals = bench.world.publisher(ProcessSignal, 'force', SENSOR_RELIABLE)
    bench.order()
    signals.publish(signal_to_msg(signal, bench.world.now_ns()))
    found = bench.result()
    assert (found.status.name, found.reason) == ('OK', '')
    assert [finding.label for finding in found.findings] == labels
    assert bench.captured[0].ok
    assert (pressing.data / found.evidence[0].name).is_file()


def test_a_recording_that_began_before_the_robot_settled_is_refused(bench):
    signals = bench.world.publisher(ProcessSignal, 'force', SENSOR_RELIABLE)
    settled_ns = bench.world.now_ns()
    bench.order(settled_ns)
    signals.publish(signal_to_msg(PRESS, settled_ns - 300 * MS))
    assert bench.result().status.name == 'REFUSED'


def test_a_recording_with_a_hole_is_malformed(bench):
    signals = bench.world.publisher(ProcessSignal, 'force', SENSOR_RELIABLE)
    msg = signal_to_msg(PRESS, bench.world.now_ns())
    msg.values[3] = float('nan')
    bench.order()
    signals.publish(msg)
    found = bench.result()
    assert found.status.name == 'MALFORMED'
    assert 'sample 3' in found.reason


def test_a_stored_recording_is_replayed_to_findings(make_world, pressing):
    bench = Bench(make_world(f'data:={pressing.cell.parent / "parts"}'))
    world = bench.world
    world.start(ReplayNode('replay_node', ReplayParams))
    client = ActionClient(world.probe, PresentPart, 'present_part')
    world.until(client.server_is_ready)
    goal = PresentPart.Goal(part_id='p-1', part_type='plate', presentation='top')
    sent = client.send_goal_async(goal)
    world.until(sent.done)
    result = sent.result().get_result_async()
    world.until(result.done)
    trigger = world.publisher(Empty, 'force/trigger')
    world.until(lambda: bench.node.count_publishers('force'))
    bench.order(stamp_from_msg(result.result().result.settled))
    trigger.publish(Empty())
    assert [finding.label for finding in bench.result().findings] == ['process_peak']
