"""Node parameters from a frozen dataclass: description, range and read-only flag per field."""

from collections.abc import Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from inspection_cell.errors import DataError
from inspection_cell.locations import user_data_folder

P = TypeVar('P')
V = TypeVar('V')

LEVELS = ('debug', 'info', 'warn', 'error', 'fatal')
TYPES: dict[object, Parameter.Type] = {
    str: Parameter.Type.STRING,
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    tuple[str, ...]: Parameter.Type.STRING_ARRAY,
}


@dataclass(frozen=True, slots=True)
class Described:
    """What `ros2 param describe` shows beside the type."""

    description: str
    low: float | None = None
    high: float | None = None
    read_only: bool = True
    choices: tuple[str, ...] = ()


def parameter(
    default: V,
    description: str,
    *,
    low: float | None = None,
    high: float | None = None,
    read_only: bool = True,
    choices: tuple[str, ...] = (),
) -> V:
    """A dataclass field that is a node parameter.

    Args:
        default: where the parameter is not given.
        description: a sentence with the unit.
        low: smallest value of a number.
        high: largest value of a number.
        read_only: whether it can only be given at the start.
        choices: the texts that are allowed; none: all.
    """
    described = Described(description, low, high, read_only, choices)
    return field(default=default, metadata={'parameter': described})


@dataclass(frozen=True, slots=True)
class CellParams:
    """What every node of the cell is told."""

    cell: str = parameter('', 'Path of the cell.yaml.')
    recipes: tuple[str, ...] = parameter(
        (), "Paths of recipe.yaml files or their folders; empty: those beside the cell's."
    )
    data_dir: str = parameter(
        '', "Folder for records, evidence and models; empty: the user's data folder."
    )
    autostart: bool = parameter(True, 'Whether to configure and activate at the start.')
    retry: bool = parameter(
        False, 'Whether to try again, after growing pauses, what cannot start; else it ends.'
    )

    log_level: str = parameter(
        '',
        'What is logged: debug, info, warn, error or fatal; empty: as the process was told.',
        read_only=False,
        choices=('', *LEVELS),
    )
    diagnostics_period_s: float = parameter(
        1.0, 'Time between two reports on /diagnostics, s.', low=0.1, high=60.0, read_only=False
    )

    @property
    def cell_path(self) -> Path:
        """The cell.yaml; raises DataError when none was given."""
        if not self.cell:
            raise DataError('parameter cell: expected the path of a cell.yaml, it is empty')
        return Path(self.cell).expanduser()

    @property
    def recipe_paths(self) -> tuple[Path, ...]:
        """The recipe.yaml files, or their folders."""
        return tuple(Path(recipe).expanduser() for recipe in self.recipes)

    @property
    def data_path(self) -> Path:
        """The data folder."""
        return Path(self.data_dir).expanduser() if self.data_dir else user_data_folder()


def declare(node: Node, kind: type[P]) -> P:
    """Declare every field of `kind` as a parameter of the node and return what was given.

    Raises:
        DataError: for a value of the wrong type or out of range, naming the parameter.
    """
    types = get_type_hints(kind)
    values: dict[str, Any] = {}
    for entry in fields(kind):  # type: ignore[arg-type]  # P is a dataclass
        values[entry.name] = _declare_one(node, entry, types[entry.name])
    if why := refusal(kind, [Parameter(name, value=value) for name, value in values.items()]):
        raise DataError(why)
    return kind(**values)


def refusal(kind: type[Any], given: Sequence[Parameter]) -> str:
    """Why values cannot be taken, in words; rclpy itself checks type, range and read-only."""
    entries = {entry.name: entry for entry in fields(kind)}
    for one in given:
        if one.name not in entries:
            continue
        choices = entries[one.name].metadata['parameter'].choices
        if choices and one.value not in choices:
            return f'parameter {one.name}: expected one of {choices}, got {one.value!r}'
    return ''


def _declare_one(node: Node, entry: Field[object], hint: object) -> object:
    described: Described = entry.metadata['parameter']
    descriptor = ParameterDescriptor(
        description=described.description,
        read_only=described.read_only,
        type=TYPES[hint].value,
    )
    _limit(descriptor, hint, described)
    default = entry.default if entry.default is not MISSING else None
    # An empty array has no element type, so rclpy is told the type instead of the value.
    first = TYPES[hint] if default == () else default
    try:
        value = node.declare_parameter(entry.name, first, descriptor).value
    except (InvalidParameterTypeException, InvalidParameterValueException) as error:
        raise DataError(f'parameter {entry.name}: {error}') from error
    if hint == tuple[str, ...]:
        return tuple(value or ())
    return value


def _limit(descriptor: ParameterDescriptor, hint: object, described: Described) -> None:
    if described.low is None or described.high is None:
        return
    if hint is int:
        limits = IntegerRange(from_value=int(described.low), to_value=int(described.high))
        descriptor.integer_range = [limits]
    else:
        wide = FloatingPointRange(from_value=described.low, to_value=described.high)
        descriptor.floating_point_range = [wide]
