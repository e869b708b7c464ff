"""surface_node with scans that are judged together: when they are, and who is not waited for."""

import pytest
from inspection_cell_msgs.msg import Capture, ViewFindings
from inspection_cell_msgs.msg import Verdict as VerdictMsg
from sensor_msgs.msg import PointCloud2

from inspection_cell.nodes.conversions.capturing import CaptureOrder, capture_order_to_msg
from inspection_cell.nodes.conversions.findings import view_findings_from_msg
from inspection_cell.nodes.conversions.sensor_data import scan_to_msg
from inspection_cell.nodes.qos import SENSOR_RELIABLE, SHOWN
from inspection_cell.nodes.surface_node import SurfaceNode
from inspection_cell.recipe import load_recipe

MS = 1_000_000
JOINT = 'top+again'


class Bench:
    """surface_node, and a part that is scanned in two presentations."""

    def __init__(self, world):
        self.world = world
        self.recipe = load_recipe(world.files.recipe)
        self.node = world.start(SurfaceNode())
        self.findings = world.hear(ViewFindings, 'findings')
        self.clouds = world.publisher(PointCloud2, 'scanner/points', SENSOR_RELIABLE)
        self.orders = world.publisher(Capture, 'capture')
        self.verdicts = world.publisher(VerdictMsg, 'verdict')
        world.until(lambda: self.node.count_subscribers('findings'))

    def order(self, presentation, inspection_id='i-1'):
        pose = self.recipe.file.presentations[presentation].pose.transform()
        settled_ns = self.world.now_ns() - 10 * MS
        given = ('plate', self.recipe.sha256, presentation, settled_ns, pose, ('scanner',), 5.0)
        self.orders.publish(capture_order_to_msg(CaptureOrder(inspection_id, 'p-1', *given)))

    def scan(self, presentation, scan, inspection_id='i-1'):
        """Order a view, show a scan, and wait for what the view says."""
        self.order(presentation, inspection_id)
        self.clouds.publish(scan_to_msg(scan, self.world.now_ns()))
        return self.said(presentation, inspection_id)

    def said(self, presentation, inspection_id='i-1'):
        def own():
            return [
                msg
                for msg in self.findings
                if (msg.presentation, msg.inspection_id) == (presentation, inspection_id)
            ]

        self.world.until(own)
        return view_findings_from_msg(own()[0])


@pytest.fixture
def held_twice(files):
    files.hold_twice()
    return files


@pytest.fixture
def bench(make_world, held_twice):
    return Bench(make_world())


def test_each_scan_says_at_once_where_the_part_is_and_both_say_what_it_is_like(bench, files):
    dented = files.scan(dent_mm=0.8)
    first = bench.scan('top', dented)
    assert first.is_evidence
    assert first.transform_part_to_cell_refined is not None
    assert (first.findings, first.seen) == ((), None)
    assert len(bench.findings) == 1  # the other scan is awaited
    second = bench.scan('again', dented)
    joint = bench.said(JOINT)
    assert second.findings == ()
    assert joint.is_evidence
    (dent,) = joint.findings
    assert dent.peak_mm == pytest.approx(-0.8, abs=0.15)
    assert joint.seen.any()
    assert [file.kind for file in joint.evidence] == ['deviation']
    assert (files.data / joint.evidence[0].name).is_file()


def test_the_order_in_which_scans_come_does_not_matter(bench, files):
    scans = {'top': files.scan(dent_mm=0.8), 'again': files.scan()}
    joint = []
    for inspection_id, names in (('i-1', ('top', 'again')), ('i-2', ('again', 'top'))):
        for name in names:
            bench.scan(name, scans[name], inspection_id)
        joint.append(bench.said(JOINT, inspection_id))
    assert [f.value for f in joint[0].findings] == [f.value for f in joint[1].findings]
    assert (joint[0].seen == joint[1].seen).all()
    assert joint[0].presence == joint[1].presence


def test_a_scan_that_does_not_come_is_told_and_the_other_is_judged(bench, files):
    bench.scan('top', files.scan(dent_mm=0.8))
    bench.order('again')
    missing, joint = bench.said('again'), bench.said(JOINT)
    assert missing.status.name == 'MISSING'
    assert len(joint.findings) == 1
    assert 'without scanner at again (MISSING)' in joint.presence.evidence


def test_without_any_scan_the_joint_view_is_missing(bench):
    bench.order('top')
    bench.said('top')
    bench.order('again')
    joint = bench.said(JOINT)
    assert joint.status.name == 'MISSING'
    assert 'no scan' in joint.reason


def test_scans_of_a_part_that_has_its_verdict_are_let_go(bench, files):
    """An aborted inspection gets its verdict too."""
    bench.scan('top', files.scan())
    assert bench.node._together.waiting == 1
    bench.verdicts.publish(VerdictMsg(inspection_id='i-1'))
    bench.world.until(lambda: bench.node._together.waiting == 0)
    bench.scan('again', files.scan())  # comes too late
    assert bench.node._together.waiting == 0
    assert JOINT not in [msg.presentation for msg in bench.findings]


def test_scans_of_more_parts_than_may_wait_are_let_go_and_told(make_world, held_twice):
    held_twice.edit('limits: {', 'limits: {queue: 1, ')
    bench = Bench(make_world())
    bench.scan('top', held_twice.scan(), 'i-1')
    bench.scan('top', held_twice.scan(), 'i-2')
    dropped = bench.said(JOINT, 'i-1')
    assert dropped.status.name == 'OVERLOADED'
    bench.scan('again', held_twice.scan(), 'i-2')
    assert bench.said(JOINT, 'i-2').is_evidence


def test_the_deviation_of_both_scans_is_shown_to_whom_looks(bench, files):
    shown = bench.world.hear(PointCloud2, 'scanner/deviation', SHOWN)
    bench.world.until(lambda: bench.node._shown['scanner'].get_subscription_count())
    for name in ('top', 'again'):
        bench.scan(name, files.scan())
    bench.world.until(lambda: shown)
    assert len(shown) == 1
    assert shown[0].width > 1.5 * len(files.scan().points)
