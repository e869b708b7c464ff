"""Subscriptions follow what sensors offer; what does not fit is said, not silent."""

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import PointCloud2

from inspection_cell.nodes.qos import SENSOR, SENSOR_RELIABLE
from inspection_cell.nodes.surface_node import SurfaceNode


def reliabilities(world):
    infos = world.probe.get_subscriptions_info_by_topic('/scanner/points')
    return {info.qos_profile.reliability for info in infos}


def test_auto_becomes_reliable_when_the_publisher_is_and_best_effort_again_when_it_is_not(
    make_world,
):
    world = make_world()
    world.start(SurfaceNode())
    world.until(lambda: reliabilities(world) == {ReliabilityPolicy.BEST_EFFORT})
    reliable = world.publisher(PointCloud2, 'scanner/points', SENSOR_RELIABLE)
    world.until(lambda: reliabilities(world) == {ReliabilityPolicy.RELIABLE})
    world.probe.destroy_publisher(reliable)
    world.publisher(PointCloud2, 'scanner/points', SENSOR)
    world.until(lambda: reliabilities(world) == {ReliabilityPolicy.BEST_EFFORT})


def test_a_publisher_that_does_not_fit_is_an_error_on_diagnostics(make_world, files):
    files.edit('deadline_s: 0.6', 'deadline_s: 0.6\n    qos: reliable')
    world = make_world()
    world.start(SurfaceNode())
    heard = world.hear(DiagnosticArray, '/diagnostics', 10)
    world.probe.create_publisher(PointCloud2, 'scanner/points', SENSOR)

    def problems():
        return [
            status
            for array in heard
            for status in array.status
            if status.name.endswith('scanner') and status.level == DiagnosticStatus.ERROR
        ]

    world.until(problems)
    assert 'incompatible QoS' in problems()[0].message
    assert '/scanner/points' in problems()[0].message
