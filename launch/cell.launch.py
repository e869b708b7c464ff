"""The nodes of one cell: `ros2 launch inspection_cell cell.launch.py cell:=FILE`.

Made to be included in a bringup of yours, also several times: see docs/integrating.md.
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction

from inspection_cell.bringup import cell_nodes, in_one_process, load_recipes, of_this_machine
from inspection_cell.cell import load_cell
from inspection_cell.nodes.launching import CELL_ARGUMENTS, argument, is_on, node_action, paths


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The nodes that the cell's sensors need."""
    cell = load_cell(Path(argument(context, 'cell')).expanduser())
    recipes = load_recipes(cell, paths(context, 'recipes'))
    data_dir = Path(argument(context, 'data_dir')).expanduser()
    specs = cell_nodes(cell, recipes, data_dir, retry=True)
    specs = of_this_machine(specs, argument(context, 'nodes').split())
    if is_on(context, 'one_process'):
        specs = (in_one_process(specs),)
    return [node_action(context, spec) for spec in specs]


def generate_launch_description() -> LaunchDescription:
    """Arguments and nodes."""
    cell = DeclareLaunchArgument('cell', description='Path of the cell.yaml.')
    nodes = DeclareLaunchArgument(
        'nodes',
        default_value='',
        description='Those that run on this machine, separated by spaces; empty: all.',
    )
    return LaunchDescription([cell, nodes, *CELL_ARGUMENTS, OpaqueFunction(function=start)])
