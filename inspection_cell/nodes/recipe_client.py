"""Asks a running cell to inspect by a recipe; prints the answer as one JSON line on stdout."""

import sys
from dataclasses import dataclass

from inspection_cell_msgs.srv import LoadRecipe

from inspection_cell.nodes.cell_asking import AskParams, CellAsking
from inspection_cell.nodes.params import parameter
from inspection_cell.nodes.task import run_task

SERVICE = 'load_recipe'
LOAD_WITHIN_S = 120.0  # a recipe that no node, or not every node, has loaded by then is not used


@dataclass(frozen=True, slots=True)
class RecipeParams(AskParams):
    """What the recipe client is told."""

    recipe: str = parameter('', 'Path of the recipe.yaml, or of its folder.')


def load(node: CellAsking[RecipeParams]) -> None:
    """Ask once; raises InspectionCellError when the recipe was refused."""
    request = LoadRecipe.Request(recipe=node.params.recipe)
    node.tell(node.ask(LoadRecipe, SERVICE, request), 'part_type', 'recipe_hash')


def main() -> int:
    """Run the client; exit status 1 when no recipe was exchanged."""
    return run_task(lambda: CellAsking('recipe_client', RecipeParams), load)


if __name__ == '__main__':
    sys.exit(main())
