"""Recipes are exchanged between two parts, in all nodes or in none."""

import threading

import pytest
from inspection_cell_msgs.action import InspectPart
from inspection_cell_msgs.msg import Capture, CellState, Decision, Verdict
from inspection_cell_msgs.srv import LoadRecipe
from rclpy.action import ActionClient

from inspection_cell.nodes.cell_node import CellNode
from inspection_cell.nodes.qos import LATCHED
from inspection_cell.nodes.reject_node import RejectNode
from inspection_cell.nodes.surface_node import SurfaceNode
from inspection_cell.nodes.view_node import ViewNode
from inspection_cell.recipe import load_recipe
from inspection_cell.recipe_request import request_recipe


class Line:
    """The cell of plates with all its nodes; the test loads recipes and sends parts."""

    def __init__(self, world, files, robot):
        self.world, self.files, self.robot = world, files, world.start(robot)
        self.nodes = {
            kind: world.start(kind()) for kind in (SurfaceNode, RejectNode, ViewNode, CellNode)
        }
        self.states = world.hear(CellState, 'cell_state', LATCHED)
        self.captures = world.hear(Capture, 'capture')
        self.verdicts = world.hear(Verdict, 'verdict')
        self.client = ActionClient(world.probe, InspectPart, 'inspect_part')
        self.service = world.probe.create_client(LoadRecipe, 'load_recipe')
        world.until(self.service.service_is_ready)
        self.until_ready()

    def until_ready(self):
        self.world.until(lambda: self.states and self.states[-1].state == CellState.READY)

    def recipe(self, name, old='', new=''):
        """Another recipe beside the first."""
        text = self.files.recipe.read_text()
        assert old in text
        path = self.files.recipe.with_name(name)
        path.write_text(text.replace(old, new) if old else text + '# changed\n')
        return path

    def ask(self, path):
        return self.service.call_async(LoadRecipe.Request(recipe=str(path)))

    def load(self, path):
        future = self.ask(path)
        self.world.until(future.done)
        return future.result()

    def begin(self, part_id='p-1', part_type='plate'):
        future = self.client.send_goal_async(
            InspectPart.Goal(part_id=part_id, part_type=part_type), lambda _: None
        )
        self.world.until(future.done)
        return future.result()

    def end(self, goal):
        future = goal.get_result_async()
        self.world.until(future.done)
        verdict = future.result().result.verdict
        asked = {c.recipe_hash for c in self.captures if c.inspection_id == verdict.inspection_id}
        assert asked <= {verdict.recipe_hash}  # one inspection, one recipe
        return verdict

    def inspect(self, *goal):
        return self.end(self.begin(*goal))

    def held(self, kind=SurfaceNode):
        node = self.nodes[kind]
        recipes = node._recipes if kind is SurfaceNode else node._parts
        return {recipe.sha256 for recipe in recipes.held}


@pytest.fixture
def line(make_world, files, robot_side):
    class Robot(robot_side):
        held = ()

        def _accepted(self, goal):
            self.held = [goal]
            super()._accepted(goal)

    world = make_world()
    return Line(world, files, Robot(scan=files.scan()))


def sha256(path):
    return load_recipe(path).sha256


def test_a_part_type_that_was_not_there_at_the_start_is_inspected_once_its_recipe_is_loaded(line):
    assert not line.begin(part_type='tile').accepted
    other = line.recipe('tile.yaml', 'part_type: plate', 'part_type: tile')
    answer = line.load(other)
    assert (answer.success, answer.part_type) == (True, 'tile')
    assert answer.recipe_hash == sha256(other)
    line.world.until(lambda: line.states[-1].part_types == ['plate', 'tile'])
    assert line.states[-1].recipe_hashes == [sha256(line.files.recipe), sha256(other)]
    verdict = line.inspect('t-1', 'tile')
    assert verdict.decision.value == Decision.ACCEPT
    assert (verdict.part_type, verdict.recipe_hash) == ('tile', sha256(other))
    assert line.inspect().recipe_hash == sha256(line.files.recipe)


def test_a_part_in_work_keeps_its_recipe_and_the_next_one_gets_the_changed_one(line):
    changed = line.recipe('changed.yaml')
    line.robot.hold = True
    goal = line.begin()
    line.world.until(lambda: line.robot.held)
    assert line.load(changed).success
    assert line.held() == {sha256(line.files.recipe), sha256(changed)}
    line.robot.hold = False
    line.robot.held.pop().execute()
    first, second = line.end(goal), line.inspect('p-2')
    assert [v.decision.value for v in (first, second)] == [Decision.ACCEPT] * 2
    assert first.recipe_hash == sha256(line.files.recipe)
    assert second.recipe_hash == sha256(changed)
    for kind in (SurfaceNode, ViewNode):  # what nobody needs any more is forgotten
        line.world.until(lambda kind=kind: line.held(kind) == {sha256(changed)})


def test_a_recipe_that_cannot_serve_is_refused_with_a_reason_and_nothing_has_changed(line):
    (line.files.recipe.parent / 'broken.ply').write_bytes(b'half a file')
    sensor = 'sensors: [scanner]'
    for old, new, why in (
        ('plate.ply', 'broken.ply', 'found no triangles'),
        ('plate.ply', 'nothing.ply', 'an existing mesh file'),
        (sensor, 'sensors: [camera]', 'a sensor of cell.yaml'),
        ('tolerance_mm', 'tolerance_m', 'tolerance_m'),
    ):
        answer = line.load(line.recipe('bad.yaml', old, new))
        assert (answer.success, why in answer.message) == (False, True), answer.message
    assert line.held() == {sha256(line.files.recipe)}
    verdict = line.inspect()
    assert verdict.decision.value == Decision.ACCEPT
    assert verdict.recipe_hash == sha256(line.files.recipe)


def test_one_node_that_refuses_is_enough(line):
    changed = line.recipe('changed.yaml')

    def refuse(recipe):
        raise RuntimeError('out of memory')

    line.nodes[SurfaceNode]._recipes._make = refuse
    answer = line.load(changed)
    assert not answer.success
    assert 'surface_node' in answer.message
    assert 'out of memory' in answer.message
    assert answer.recipe_hash == sha256(line.files.recipe)
    verdict = line.inspect()
    assert verdict.decision.value == Decision.ACCEPT
    assert verdict.recipe_hash == sha256(line.files.recipe)
    for kind in (SurfaceNode, ViewNode):
        line.world.until(lambda kind=kind: line.held(kind) == {sha256(line.files.recipe)})
    line.until_ready()


def test_another_mesh_under_the_same_recipe_is_refused(line):
    mesh = line.files.recipe.parent / 'plate.ply'
    mesh.write_bytes(mesh.read_bytes() + b'\n')
    answer = line.load(line.files.recipe)
    assert not answer.success
    assert 'change a word of it' in answer.message
    assert line.load(line.recipe('changed.yaml')).success


def test_while_a_recipe_is_loaded_parts_are_inspected_and_a_second_one_is_refused(line):
    changed, release = line.recipe('changed.yaml'), threading.Event()
    make = line.nodes[SurfaceNode]._recipes._make

    def slow(recipe):
        assert release.wait(60)
        return make(recipe)

    line.nodes[SurfaceNode]._recipes._make = slow
    first = line.ask(changed)
    line.world.until(lambda: line.nodes[SurfaceNode]._recipes._thread)
    second = line.load(changed)
    assert not second.success
    assert 'another recipe is being loaded' in second.message
    assert line.inspect().recipe_hash == sha256(line.files.recipe)
    release.set()
    line.world.until(first.done)
    assert first.result().success
    assert line.inspect('p-2').recipe_hash == sha256(changed)


def test_a_node_that_comes_anew_holds_what_was_loaded_before_the_cell_is_ready_again(line):
    changed = line.recipe('changed.yaml')
    assert line.load(changed).success
    line.world.stop(line.nodes[SurfaceNode])
    lost = 'surface_node does not say which recipes it holds'
    line.world.until(lambda: lost in line.states[-1].reason)
    assert line.states[-1].state == CellState.FAULT
    node = line.nodes[SurfaceNode] = line.world.start(SurfaceNode())
    assert line.held() == {sha256(line.files.recipe)}  # that of its parameters
    line.until_ready()
    assert line.held() == {sha256(changed)}
    line.world.until(lambda: node.count_publishers('capture'))
    assert line.inspect().decision.value == Decision.ACCEPT


def test_a_node_whose_recipe_has_changed_on_disk_meanwhile_keeps_the_cell_from_being_ready(line):
    before = line.files.recipe.read_text()
    line.world.stop(line.nodes[SurfaceNode])
    line.files.recipe.write_text(before + '# edited\n')
    line.nodes[SurfaceNode] = line.world.start(SurfaceNode())
    line.world.until(lambda: 'has changed since the cell loaded it' in line.states[-1].reason)
    assert line.load(line.files.recipe).success  # the edited one, everywhere
    line.until_ready()
    assert line.inspect().recipe_hash == sha256(line.files.recipe)


def test_the_command_finds_the_only_cell_and_brings_its_answer(line):
    changed, answers = line.recipe('changed.yaml'), []
    asking = threading.Thread(target=lambda: answers.append(request_recipe(changed)))
    asking.start()
    line.world.until(lambda: not asking.is_alive())
    assert (answers[0].success, answers[0].recipe_hash) == (True, sha256(changed))
