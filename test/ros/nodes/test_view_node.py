"""view_node: verdicts in, markers and frames out, while somebody looks."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import yaml
from inspection_cell_msgs.action import InspectPart
from inspection_cell_msgs.msg import Capture
from inspection_cell_msgs.msg import Verdict as VerdictMsg
from rclpy.action import ActionClient
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from visualization_msgs.msg import Marker, MarkerArray

from inspection_cell.cell import load_cell
from inspection_cell.findings import Decision, Reason, Verdict
from inspection_cell.nodes import frame_publisher
from inspection_cell.nodes.cell_node import CellNode
from inspection_cell.nodes.conversions.capturing import CaptureOrder, capture_order_to_msg
from inspection_cell.nodes.conversions.transforms import transform_from_msg
from inspection_cell.nodes.conversions.verdicts import verdict_to_msg
from inspection_cell.nodes.qos import LATCHED
from inspection_cell.nodes.surface_node import SurfaceNode
from inspection_cell.nodes.view_node import ViewNode
from inspection_cell.recipe import load_recipe
from inspection_cell.showing.part_markers import PartMarker
from inspection_cell.showing.topics import shown_topics


def verdict(part_id, recipe, part_type='plate'):
    reason = Reason('no_part', 'no view proves that this part was there')
    made = Verdict(f'i-{part_id}', part_id, part_type, Decision.UNKNOWN, (reason,))
    return replace(made, recipe_hash=load_recipe(recipe).sha256 if part_type == 'plate' else '')


class Stage:
    """view_node with a test that sends verdicts and looks at markers."""

    def __init__(self, world):
        self.world = world
        self.node = world.start(ViewNode())
        self.verdicts = world.publisher(VerdictMsg, 'verdict')

    def send(self, *part_ids, **given):
        for part_id in part_ids:
            made = verdict(part_id, self.world.files.recipe, **given)
            self.verdicts.publish(verdict_to_msg(made))

    def look(self):
        """Not by `hear`: what a failed wait prints would be megabytes of triangles."""
        self.seen = []
        self.world.probe.create_subscription(MarkerArray, 'markers', self.seen.append, LATCHED)
        return self.seen

    def looked_at(self):
        self.look()
        self.world.until(self.node._markers.get_subscription_count)
        return self


@pytest.fixture
def stage(make_world):
    return Stage(make_world())


@pytest.fixture
def markings(monkeypatch):
    """Parts whose markers were made, each by which thread; `hold` stops the first until set."""

    class Markings:
        def __init__(self):
            self.parts, self.threads = [], set()
            self.hold = threading.Event()
            self.hold.set()

    made, original = Markings(), PartMarker.of

    def of(marker, verdict):
        made.parts.append(verdict.part_id)
        made.threads.add(threading.current_thread())
        assert made.hold.wait(30)
        return original(marker, verdict)

    monkeypatch.setattr(PartMarker, 'of', of)
    return made


def headlines(arrays):
    return [m.text.splitlines()[0] for array in arrays for m in array.markers if m.ns == 'verdict']


def test_a_verdict_becomes_markers_on_the_part_that_delete_those_before(stage):
    seen = stage.looked_at().seen
    stage.send('p-1')
    stage.world.until(lambda: seen)
    stage.send('p-2')
    stage.world.until(lambda: len(seen) == 2)
    assert headlines(seen) == ['UNKNOWN p-1', 'UNKNOWN p-2']
    assert all(array.markers[0].action == Marker.DELETEALL for array in seen)
    (surface,) = (m for m in seen[1].markers if m.type == Marker.TRIANGLE_LIST)
    assert (surface.ns, surface.header.frame_id) == ('not seen', 'part')


def test_who_comes_later_gets_the_markers_of_the_last_verdict(stage):
    stage.looked_at().send('p-1')
    stage.world.until(lambda: stage.seen)
    later = stage.look()
    stage.world.until(lambda: later)
    assert headlines(later) == ['UNKNOWN p-1']


def test_nothing_is_made_until_somebody_looks_and_then_only_of_the_newest(stage, markings):
    stage.send('p-1', 'p-2', 'p-3')
    stage.world.until(lambda: stage.node._newest and stage.node._newest.part_id == 'p-3')
    assert markings.parts == []
    seen = stage.look()
    stage.world.until(lambda: seen)
    assert headlines(seen) == ['UNKNOWN p-3']
    assert markings.parts == ['p-3']


def test_markers_that_are_old_when_they_are_done_are_dropped(stage, markings):
    markings.hold.clear()
    stage.looked_at().send('p-1')
    stage.world.until(lambda: markings.parts == ['p-1'])
    stage.send('p-2', 'p-3')  # the executor is free while the worker is not
    stage.world.until(lambda: stage.node._newest.part_id == 'p-3')
    markings.hold.set()
    stage.world.until(lambda: stage.seen)
    assert headlines(stage.seen) == ['UNKNOWN p-3']
    assert markings.parts == ['p-1', 'p-3']
    assert threading.current_thread() not in markings.threads  # which spins the executor


def test_a_verdict_that_cannot_be_shown_is_told_and_the_next_one_is_shown(stage, capfd):
    stage.looked_at().send('p-1', part_type='ring')
    stage.world.until(lambda: "no recipe 'ring'" in capfd.readouterr().err)
    broken = verdict_to_msg(verdict('p-2', stage.world.files.recipe))
    broken.decision.value = 99
    stage.verdicts.publish(broken)
    stage.world.until(lambda: 'expected one of' in capfd.readouterr().err)
    stage.send('p-3')
    stage.world.until(lambda: stage.seen)
    assert headlines(stage.seen) == ['UNKNOWN p-3']


def test_after_a_pause_the_last_verdict_is_shown_again(stage):
    stage.looked_at().send('p-1')
    stage.world.until(lambda: stage.seen)
    assert stage.node.trigger_deactivate().name == 'SUCCESS'
    assert stage.node.trigger_activate().name == 'SUCCESS'
    stage.world.until(lambda: len(stage.seen) == 2)
    assert headlines(stage.seen) == ['UNKNOWN p-1'] * 2


def test_every_topic_of_the_table_and_of_the_rviz_file_is_published_as_they_say(stage):
    stage.world.start(SurfaceNode())
    cell = load_cell(stage.world.files.cell)
    config = yaml.safe_load((stage.world.files.data / 'plates.rviz').read_text())
    shown = [d for d in config['Visualization Manager']['Displays'] if 'Topic' in d]
    displays = {d['Topic']['Value']: d['Topic'] for d in shown}
    assert set(displays) == {f'/{topic.name}' for topic in shown_topics(cell)}
    for topic in shown_topics(cell):
        (offer,) = stage.world.probe.get_publishers_info_by_topic(topic.name)
        assert offer.topic_type == topic.message
        reliable = offer.qos_profile.reliability == ReliabilityPolicy.RELIABLE
        lasting = offer.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
        wanted = displays[f'/{topic.name}']
        assert wanted['Reliability Policy'] == ('Reliable' if reliable else 'Best Effort')
        assert wanted['Durability Policy'] == ('Transient Local' if lasting else 'Volatile')


def test_a_dent_that_the_cell_rejects_is_marked_where_it_is(stage, robot_side, files):
    world = stage.world
    for node in (robot_side(files.scan(dent_mm=0.8)), SurfaceNode(), CellNode()):
        world.start(node)
    stage.looked_at()
    client = ActionClient(world.probe, InspectPart, 'inspect_part')
    world.until(client.server_is_ready)
    world.until(lambda: world.probe.count_subscribers('scanner/points'))
    client.send_goal_async(InspectPart.Goal(part_id='p-1', part_type='plate'))
    world.until(lambda: stage.seen)
    markers = {marker.ns: marker for marker in stage.seen[0].markers}
    assert headlines(stage.seen) == ['REJECT p-1']
    assert markers['labels'].text.startswith('D1 dent')
    at = markers['defects'].pose.position
    assert (at.x, at.y, at.z) == pytest.approx((0.0, 0.0, 0.02), abs=0.003)
    heights = [point.z for point in markers['seen'].points]
    assert max(heights) == pytest.approx(0.02)
    assert sum(height < 1e-6 for height in heights) < 0.05 * len(heights)  # not from below


def order(world, settled_ns):
    recipe = load_recipe(world.files.recipe)
    pose = recipe.file.presentations['top'].pose.transform()
    given = ('i-1', 'p-1', 'plate', recipe.sha256, 'top', settled_ns, pose, ('scanner',), 5.0)
    return CaptureOrder(*given)


def test_the_sensors_and_the_held_part_are_in_tf(make_world):
    tf2_msgs = pytest.importorskip('tf2_msgs.msg', reason='comes with an installed ROS 2 only')
    stage = Stage(make_world())
    static = stage.world.hear(tf2_msgs.TFMessage, '/tf_static', LATCHED)
    moving = stage.world.hear(tf2_msgs.TFMessage, '/tf')
    stage.world.until(lambda: static and stage.node.count_subscribers('/tf'))
    (scanner,) = static[0].transforms
    assert (scanner.header.frame_id, scanner.child_frame_id) == (
        'cell', 'scanner_optical_frame'
    )  # fmt: skip
    pose = load_cell(stage.world.files.cell).scanners['scanner'].pose.transform()
    assert transform_from_msg(scanner) == pytest.approx(pose)
    settled_ns = stage.world.now_ns()
    sent = order(stage.world, settled_ns)
    stage.world.publisher(Capture, 'capture').publish(capture_order_to_msg(sent))
    stage.world.until(lambda: len(moving) > 3)
    first = moving[0].transforms[0]
    assert (first.header.frame_id, first.child_frame_id) == ('cell', 'part')
    assert transform_from_msg(first) == pytest.approx(np.array(sent.transform_part_to_cell))
    stamps = [m.transforms[0].header.stamp for m in moving]
    assert stamps[0].sec * 10**9 + stamps[0].nanosec == settled_ns  # clouds since then fit in
    assert len({(stamp.sec, stamp.nanosec) for stamp in stamps}) == len(stamps)


def test_without_tf2_msgs_the_node_says_so_and_shows_markers_all_the_same(
    make_world, monkeypatch, capfd
):
    monkeypatch.setattr(frame_publisher, 'TFMessage', None)
    stage = Stage(make_world())
    assert 'tf2_msgs is not installed' in capfd.readouterr().err
    sent = order(stage.world, stage.world.now_ns())
    stage.world.publisher(Capture, 'capture').publish(capture_order_to_msg(sent))
    stage.looked_at().send('p-1')
    stage.world.until(lambda: stage.seen)
    assert headlines(stage.seen) == ['UNKNOWN p-1']
