"""Acceptance: recipes come and go while parts are inspected; every verdict is by the right one.

    python test/acceptance/changeover.py [--changeovers 20] [--seed 3] [--scanner-only]

A simulated cell starts with the recipe of brackets alone. Then, in turn, a changed recipe of
rings and of brackets is loaded (the first of rings is a part type that the cell did not know)
while parts of the other type are inspected, and a part of the exchanged type follows at once. At
the end recipes with a damaged mesh, with a wrong field and for another cell are refused. Prints a
line per changeover and per verdict and a summary as the last line, as JSON; exit status 1 when a
verdict is not by the recipe in use, an inspection mixed two, or a bad recipe was taken.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import rclpy
import yaml
from inspection_cell_msgs.action import InspectPart
from inspection_cell_msgs.msg import Capture, CellState, Disposition, ViewFindings
from inspection_cell_msgs.srv import LoadRecipe
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor

from inspection_cell.bringup import Simulated, cell_nodes, load_recipes, source_node
from inspection_cell.cell import load_cell
from inspection_cell.cell_run import isolated_environment
from inspection_cell.findings import Decision
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.nodes.qos import LATCHED, RELIABLE
from inspection_cell.part_orders import simulated_orders
from inspection_cell.processes import NodeProcesses
from inspection_cell.recipe import load_recipe

PARTS = 400
WITHIN_S = 300.0


class Line:
    """The client of the cell; it hears which recipe every capture request names."""

    def __init__(self, namespace, orders):
        rclpy.init()
        self.node = rclpy.create_node('changeovers', namespace=namespace)
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self.waiting = defaultdict(list)
        for order in orders:
            self.waiting[order.part_type].append(order)
        self.captures, self.views, self.state = defaultdict(set), defaultdict(set), None
        self.disposed, self.problems, self.decisions = set(), [], Counter()
        hear = self.node.create_subscription
        hear(Capture, 'capture', self.on_capture, RELIABLE)
        hear(ViewFindings, 'findings', self.on_findings, RELIABLE)
        hear(CellState, 'cell_state', self.on_state, LATCHED)
        hear(Disposition, 'disposition', lambda m: self.disposed.add(m.inspection_id), RELIABLE)
        self.goals = ActionClient(self.node, InspectPart, 'inspect_part')
        self.service = self.node.create_client(LoadRecipe, 'load_recipe')

    def on_capture(self, msg):
        self.captures[msg.inspection_id].add(msg.recipe_hash)

    def on_findings(self, msg):
        self.views[msg.inspection_id].add(msg.status)

    def on_state(self, msg):
        self.state = msg

    def until(self, condition, what):
        end_s = time.monotonic() + WITHIN_S
        while not condition():
            if time.monotonic() > end_s:
                raise SystemExit(f'not within {WITHIN_S:g} s: {what}; {self.state}')
            self.executor.spin_once(timeout_sec=0.05)

    def start(self):
        self.until(self.service.service_is_ready, 'the cell')
        self.until(lambda: self.state and self.state.state == CellState.READY, 'ready')

    def ask(self, recipe):
        return self.service.call_async(LoadRecipe.Request(recipe=str(recipe)))

    def load(self, recipe):
        future = self.ask(recipe)
        self.until(future.done, f'the answer about {recipe}')
        return future.result()

    def goal(self, part_type):
        order = self.waiting[part_type].pop(0)
        request = InspectPart.Goal(part_id=order.part_id, part_type=part_type)
        sent = self.goals.send_goal_async(request)
        self.until(sent.done, 'the goal')
        return order, sent.result()

    def inspect(self, part_type, allowed):
        """One part; its verdict and all its captures must be by one of the allowed recipes."""
        order, handle = self.goal(part_type)
        result = handle.get_result_async()
        self.until(result.done, f'the verdict on {order.part_id}')
        verdict = result.result().result.verdict
        found = verdict.inspection_id
        self.until(lambda: found in self.disposed, f'the disposition of {order.part_id}')
        name = Decision(verdict.decision.value).name
        self.decisions[name] += 1
        say(part=order.part_id, type=part_type, recipe=verdict.recipe_hash[:12], decision=name)
        if verdict.recipe_hash not in allowed:
            self.problems.append(f'{order.part_id}: by {verdict.recipe_hash[:12]}')
        if self.captures[found] != {verdict.recipe_hash}:
            self.problems.append(f'{order.part_id}: captured by {self.captures[found]}')
        if self.views[found] != {ViewFindings.OK}:
            self.problems.append(f'{order.part_id}: views {self.views[found]}')
        if not order.truth.good and name == 'ACCEPT':
            self.problems.append(f'{order.part_id}: an escape')


def say(**told):
    sys.stdout.write(json.dumps(told, ensure_ascii=False) + '\n')
    sys.stdout.flush()


def scanner_only(folder):
    """The demo cell and its recipes, reduced to the scanner: no detector is loaded."""
    content = yaml.safe_load(demo_cell().read_text())
    content['sensors'] = {'scanner': content['sensors']['scanner']}
    (folder / 'cell.yaml').write_text(yaml.safe_dump(content))
    recipes = []
    for path in demo_recipes():
        content = yaml.safe_load(path.read_text())
        for section in ('detection', 'silhouette'):
            content.pop(section, None)
        content['coverage']['minimum'] = 0.3
        for presentation in content['presentations'].values():
            presentation['sensors'] = ['scanner']
        copy = folder / 'recipes' / content['part_type']
        shutil.copytree(path.parent, copy)
        (copy / 'recipe.yaml').write_text(yaml.safe_dump(content))
        recipes.append(copy / 'recipe.yaml')
    return folder / 'cell.yaml', recipes


def variant(source, folder, name, old='', new=''):
    """A copy of a recipe with its files that says something else; its path."""
    copy = folder / 'recipes' / name
    shutil.copytree(source.parent, copy)
    text = source.read_text(encoding='utf-8')
    assert old in text
    changed = text.replace(old, new, 1) if old else text + f'# {name}\n'
    (copy / 'recipe.yaml').write_text(changed, encoding='utf-8')
    return copy / 'recipe.yaml'


def exchange(line, recipes, folder, count):
    """Load changed recipes in turn while parts of the other type are inspected."""
    used = {'bracket': load_recipe(recipes['bracket']).sha256}
    took_s = []
    for number in range(count):
        part_type, other = (('ring', 'bracket'), ('bracket', 'ring'))[number % 2]
        changed = variant(recipes[part_type], folder, f'{part_type}-{number}')
        wanted = load_recipe(changed).sha256
        begin_s = time.monotonic()
        answer = line.ask(changed)
        line.inspect(other, {used[other]})  # the line does not wait
        line.until(answer.done, 'the changeover')
        took_s.append(time.monotonic() - begin_s)
        told = answer.result()
        say(changeover=number + 1, success=told.success, message=told.message)
        if not told.success or told.recipe_hash != wanted:
            line.problems.append(f'changeover {number + 1}: {told.message}')
        else:
            used[part_type] = wanted
        line.inspect(part_type, {used.get(part_type)})
    return used, took_s


def refusals(line, recipes, folder, used):
    """What a cell must not take; afterwards everything is as before."""
    damaged = variant(recipes['bracket'], folder, 'damaged')
    mesh = load_recipe(damaged).mesh_path
    mesh.write_bytes(mesh.read_bytes()[:200])
    wrong = variant(recipes['bracket'], folder, 'wrong', 'part_type', 'part_kind')
    foreign = variant(recipes['bracket'], folder, 'foreign', 'scanner', 'scanner_of_another_cell')
    for path in (damaged, wrong, foreign, folder / 'nothing.yaml'):
        told = line.load(path)
        say(refused=path.parent.name, success=told.success, message=told.message)
        if told.success:
            line.problems.append(f'{path} was taken')
    for part_type, recipe_hash in used.items():
        line.inspect(part_type, {recipe_hash})


def main() -> int:
    """Run the cell, exchange recipes, and check every verdict."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument('--changeovers', type=int, default=20)
    options.add_argument('--seed', type=int, default=3)
    options.add_argument('--scanner-only', action='store_true')
    asked = options.parse_args()
    os.environ.update(isolated_environment())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cell_path, paths = demo_cell(), demo_recipes()
        (folder / 'models').symlink_to(paths[0].parents[2] / 'models')  # as the recipes name it
        if asked.scanner_only:
            cell_path, paths = scanner_only(folder)
        cell = load_cell(cell_path)
        recipes = {recipe.part_type: recipe for recipe in load_recipes(cell, paths)}
        source = Simulated(asked.seed, PARTS)
        orders = simulated_orders(cell, list(recipes.values()), source)
        with NodeProcesses(os.environ, folder / 'logs') as processes:
            processes.start(source_node(cell, list(recipes.values()), source))
            for spec in cell_nodes(cell, [recipes['bracket']], folder / 'data'):
                processes.start(spec)
            line = Line(cell.file.name, orders)
            line.start()
            if line.goal('ring')[1].accepted:
                line.problems.append('a part of an unknown type was taken')
            paths = {part_type: recipe.path for part_type, recipe in recipes.items()}
            used, took_s = exchange(line, paths, folder, asked.changeovers)
            refusals(line, paths, folder, used)
            line.until(
                lambda: (
                    dict(zip(line.state.part_types, line.state.recipe_hashes, strict=True)) == used
                ),
                'the state names the recipes in use',
            )
        rclpy.try_shutdown()
    took_s.sort()
    told = {'changeovers': len(took_s), 'verdicts': line.decisions.total()}
    told |= {'decisions': dict(line.decisions), 'problems': line.problems}
    told['changeover_s'] = {'median': took_s[len(took_s) // 2], 'max': took_s[-1]}
    say(**told)
    return 1 if line.problems else 0


if __name__ == '__main__':
    sys.exit(main())
