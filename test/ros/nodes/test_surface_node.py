"""surface_node: clouds in, findings of their views out, whatever the clouds are like."""

import numpy as np
import pytest
from inspection_cell_msgs.msg import Capture, Captured, ViewFindings
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from sensor_msgs.msg import PointCloud2

from inspection_cell.nodes import surface_node
from inspection_cell.nodes.conversions.capturing import CaptureOrder, capture_order_to_msg
from inspection_cell.nodes.conversions.sensor_data import scan_to_msg
from inspection_cell.nodes.qos import SENSOR, SENSOR_RELIABLE, SHOWN
from inspection_cell.nodes.surface_node import SurfaceNode
from inspection_cell.recipe import load_recipe

MS = 1_000_000


class Bench:
    """surface_node with everything around it played by the test."""

    def __init__(self, world, profile=SENSOR_RELIABLE):
        self.world = world
        self.recipe = load_recipe(world.files.recipe)
        self.node = world.start(SurfaceNode())
        self.captured = world.hear(Captured, 'captured')
        self.findings = world.hear(ViewFindings, 'findings')
        self.clouds = world.publisher(PointCloud2, 'scanner/points', profile)
        self.orders = world.publisher(Capture, 'capture')
        world.until(lambda: self.node.count_subscribers('findings'))

    def order(self, inspection_id='i-1', settled_ns=None, recipe_hash=None, sensors=('scanner',)):
        settled_ns = self.world.now_ns() - 10 * MS if settled_ns is None else settled_ns
        pose = self.recipe.file.presentations['top'].pose.transform()
        sha256 = recipe_hash or self.recipe.sha256
        order = CaptureOrder(
            inspection_id, 'p-1', 'plate', sha256, 'top', settled_ns, pose, sensors, 5.0
        )
        self.orders.publish(capture_order_to_msg(order))

    def show(self, scan, stamp_ns=None):
        stamp_ns = self.world.now_ns() if stamp_ns is None else stamp_ns
        self.clouds.publish(scan_to_msg(scan, stamp_ns, 'plates/scanner_optical_frame'))

    def result(self):
        self.world.until(lambda: self.findings and self.captured)
        return self.findings[-1]


@pytest.fixture
def bench(make_world):
    return Bench(make_world())


def test_a_good_plate_is_registered_and_has_no_findings(bench, files):
    bench.order()
    bench.show(files.scan())
    found = bench.result()
    assert (found.status, found.reason) == (ViewFindings.OK, '')
    assert found.presence.status == found.presence.PRESENT
    assert list(found.findings) == []
    assert found.has_part_to_cell_refined
    assert found.seen_count == 8 * len(found.seen) > 0
    assert bench.captured[0].ok
    assert bench.captured[0].stamp == found.stamp
    assert (files.data / found.evidence[0].name).is_file()


def test_a_dent_is_found_where_it_is(bench, files):
    bench.order()
    bench.show(files.scan(dent_mm=0.8))
    (dent,) = bench.result().findings
    position_mm = 1000 * np.array([dent.position.x, dent.position.y, dent.position.z])
    assert np.abs(position_mm - (0, 0, 20)).max() < 3.0
    assert dent.peak_mm == pytest.approx(-0.8, abs=0.15)


def test_a_cloud_from_before_the_robot_settled_is_refused_with_both_times(bench, files):
    settled_ns = bench.world.now_ns()
    bench.order(settled_ns=settled_ns)
    bench.show(files.scan(), settled_ns - 300 * MS)
    found = bench.result()
    assert found.status == ViewFindings.REFUSED
    assert f'{settled_ns / 1e9:.3f}'[:-2] in found.reason
    assert 'exposed before the robot had settled' in found.reason
    assert not bench.captured[0].ok


def test_nothing_arriving_is_a_missing_view_after_the_sensors_deadline(bench):
    bench.order()
    found = bench.result()
    assert found.status == ViewFindings.MISSING
    assert 'none ever came' in found.reason
    assert not bench.captured[0].ok


def test_a_truncated_cloud_is_malformed_and_the_next_one_is_inspected(bench, files):
    bench.order()
    msg = scan_to_msg(files.scan(), bench.world.now_ns())
    msg.data = msg.data[:-5]
    bench.clouds.publish(msg)
    assert bench.result().status == ViewFindings.MALFORMED
    assert 'bytes of data' in bench.findings[0].reason
    bench.findings.clear()
    bench.order('i-2')
    bench.show(files.scan())
    assert bench.result().status == ViewFindings.OK


def test_a_recipe_of_another_content_is_an_error_that_names_both(bench):
    bench.order(recipe_hash='0123456789ab' * 5)
    found = bench.result()
    assert found.status == ViewFindings.ERROR
    assert '0123456789ab' in found.reason
    assert bench.recipe.sha256[:12] in found.reason


def test_orders_for_other_sensors_are_left_to_others(bench, files):
    bench.order('i-other', sensors=('left',))
    bench.order('i-1')
    bench.show(files.scan())
    assert bench.result().inspection_id == 'i-1'
    assert len(bench.captured) == 1


def test_best_effort_sensors_are_heard_too(make_world, files):
    bench = Bench(make_world(), SENSOR)
    bench.order()
    bench.show(files.scan())
    assert bench.result().status == ViewFindings.OK


def test_the_deviation_of_every_point_is_shown_to_whom_looks(bench, files):
    shown = bench.world.hear(PointCloud2, 'scanner/deviation', SHOWN)
    bench.world.until(lambda: bench.world.probe.count_publishers('scanner/deviation'))
    bench.world.until(lambda: bench.node._shown['scanner'].get_subscription_count())
    bench.order()
    bench.show(files.scan(dent_mm=0.8))
    bench.world.until(lambda: shown)
    assert shown[0].header.frame_id == 'part'
    assert [f.name for f in shown[0].fields] == ['x', 'y', 'z', 'deviation', 'rgb']
    rows = np.frombuffer(shown[0].data, np.float32).reshape(-1, 5)
    in_dent = (np.hypot(rows[:, 0], rows[:, 1]) < 0.004) & (rows[:, 2] > 0.015)
    colours = rows.view(np.uint32)[:, 4]
    assert in_dent.any()
    assert (rows[in_dent, 3] < -0.5).all()
    assert (colours[in_dent] & 0xFF > colours[in_dent] >> 16).all()  # blue: too little


def test_no_cloud_is_made_when_nobody_looks(bench, files, monkeypatch):
    made = []
    monkeypatch.setattr(surface_node, 'deviation_to_msg', lambda *given: made.append(given))
    bench.order()
    bench.show(files.scan())
    bench.result()
    bench.world.stop(bench.node)  # the worker finishes what it has begun
    assert made == []


def test_invalid_transitions_are_refused_and_the_node_works_on(bench, files):
    change = bench.world.probe.create_client(ChangeState, 'surface_node/change_state')
    state = bench.world.probe.create_client(GetState, 'surface_node/get_state')
    bench.world.until(change.service_is_ready)

    def call(client, request):
        future = client.call_async(request)
        bench.world.until(future.done)
        return future.result()

    def transition(number):
        return call(change, ChangeState.Request(transition=Transition(id=number))).success

    assert not transition(Transition.TRANSITION_ACTIVATE)
    assert not transition(Transition.TRANSITION_CLEANUP)
    assert not transition(99)
    assert transition(Transition.TRANSITION_DEACTIVATE)
    assert not transition(Transition.TRANSITION_DEACTIVATE)
    assert transition(Transition.TRANSITION_ACTIVATE)
    assert call(state, GetState.Request()).current_state.label == 'active'
    bench.world.until(lambda: bench.orders.get_subscription_count())
    bench.world.until(lambda: bench.clouds.get_subscription_count())
    bench.world.until(lambda: bench.node._findings.get_subscription_count())
    bench.order()
    bench.show(files.scan())
    assert bench.result().status == ViewFindings.OK


def test_a_recipe_that_vanished_leaves_the_node_unconfigured_but_alive(make_world, files):
    world = make_world('autostart:=false')
    node = world.start(SurfaceNode())
    text = files.recipe.read_text()
    files.recipe.unlink()
    assert node.trigger_configure().name == 'FAILURE'
    files.recipe.write_text(text)
    assert node.trigger_configure().name == 'SUCCESS'
