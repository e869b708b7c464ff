"""One thing that was looked at, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is."""

    OK = 'ok'
    WARNING = 'warning'  # works, but slower, less surely, or not everywhere
    ERROR = 'error'  # no part can be accepted like this


@dataclass(frozen=True, slots=True)
class Found:
    """What was looked at, what was seen, and what to do; nothing where all is well."""

    name: str
    level: Level
    seen: str
    advice: str = ''


def ok(name: str, seen: str) -> Found:
    """All is well."""
    return Found(name, Level.OK, seen)
