"""Enumerations from the numbers of messages."""

from enum import IntEnum
from typing import TypeVar

from inspection_cell.errors import DataError

E = TypeVar('E', bound=IntEnum)


def enum_from_msg(kind: type[E], value: int) -> E:
    """The member with this number; raises DataError when there is none."""
    try:
        return kind(value)
    except ValueError:
        known = ', '.join(f'{member.value} {member.name}' for member in kind)
        raise DataError(f'{kind.__name__}: expected one of {known}, got {value}') from None
