"""From a cell and its recipes to the nodes that run it; used by the launch files and the commands.

Nothing here knows ROS: a node is a module that is started with ROS arguments.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inspection_cell.cell import Cell
from inspection_cell.errors import ConfigError, DataError, Problem
from inspection_cell.recipe import Recipe, check_fit, load_recipe
from inspection_cell.sros2_policy import enclave

ParameterValue = str | int | float | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a node."""

    name: str
    value: ParameterValue


@dataclass(frozen=True, slots=True)
class Remapping:
    """One name of a node that is to be another."""

    original: str
    replacement: str


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """One process of the cell: which module runs, under which name, with what.

    Attributes:
        name: of the node; of the process alone where several nodes share it.
        nodes: those that share the process; empty: it is one node.
        essential: whether no part can be inspected without it.
    """

    module: str
    name: str
    namespace: str
    parameters: tuple[Parameter, ...] = ()
    remappings: tuple[Remapping, ...] = ()
    nodes: tuple[str, ...] = ()
    essential: bool = True

    @property
    def executable(self) -> str:
        """Name of the installed executable, for launch files."""
        return self.module.rsplit('.', 1)[-1]

    def enclave(self, namespace: str = '') -> str:
        """Of its process, for SROS 2; in its own namespace or another."""
        return enclave(namespace or self.namespace, self.name)

    def arguments(self) -> list[str]:
        """The node's command line after the module's name."""
        arguments = [*self.nodes, '--ros-args', '-r', f'__ns:=/{self.namespace}']
        arguments += ['--enclave', self.enclave()]
        if not self.nodes:  # they would all get the same name
            arguments += ['-r', f'__node:={self.name}']
        for remapping in self.remappings:
            arguments += ['-r', f'{remapping.original}:={remapping.replacement}']
        for parameter in self.parameters:
            value = json.dumps(parameter.value, ensure_ascii=False)  # JSON is YAML
            arguments += ['-p', f'{parameter.name}:={value}']
        return arguments


@dataclass(frozen=True, slots=True)
class Simulated:
    """Parts made by the simulator; the same seed and count give the same parts."""

    seed: int
    parts: int
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """Parts read from a folder of stored parts."""

    folder: Path


def load_recipes(cell: Cell, paths: Sequence[Path]) -> tuple[Recipe, ...]:
    """Read recipes and check that they fit the cell.

    A path may be the recipe's folder. Without paths these are the recipes beside the cell
    (`../recipes/*/recipe.yaml`) that fit it.

    Raises:
        ConfigError: with every problem of the first file that is refused.
    """
    if not paths:
        return _recipes_beside(cell)
    files = (path / 'recipe.yaml' if path.is_dir() else path for path in paths)
    recipes = tuple(load_recipe(file) for file in files)
    for index, recipe in enumerate(recipes):
        check_fit(recipe, cell)
        if recipe.part_type in {other.part_type for other in recipes[:index]}:
            problem = Problem('part_type', recipe.part_type, 'each part type has one recipe')
            raise ConfigError(recipe.path, [problem])
    return recipes


def cell_nodes(
    cell: Cell, recipes: Sequence[Recipe], data_dir: Path, *, retry: bool = False
) -> tuple[NodeSpec, ...]:
    """The nodes of the cell itself: only those that its sensors need.

    Args:
        cell: whose nodes.
        recipes: that they begin with.
        data_dir: where they write.
        retry: whether a node that cannot start tries again; else it ends.
    """
    names = [] if cell.file.disposition.only_watches else ['reject_node']
    if cell.cameras:
        names.append('detection_node')
    if cell.scanners:
        names.append('surface_node')
    if cell.process_sensors:
        names.append('process_node')
    if cell.file.robot.led_by == 'program':
        names.append('program_node')
    names.append('cell_node')
    again = (Parameter('retry', True),) if retry else ()
    shared = (*_files(cell, recipes), Parameter('data_dir', str(data_dir)), *again)
    nodes = [_node(cell, name, shared) for name in names]
    # Last: its start must not delay the others.
    return (*nodes, replace(_node(cell, 'view_node', shared), essential=False))


def of_this_machine(specs: Sequence[NodeSpec], names: Sequence[str]) -> tuple[NodeSpec, ...]:
    """Those nodes of a cell that run on this machine, by name; all where none is named.

    Raises:
        DataError: for a name that no node of this cell has.
    """
    known = {spec.name: spec for spec in specs}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError(f'nodes {", ".join(unknown)}: expected some of {", ".join(known)}')
    return tuple(spec for spec in specs if not names or spec.name in names)


def in_one_process(specs: Sequence[NodeSpec]) -> NodeSpec:
    """The same nodes in one process, with the parameters that they share."""
    first = specs[0]
    names = tuple(spec.name for spec in specs)
    return NodeSpec(
        'inspection_cell.nodes.one_process',
        'one_process',
        first.namespace,
        first.parameters,
        first.remappings,
        names,
    )


def source_node(cell: Cell, recipes: Sequence[Recipe], source: Simulated | Stored) -> NodeSpec:
    """The node that stands for robot, sensors and actuators where there is no hardware."""
    files = _files(cell, recipes)
    if isinstance(source, Stored):
        return _node(cell, 'replay_node', (*files, Parameter('data', str(source.folder))))
    parameters = (Parameter('seed', source.seed), Parameter('parts', source.parts))
    faults = (Parameter('faults', source.faults),) if source.faults else ()
    return _node(cell, 'sim_node', (*files, *parameters, *faults))


def gazebo_node(cell: Cell, recipes: Sequence[Recipe], parts_file: Path) -> NodeSpec:
    """The node that stands for robot and actuators where Gazebo has the sensors."""
    parameters = (*_files(cell, recipes), Parameter('parts', str(parts_file)))
    return _node(cell, 'gazebo_node', parameters)


def client_node(cell: Cell, parts_file: Path) -> NodeSpec:
    """The node that has the parts of a parts file inspected, one after the other.

    Where the robot's program leads, it is that program.
    """
    settings, parameters = cell.file.disposition, [Parameter('parts', str(parts_file))]
    if settings.only_watches:
        parameters.append(Parameter('disposition_timeout_s', 0.0))  # nobody will tell
    if cell.file.robot.led_by == 'cell':
        return _node(cell, 'client_node', tuple(parameters))
    parameters.append(Parameter('places', settings.kind == 'robot_place'))
    return _node(cell, 'robot_program_node', tuple(parameters))


def swap_client(namespace: str, part_type: str, model: Path | None) -> NodeSpec:
    """The node that asks the cell in a namespace to exchange a detector."""
    parameters = (Parameter('part_type', part_type), Parameter('model', str(model or '')))
    return NodeSpec('inspection_cell.nodes.swap_client', 'swap_client', namespace, parameters)


def recipe_client(namespace: str, recipe: Path) -> NodeSpec:
    """The node that asks the cell in a namespace to inspect by a recipe."""
    parameters = (Parameter('recipe', str(recipe)),)
    return NodeSpec('inspection_cell.nodes.recipe_client', 'recipe_client', namespace, parameters)


def doctor_node(cell: Cell, namespace: str, watch_s: float) -> NodeSpec:
    """The node that looks at the graph of a cell, in the cell's namespace or another."""
    parameters = (Parameter('cell', str(cell.path)), Parameter('watch_s', watch_s))
    spec = _node(cell, 'doctor_node', parameters)
    return replace(spec, namespace=namespace.strip('/') or spec.namespace)


def _node(cell: Cell, name: str, parameters: tuple[Parameter, ...]) -> NodeSpec:
    return NodeSpec(f'inspection_cell.nodes.{name}', name, cell.file.name, parameters)


def _files(cell: Cell, recipes: Sequence[Recipe]) -> tuple[Parameter, Parameter]:
    return (
        Parameter('cell', str(cell.path)),
        Parameter('recipes', tuple(str(recipe.path) for recipe in recipes)),
    )


def _recipes_beside(cell: Cell) -> tuple[Recipe, ...]:
    fitting = []
    for path in sorted(cell.path.parent.parent.glob('recipes/*/recipe.yaml')):
        recipe = load_recipe(path)
        try:
            check_fit(recipe, cell)
        except ConfigError:
            continue  # a recipe of another cell
        fitting.append(recipe)
    if not fitting:
        where = cell.path.parent.parent / 'recipes'
        problem = Problem('(recipes)', f'none in {where} fits', 'name them with --recipe')
        raise ConfigError(cell.path, [problem])
    return tuple(fitting)
