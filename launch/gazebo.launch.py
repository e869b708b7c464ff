"""A cell in Gazebo, docs/gazebo.md: `ros2 launch inspection_cell gazebo.launch.py parts:=2`."""

import shlex
from pathlib import Path

from launch import LaunchContext, LaunchDescription, LaunchDescriptionEntity
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.substitutions import FindPackageShare

from inspection_cell.bringup import Simulated, client_node, gazebo_node, load_recipes
from inspection_cell.cell import load_cell
from inspection_cell.gazebo.files import write_gazebo
from inspection_cell.gazebo.parts import chosen_kinds, ready_parts
from inspection_cell.gazebo.prerequisites import require_gazebo
from inspection_cell.locations import demo_cell
from inspection_cell.nodes.launching import (
    CELL_ARGUMENTS,
    SWITCH,
    argument,
    is_on,
    node_action,
    paths,
)

CELL_LAUNCH = str(Path(__file__).with_name('cell.launch.py'))
OWN = {
    'cell': (str(demo_cell()), 'Path of your cell.yaml; a copy for Gazebo is made of it.'),
    'parts': ('4', 'How many parts exist.'),
    'seed': ('0', 'The same seed gives the same parts.'),
    'defects': ('', 'What every part has: dent,scratch or none; empty: half of the parts.'),
    'use_sim_time': ('true', 'Whether stamps follow /clock. Deadlines never do.'),
    'local_only': ('true', 'Whether the nodes are found on this machine only.'),
    'gui': ('true', "Whether Gazebo's window opens."),
    'client': ('true', 'Whether to have every part inspected; else goals are awaited.'),
}


def start(context: LaunchContext) -> list[LaunchDescriptionEntity]:
    """Gazebo, the bridge, the robot side and the cell."""
    require_gazebo(context.environment)
    yours = load_cell(Path(argument(context, 'cell')).expanduser())
    recipes = load_recipes(yours, paths(context, 'recipes'))
    source = Simulated(int(argument(context, 'seed')), int(argument(context, 'parts')))
    ready = ready_parts(yours, recipes, source, chosen_kinds(argument(context, 'defects')))
    folder = Path(argument(context, 'data_dir')).expanduser() / 'gazebo' / yours.file.name
    files = write_gazebo(yours, recipes, ready, folder, argument(context, 'namespace'))
    cell = load_cell(files.cell)
    window = '' if is_on(context, 'gui') else '-s --headless-rendering '
    gazebo = PathJoinSubstitution([FindPackageShare('ros_gz_sim'), 'launch', 'gz_sim.launch.py'])
    given = {one.name: LaunchConfiguration(one.name) for one in CELL_ARGUMENTS}
    given |= {'cell': str(files.cell), 'recipes': ' '.join(str(one.path) for one in recipes)}
    config = [{'config_file': str(files.bridge)}]
    bridge = Node(
        package='ros_gz_bridge', executable='parameter_bridge', parameters=config, output='screen'
    )
    nodes = [gazebo_node(cell, recipes, files.parts)]
    nodes += [client_node(cell, files.parts)] * is_on(context, 'client')
    world = {'gz_args': f'-r {window}{shlex.quote(str(files.world))}'}
    includes = [_include(gazebo, world), _include(CELL_LAUNCH, given)]
    return [*includes, bridge, *(node_action(context, node) for node in nodes)]


def _include(path: object, arguments: dict[str, object]) -> IncludeLaunchDescription:
    source = PythonLaunchDescriptionSource(path)
    return IncludeLaunchDescription(source, launch_arguments=list(arguments.items()))


def _declared(name: str) -> DeclareLaunchArgument:
    value, text = OWN[name]
    kinds = SWITCH if value in SWITCH else None
    return DeclareLaunchArgument(name, default_value=value, description=text, choices=kinds)


def generate_launch_description() -> LaunchDescription:
    """Arguments, and what they lead to."""
    rest = [one for one in CELL_ARGUMENTS if one.name not in OWN]
    return LaunchDescription([*map(_declared, OWN), *rest, OpaqueFunction(function=start)])
