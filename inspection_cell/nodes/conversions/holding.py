"""Which recipes a node is to hold: conversions."""

from collections.abc import Sequence
from pathlib import Path

from inspection_cell_msgs.srv import HoldRecipes

from inspection_cell.errors import DataError
from inspection_cell.recipe_identity import RecipeIdentity


def identities_to_msg(recipes: Sequence[RecipeIdentity]) -> HoldRecipes.Request:
    """The request to hold these recipes."""
    return HoldRecipes.Request(
        recipes=[str(recipe.path) for recipe in recipes],
        recipe_hashes=[recipe.recipe_hash for recipe in recipes],
        side_hashes=[recipe.side_hash for recipe in recipes],
    )


def identities_from_msg(msg: HoldRecipes.Request) -> tuple[RecipeIdentity, ...]:
    """The recipes of a request; raises DataError for none, or lists that differ in length."""
    counts = {len(msg.recipes), len(msg.recipe_hashes), len(msg.side_hashes)}
    if len(counts) > 1:
        raise DataError(f'recipes and hashes: expected as many of each, got {sorted(counts)}')
    if not msg.recipes:
        raise DataError('recipes: expected at least one, got none')
    rows = zip(msg.recipes, msg.recipe_hashes, msg.side_hashes, strict=True)
    return tuple(RecipeIdentity(Path(path), *hashes) for path, *hashes in rows)
