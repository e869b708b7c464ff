"""The nodes of one cell: `ros2 launch inspection_cell cell.launch.py cell:=FILE`."""

from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, OpaqueFunction

from inspection_cell.bringup import cell_nodes, load_recipes
from inspection_cell.cell import load_cell
from inspection_cell.locations import user_data_folder
from inspection_cell.nodes.launching import argument, environment_actions, node_action, paths

ARGUMENTS = (
    DeclareLaunchArgument('cell', description='Path of the cell.yaml.'),
    DeclareLaunchArgument(
        'recipes',
        default_value='',
        description='Paths of recipe.yaml files, separated by spaces; '
        'empty: every ../recipes/*/recipe.yaml beside the cell.yaml that fits it.',
    ),
    DeclareLaunchArgument(
        'data_dir',
        default_value=str(user_data_folder()),
        description='Folder for records, evidence and promoted models.',
    ),
)


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """The nodes that the cell's sensors need."""
    cell = load_cell(Path(argument(context, 'cell')).expanduser())
    recipes = load_recipes(cell, paths(context, 'recipes'))
    data_dir = Path(argument(context, 'data_dir')).expanduser()
    return [node_action(spec) for spec in cell_nodes(cell, recipes, data_dir)]


def generate_launch_description() -> LaunchDescription:
    """Arguments, transport settings, nodes."""
    return LaunchDescription([*ARGUMENTS, *environment_actions(), OpaqueFunction(function=start)])
