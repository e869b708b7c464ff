"""A cell with its simulator: `ros2 launch inspection_cell sim.launch.py parts:=6`."""

from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from inspection_cell.bringup import Simulated, client_node, load_recipes, source_node
from inspection_cell.cell import load_cell
from inspection_cell.locations import demo_cell
from inspection_cell.nodes.launching import (
    CELL_ARGUMENTS,
    SWITCH,
    argument,
    is_on,
    node_action,
    paths,
)
from inspection_cell.outcome import write_orders
from inspection_cell.part_orders import simulated_orders

CELL_LAUNCH = str(Path(__file__).with_name('cell.launch.py'))
ARGUMENTS = (
    DeclareLaunchArgument(
        'cell', default_value=str(demo_cell()), description='Path of the cell.yaml.'
    ),
    *(one for one in CELL_ARGUMENTS if one.name != 'local_only'),
    DeclareLaunchArgument(
        'local_only',
        default_value='true',
        choices=SWITCH,
        description='Whether the nodes are found on this machine only.',
    ),
    DeclareLaunchArgument(
        'parts', default_value='20', description='How many simulated parts exist.'
    ),
    DeclareLaunchArgument(
        'seed', default_value='0', description='The same seed gives the same parts.'
    ),
    DeclareLaunchArgument(
        'faults',
        default_value='',
        description='Faults that occur, separated by spaces: empty_gripper, rotated_part, '
        'wrong_part.',
    ),
    DeclareLaunchArgument(
        'client',
        default_value='true',
        choices=SWITCH,
        description='Whether to have every part inspected; else goals are awaited.',
    ),
)


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The simulator, and the client with its parts file."""
    cell = load_cell(Path(argument(context, 'cell')).expanduser())
    recipes = load_recipes(cell, paths(context, 'recipes'))
    faults = tuple(argument(context, 'faults').split())
    source = Simulated(int(argument(context, 'seed')), int(argument(context, 'parts')), faults)
    actions = [node_action(context, source_node(cell, recipes, source))]
    if is_on(context, 'client'):
        parts_file = Path(argument(context, 'data_dir')).expanduser() / 'runs' / 'launch.jsonl'
        write_orders(parts_file, simulated_orders(cell, recipes, source))
        actions.append(node_action(context, client_node(cell, parts_file)))
    return actions


def generate_launch_description() -> LaunchDescription:
    """Arguments, cell, simulator; all on this machine unless told otherwise."""
    names = ('cell', *(one.name for one in CELL_ARGUMENTS))
    include = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(CELL_LAUNCH),
        launch_arguments=[(name, LaunchConfiguration(name)) for name in names],
    )
    return LaunchDescription([*ARGUMENTS, include, OpaqueFunction(function=start)])
