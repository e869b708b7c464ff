"""Node specs as launch actions, for the files under launch/."""

from collections.abc import Sequence
from pathlib import Path

from launch import LaunchContext
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from inspection_cell.bringup import NodeSpec, Parameter, Remapping
from inspection_cell.environment import settings_to_add
from inspection_cell.errors import DataError
from inspection_cell.locations import user_data_folder

RESPAWN_AFTER_S = 2.0
SWITCH = ['true', 'false']
CELL_ARGUMENTS = (
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
    DeclareLaunchArgument(
        'namespace',
        default_value='',
        description='Of the nodes, and prefix of the frames; empty: the name of the cell.',
    ),
    DeclareLaunchArgument(
        'remappings',
        default_value='',
        description='Names that are to be others, for all nodes, separated by spaces: '
        'left/image_raw:=/camera_1/image_raw.',
    ),
    DeclareLaunchArgument(
        'params_file',
        default_value='',
        description='YAML file with parameters of the nodes; it wins over what is given here.',
    ),
    DeclareLaunchArgument(
        'use_sim_time',
        default_value='false',
        choices=SWITCH,
        description='Whether stamps follow /clock. Deadlines never do.',
    ),
    DeclareLaunchArgument(
        'autostart',
        default_value='true',
        choices=SWITCH,
        description='Whether the nodes configure and activate themselves; '
        'else a lifecycle manager of yours does.',
    ),
    DeclareLaunchArgument(
        'log_level',
        default_value='info',
        choices=['debug', 'info', 'warn', 'error', 'fatal'],
        description='What the nodes write to the console.',
    ),
    DeclareLaunchArgument(
        'respawn',
        default_value='false',
        choices=SWITCH,
        description='Whether a node that ends is started again; parts in work are diverted.',
    ),
    DeclareLaunchArgument(
        'one_process',
        default_value='false',
        choices=SWITCH,
        description='Whether all nodes of the cell share one process, for small machines.',
    ),
    DeclareLaunchArgument(
        'local_only',
        default_value='false',
        choices=SWITCH,
        description='Whether the nodes are found on this machine only.',
    ),
)


def node_action(context: LaunchContext, spec: NodeSpec) -> Node:
    """The node as a launch action, with its output on the screen, as the arguments want it.

    What large messages need of the environment is set for this process alone: nothing that is
    launched beside the cell gets to see it.
    """
    namespace = argument(context, 'namespace').strip('/') or spec.namespace
    parameters: list[object] = [
        {parameter.name: _value(parameter) for parameter in spec.parameters},
        {name: is_on(context, name) for name in ('use_sim_time', 'autostart')},
    ]
    if file := argument(context, 'params_file'):
        parameters.append(str(Path(file).expanduser()))
    return Node(
        package='inspection_cell',
        executable=spec.executable,
        name=None if spec.nodes else spec.name,
        namespace=namespace,
        arguments=list(spec.nodes),
        ros_arguments=[
            *('--log-level', argument(context, 'log_level')),
            *('--enclave', spec.enclave(namespace)),
        ],
        parameters=parameters,
        remappings=[
            (one.original, one.replacement) for one in (*spec.remappings, *_remappings(context))
        ],
        additional_env=settings_to_add(
            context.environment, local_only=is_on(context, 'local_only')
        ),
        respawn=is_on(context, 'respawn'),
        respawn_delay=RESPAWN_AFTER_S,
        output='screen',
    )


def argument(context: LaunchContext, name: str) -> str:
    """The text of a launch argument."""
    return str(LaunchConfiguration(name).perform(context))


def is_on(context: LaunchContext, name: str) -> bool:
    """Whether a launch argument is `true`."""
    return argument(context, name) == 'true'


def paths(context: LaunchContext, name: str) -> Sequence[Path]:
    """The space-separated paths of a launch argument."""
    return [Path(text).expanduser() for text in argument(context, name).split()]


def _remappings(context: LaunchContext) -> list[Remapping]:
    words = argument(context, 'remappings').split()
    parts = [word.partition(':=') for word in words]
    for word, (original, _, replacement) in zip(words, parts, strict=True):
        if not original or not replacement:
            raise DataError(f'remappings: expected from:=to, got {word!r}')
    return [Remapping(original, replacement) for original, _, replacement in parts]


def _value(parameter: Parameter) -> ParameterValue | int | float | bool:
    # Text would be read as YAML otherwise: a folder named 7 would become a number.
    if isinstance(parameter.value, str):
        return ParameterValue(parameter.value, value_type=str)
    if isinstance(parameter.value, tuple):
        return ParameterValue(list(parameter.value), value_type=list[str])
    return parameter.value
