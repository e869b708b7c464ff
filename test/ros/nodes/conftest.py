"""A real small cell: one scanner over a plate, a robot side that is a real node, no simulator."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import open3d as o3d
import pytest
import rclpy
from inspection_cell_msgs.action import PresentPart
from rclpy.action import ActionServer, CancelResponse
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from sensor_msgs.msg import PointCloud2
from std_msgs.msg import Empty

from inspection_cell.cell import load_cell
from inspection_cell.geometry import Intrinsics, Transform, invert
from inspection_cell.nodes.conversions.poses import stamp_to_msg
from inspection_cell.nodes.conversions.sensor_data import scan_to_msg
from inspection_cell.nodes.qos import RELIABLE, SENSOR_RELIABLE
from inspection_cell.observations import Scan
from inspection_cell.recipe import load_recipe
from inspection_cell.reference import ReferenceMesh, load_reference

CELL = """\
format: 1
name: plates
sensors:
  scanner:
    kind: scanner
    topic: scanner/points
    pose: {position_mm: [60, -80, 400], look_at_mm: [0, 0, 200]}
    trigger: {kind: software, topic: scanner/trigger}
    deadline_s: 0.6
    inspect_s: 10
robot: {timeout_s: 10}
disposition: {kind: robot_place, decide_within_s: 1.5, confirm_within_s: 0.5, release_valid_s: 0.5}
limits: {min_free_disk_mb: 0}
"""
RECIPE = """\
format: 1
part_type: plate
reference: {mesh: plate.ply, units: mm}
presentations:
  top:
    pose: {position_mm: [0, 0, 200], rpy_deg: [0, 0, 0]}
    sensors: [scanner]
surface: {tolerance_mm: [-0.3, 0.3]}
coverage: {minimum: 0.2}
"""
CAMERA = Intrinsics(160, 120, 400.0, 400.0, 79.5, 59.5)


@dataclass(frozen=True)
class Files:
    """The files of the cell, editable before a node starts."""

    cell: Path
    recipe: Path
    data: Path

    def edit(self, old: str, new: str) -> None:
        text = self.cell.read_text()
        assert old in text
        self.cell.write_text(text.replace(old, new))

    def hold_twice(self) -> None:
        """Have the plate scanned in two presentations, and judged as one surface."""
        pose = '    pose: {position_mm: [0, 0, 200], rpy_deg: [0, 0, 0]}\n    sensors: [scanner]\n'
        text = self.recipe.read_text()
        assert pose in text
        text = text.replace(pose, f'{pose}  again:\n{pose}')
        self.recipe.write_text(text.replace('0.3]}', '0.3], together: [scanner]}'))

    def arguments(self, *more: str) -> list[str]:
        parameters = [
            f'cell:={self.cell}',
            f'recipes:=["{self.recipe}"]',
            f'data_dir:={self.data}',
            *more,
        ]
        return ['--ros-args', *(word for given in parameters for word in ('-p', given))]

    def scan(self, dent_mm: float = 0.0, sensor_to_cell: Transform | None = None) -> Scan:
        """What the scanner sees of the plate, with a dent in the middle of its top.

        It stands where the cell says, or at `sensor_to_cell`.
        """
        cell, recipe = load_cell(self.cell), load_recipe(self.recipe)
        reference = load_reference(recipe)
        assert isinstance(reference, ReferenceMesh)
        if sensor_to_cell is None:
            sensor_to_cell = cell.scanners['scanner'].pose.transform()
        part_to_cell = recipe.file.presentations['top'].pose.transform()
        part_to_sensor = invert(sensor_to_cell) @ part_to_cell
        columns, rows = np.meshgrid(np.arange(CAMERA.width), np.arange(CAMERA.height))
        rays = CAMERA.rays(np.column_stack([columns.ravel(), rows.ravel()]))
        ranges, _ = reference.cast(part_to_sensor, rays)
        hit = np.isfinite(ranges)
        points = rays[hit] * ranges[hit, None]
        in_part = points @ invert(part_to_sensor)[:3, :3].T + invert(part_to_sensor)[:3, 3]
        near = (np.hypot(in_part[:, 0], in_part[:, 1]) < 0.006) & (in_part[:, 2] > 0.0199)
        in_part[near, 2] -= dent_mm / 1000
        points = in_part @ part_to_sensor[:3, :3].T + part_to_sensor[:3, 3]
        return Scan(points.astype(np.float32))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A stepped plate 60 × 40 × 20 mm, and the cell that scans it."""
    plate = o3d.geometry.TriangleMesh.create_box(60, 40, 20).translate((-30, -20, 0))
    step = o3d.geometry.TriangleMesh.create_box(15, 40, 12).translate((30, -20, 0))
    o3d.io.write_triangle_mesh(str(tmp_path / 'plate.ply'), plate + step)
    (tmp_path / 'cell.yaml').write_text(CELL)
    (tmp_path / 'recipe.yaml').write_text(RECIPE)
    return Files(tmp_path / 'cell.yaml', tmp_path / 'recipe.yaml', tmp_path / 'data')


@dataclass
class World:
    """Nodes that are spun by the test itself, so that it can wait for what happens."""

    files: Files
    executor: SingleThreadedExecutor
    probe: Node
    heard: dict[str, list[Any]] = field(default_factory=dict)
    nodes: list[Any] = field(default_factory=list)

    def start(self, node: Any) -> Any:
        """Add a managed node and activate it."""
        self.executor.add_node(node)
        self.nodes.append(node)
        node.start()
        return node

    def stop(self, node: Any) -> None:
        """End a node that was started."""
        self.nodes.remove(node)
        node.close()
        self.executor.remove_node(node)
        node.destroy_node()

    def hear(self, kind: type, topic: str, profile: QoSProfile = RELIABLE) -> list[Any]:
        """Everything that comes on a topic from now on."""
        heard: list[Any] = []
        self.probe.create_subscription(kind, topic, heard.append, profile)
        self.heard[topic] = heard
        return heard

    def publisher(self, kind: type, topic: str, profile: QoSProfile = RELIABLE) -> Any:
        """A publisher that has found its listeners."""
        publisher = self.probe.create_publisher(kind, topic, profile)
        self.until(lambda: publisher.get_subscription_count() > 0)
        return publisher

    def until(self, condition: Callable[[], object], timeout_s: float = 60.0) -> None:
        """Spin until the condition holds; fail when it does not in time."""
        end_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end_s, f'not in time; heard {self.heard}'
            self.executor.spin_once(timeout_sec=0.02)

    def now_ns(self) -> int:
        return int(self.probe.get_clock().now().nanoseconds)


@pytest.fixture
def make_world(ros_domain: int, files: Files) -> Iterator[Callable[..., World]]:
    """Starts ROS with the cell's parameters, after the test has edited the files."""
    worlds: list[World] = []

    def make(*parameters: str) -> World:
        rclpy.init(args=files.arguments(*parameters))
        executor = SingleThreadedExecutor()
        probe = Node('probe')
        executor.add_node(probe)
        worlds.append(World(files, executor, probe))
        return worlds[0]

    yield make
    for world in worlds:
        for node in list(world.nodes):
            world.stop(node)
        world.probe.destroy_node()
        world.executor.shutdown()
        rclpy.try_shutdown()


class RobotSide(Node):
    """Serves PresentPart at once; shows the plate to the scanner when it is triggered."""

    def __init__(self, scan: Scan) -> None:
        super().__init__('robot_side')
        self.scan: Scan | None = scan
        self.refuse_with = ''
        self.clock_error_ns = 0
        self.hold = False  # never settles
        self.presented: list[str] = []
        self._clouds = self.create_publisher(PointCloud2, 'scanner/points', SENSOR_RELIABLE)
        self.create_subscription(Empty, 'scanner/trigger', self._triggered, RELIABLE)
        self._server = ActionServer(
            self,
            PresentPart,
            'present_part',
            self._present,
            handle_accepted_callback=self._accepted,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )

    def start(self) -> None:
        """Nothing to activate."""

    def close(self) -> None:
        self._server.destroy()

    def _accepted(self, goal: Any) -> None:
        self.presented.append(goal.request.part_id)
        if not self.hold:
            goal.execute()

    def _present(self, goal: Any) -> PresentPart.Result:
        if self.refuse_with:
            goal.abort()
            return PresentPart.Result(message=self.refuse_with)
        goal.succeed()
        settled_ns = self.get_clock().now().nanoseconds + self.clock_error_ns
        settled = stamp_to_msg(max(0, settled_ns))
        return PresentPart.Result(settled=settled, part_to_cell=goal.request.part_to_cell)

    def _triggered(self, _: Empty) -> None:
        self.expose()

    def expose(self) -> None:
        """Send what the scanner sees."""
        if self.scan is not None:
            self._clouds.publish(scan_to_msg(self.scan, self.get_clock().now().nanoseconds))


@pytest.fixture
def robot_side() -> type[RobotSide]:
    """The class, for tests that start it in their world."""
    return RobotSide


@pytest.fixture
def child_environment(ros_domain: int) -> dict[str, str]:
    """Environment for nodes that a test starts as processes."""
    return {**os.environ, 'PYTHONUNBUFFERED': '1'}
