import time

import pytest
import rclpy
from geometry_msgs.msg import Pose
from inspection_cell_msgs.action import PresentPart
from inspection_cell_msgs.msg import ActuatorCommand, ActuatorConfirmation
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Bool, Empty

from inspection_cell.cell import load_cell
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.nodes.conversions.poses import stamp_from_msg
from inspection_cell.nodes.conversions.sensor_data import image_from_msg, scan_from_msg
from inspection_cell.nodes.qos import LATCHED, RELIABLE, SENSOR
from inspection_cell.nodes.sim_node import SimNode, SimParams


class Bench:
    """A simulator and a node that plays the cell, in one executor."""

    def __init__(self, cell=None):
        recipes = ', '.join(f'"{path}"' for path in demo_recipes())
        values = [f'cell:={cell or demo_cell()}', f'recipes:=[{recipes}]', 'parts:=2', 'seed:=5']
        rclpy.init(args=['--ros-args', *(part for value in values for part in ('-p', value))])
        self.sim = SimNode('sim_node', SimParams)
        self.cell = rclpy.create_node('cell')
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.sim)
        self.executor.add_node(self.cell)
        self.received = {}
        self.sim.start()

    def listen(self, kind, topic, qos=SENSOR):
        take = lambda msg: self.received.setdefault(topic, []).append(msg)  # noqa: E731
        self.cell.create_subscription(kind, topic, take, qos)

    def spin_until(self, condition, timeout_s=30.0):
        end_s = time.monotonic() + timeout_s
        while not condition() and time.monotonic() < end_s:
            self.executor.spin_once(timeout_sec=0.1)
        return condition()

    def present(self, part_id, presentation='top'):
        client = ActionClient(self.cell, PresentPart, 'present_part')
        assert self.spin_until(client.server_is_ready)
        pose = Pose()
        pose.position.z = 0.3
        goal = PresentPart.Goal(
            inspection_id='i1',
            part_id=part_id,
            part_type='bracket',
            presentation=presentation,
            part_to_cell=pose,
        )
        sent = client.send_goal_async(goal)
        assert self.spin_until(sent.done)
        result = sent.result().get_result_async()
        assert self.spin_until(result.done)
        return result.result()

    def trigger(self, sensor):
        publisher = self.cell.create_publisher(Empty, f'{sensor}/trigger', RELIABLE)
        assert self.spin_until(lambda: publisher.get_subscription_count() > 0)
        publisher.publish(Empty())

    def close(self):
        self.sim.close()
        self.sim.destroy_node()
        self.cell.destroy_node()
        rclpy.try_shutdown()


@pytest.fixture
def bench():
    bench = Bench()
    yield bench
    bench.close()


def first_bracket():
    from inspection_cell.bringup import Simulated, load_recipes
    from inspection_cell.part_orders import simulated_orders

    cell = load_cell(demo_cell())
    orders = simulated_orders(cell, load_recipes(cell, demo_recipes()), Simulated(5, 2))
    return next(order.part_id for order in orders if order.part_type == 'bracket')


def test_triggered_sensors_publish_frames_exposed_after_the_part_has_settled(bench):
    bench.listen(Image, 'left/image_raw')
    bench.listen(CameraInfo, 'left/camera_info')
    bench.listen(PointCloud2, 'scanner/points')
    answer = bench.present(first_bracket())
    settled_ns = stamp_from_msg(answer.result.settled)
    bench.trigger('left')
    bench.trigger('scanner')
    assert bench.spin_until(lambda: len(bench.received) == 3)
    image = bench.received['left/image_raw'][0]
    info = bench.received['left/camera_info'][0]
    cloud = bench.received['scanner/points'][0]
    assert image_from_msg(image).pixels.shape == (960, 1280, 3)
    told = load_cell(demo_cell()).cameras['left'].intrinsics
    assert (info.width, info.height, info.k[0]) == (told.width, told.height, told.fx)
    assert info.header == image.header
    assert image.header.frame_id == 'left_optical_frame'
    assert len(scan_from_msg(cloud).points) > 10_000
    for msg in (image, cloud):
        assert stamp_from_msg(msg.header.stamp) > settled_ns + 1_000_000


def test_an_untriggered_sensor_stays_silent(bench):
    bench.listen(Image, 'left/image_raw')
    bench.listen(Image, 'right/image_raw')
    bench.present(first_bracket())
    bench.trigger('left')
    assert bench.spin_until(lambda: 'left/image_raw' in bench.received)
    assert not bench.spin_until(lambda: 'right/image_raw' in bench.received, 0.5)


@pytest.mark.parametrize(
    ('part_id', 'presentation', 'expected'),
    [('nobody', 'top', "no simulated part 'nobody'"), (None, 'upside_down', 'upside_down')],
)
def test_what_cannot_be_presented_is_aborted_with_the_reason(
    bench, part_id, presentation, expected
):
    answer = bench.present(part_id or first_bracket(), presentation)
    assert expected in answer.result.message
    assert stamp_from_msg(answer.result.settled) == 0


def test_an_actuator_confirms_the_very_command_that_it_got(bench):
    bench.listen(ActuatorConfirmation, 'actuator_confirmation', RELIABLE)
    commands = bench.cell.create_publisher(ActuatorCommand, 'actuator_command', RELIABLE)
    assert bench.spin_until(lambda: commands.get_subscription_count() > 0)
    commands.publish(ActuatorCommand(sequence=7, inspection_id='i1', bin='scrap'))
    assert bench.spin_until(lambda: 'actuator_confirmation' in bench.received)
    confirmation = bench.received['actuator_confirmation'][0]
    assert (confirmation.sequence, confirmation.inspection_id) == (7, 'i1')
    assert (confirmation.ok, confirmation.bin) == (True, 'scrap')


LIT = ('dome', 'bar')
LIGHTS = """\
lights:
  dome: {topic: lights/dome, settle_ms: 5}
  bar: {topic: lights/bar, settle_ms: 5, position_mm: [200, 400, 340]}
robot:
"""
LEFT = """\
    shots:
      bright: {lights: [dome]}
      dark: {lights: [bar]}
    trigger: {kind: software, topic: left/trigger}
"""


@pytest.fixture
def lit_bench(tmp_path):
    """A simulator of the demo cell whose left camera has two lights."""
    text = demo_cell().read_text().replace('robot:\n', LIGHTS, 1)
    text = text.replace('    trigger: {kind: software, topic: left/trigger}\n', LEFT)
    (tmp_path / 'lit.yaml').write_text(text)
    bench = Bench(tmp_path / 'lit.yaml')
    yield bench
    bench.close()


def test_a_simulated_camera_answers_in_the_light_that_is_on(lit_bench):
    bench, topic = lit_bench, 'left/image_raw'
    bench.listen(Image, topic)
    bench.present(first_bracket())
    lights = {name: bench.cell.create_publisher(Bool, f'lights/{name}', LATCHED) for name in LIT}
    assert bench.spin_until(lambda: all(p.get_subscription_count() for p in lights.values()))
    shown = {}
    for on in ((), ('dome',), ('bar',), ('dome', 'bar')):
        for name, publisher in lights.items():
            publisher.publish(Bool(data=name in on))
        inputs = bench.sim._outputs._lights
        assert bench.spin_until(lambda on=on, inputs=inputs: inputs._on == set(on))
        bench.received.clear()
        bench.trigger('left')
        assert bench.spin_until(lambda: topic in bench.received)
        shown[on] = image_from_msg(bench.received[topic][0]).pixels.mean()
    assert shown[()] == shown['dome', 'bar'] == 0.0  # no shot is taken in these
    assert shown['dome',] > 2 * shown['bar',] > 0.0
