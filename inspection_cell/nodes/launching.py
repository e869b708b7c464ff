"""Node specs as launch actions, for the files under launch/."""

from collections.abc import Sequence
from pathlib import Path

from launch import LaunchContext
from launch.actions import SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue

from inspection_cell.bringup import NodeSpec, Parameter
from inspection_cell.environment import settings_to_add


def node_action(spec: NodeSpec) -> Node:
    """The node as a launch action, with its output on the screen."""
    return Node(
        package='inspection_cell',
        executable=spec.executable,
        name=spec.name,
        namespace=spec.namespace,
        parameters=[{parameter.name: _value(parameter) for parameter in spec.parameters}],
        remappings=[(one.original, one.replacement) for one in spec.remappings],
        output='screen',
    )


def environment_actions(*, local_only: bool = False) -> list[SetEnvironmentVariable]:
    """Set the variables that large messages need; what the user has set stays."""
    settings = settings_to_add(local_only=local_only)
    return [SetEnvironmentVariable(name, value) for name, value in settings.items()]


def argument(context: LaunchContext, name: str) -> str:
    """The text of a launch argument."""
    return str(LaunchConfiguration(name).perform(context))


def paths(context: LaunchContext, name: str) -> Sequence[Path]:
    """The space-separated paths of a launch argument."""
    return [Path(text).expanduser() for text in argument(context, name).split()]


def _value(parameter: Parameter) -> ParameterValue | int | float | bool:
    # Text would be read as YAML otherwise: a folder named 7 would become a number.
    if isinstance(parameter.value, str):
        return ParameterValue(parameter.value, value_type=str)
    if isinstance(parameter.value, tuple):
        return ParameterValue(list(parameter.value), value_type=list[str])
    return parameter.value
