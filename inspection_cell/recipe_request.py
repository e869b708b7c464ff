"""Asking a running cell to inspect by a recipe, from a process without ROS."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from inspection_cell.bringup import recipe_client
from inspection_cell.node_answer import answer_of


@dataclass(frozen=True, slots=True)
class RecipeAnswer:
    """What the cell answered.

    Attributes:
        success: whether the next part of this type is inspected by the recipe; if not, nothing
            has changed.
        message: which recipe is used now, or why it was refused.
        recipe_hash: sha256 of the recipe.yaml that is used for the part type.
    """

    success: bool
    message: str
    part_type: str
    recipe_hash: str


_ANSWER = TypeAdapter(RecipeAnswer)


def request_recipe(recipe: Path, namespace: str = '') -> RecipeAnswer:
    """Have a cell inspect by a recipe; returns when it does or has refused.

    Args:
        recipe: the recipe.yaml or its folder, on the cell's machine.
        namespace: of the cell; empty: the only one that runs.

    Raises:
        InspectionCellError: when no cell answers, with what the client has logged.
    """
    return answer_of(recipe_client(namespace, recipe), _ANSWER.validate_json)
