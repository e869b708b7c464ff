"""Node parameters from a frozen dataclass: description, range and read-only flag per field."""

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


def parameter(
    default: V,
    description: str,
    *,
    low: float | None = None,
    high: float | None = None,
    read_only: bool = True,
) -> V:
    """A dataclass field that is a node parameter.

    Args:
        default: where the parameter is not given.
        description: a sentence with the unit.
        low: smallest value of a number.
        high: largest value of a number.
        read_only: whether it can only be given at the start.
    """
    described = Described(description, low, high, read_only)
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
    return kind(**values)


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
