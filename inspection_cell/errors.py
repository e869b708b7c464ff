"""The errors that the core raises; a node turns them into a view status at its edge."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class InspectionCellError(Exception):
    """Anything that this package refuses; the message says what was expected, what came, where."""


class DataError(InspectionCellError):
    """An image, cloud, mesh, pose or stored part that cannot be used as it is."""


class PoseError(DataError):
    """Where a sensor or the part was at an exposure is not known."""


class ModelError(InspectionCellError):
    """A detector model folder that is missing, damaged or does not fit the recipe."""


class StoreError(InspectionCellError):
    """The record store or the evidence folder cannot take or give what was asked."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file: where it stands, what it is and what is allowed."""

    key: str
    value: str
    allowed: str

    def __str__(self) -> str:
        """Words for one line of a report."""
        return f'{self.key}: {self.value}: {self.allowed}'


class ConfigError(InspectionCellError):
    """A `cell.yaml` or `recipe.yaml` that is refused, with all its problems at once."""

    def __init__(self, file: Path, problems: Sequence[Problem]) -> None:
        """Keep the problems for callers that print them one by one."""
        self.file = file
        self.problems = tuple(problems)
        super().__init__('\n'.join(f'{file}: {problem}' for problem in self.problems))
