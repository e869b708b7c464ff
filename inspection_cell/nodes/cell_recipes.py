"""The recipes that the cell inspects by: one per part type, exchangeable between two parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inspection_cell.cell import Cell
from inspection_cell.errors import DataError
from inspection_cell.fusion.fuse import Fuser
from inspection_cell.recipe import Recipe, check_fit, load_recipe
from inspection_cell.recipe_identity import RecipeIdentity, identity_of
from inspection_cell.reference import load_reference


@dataclass(frozen=True, slots=True)
class CellRecipe:
    """A recipe with what makes verdicts by it."""

    identity: RecipeIdentity
    fuser: Fuser

    @property
    def part_type(self) -> str:
        """Whose parts are inspected by it."""
        return self.fuser.recipe.part_type

    def __str__(self) -> str:
        """Which one, in words: `bracket 1a2b3c4d5e6f`."""
        return f'{self.part_type} {self.identity.recipe_hash[:12]}'


class CellRecipes:
    """Which recipe the next part of a type is inspected by."""

    def __init__(self, cell: Cell, recipes: Sequence[Recipe]) -> None:
        """Prepare what makes verdicts by each recipe."""
        self._cell = cell
        self._used = {recipe.part_type: self._prepared(recipe) for recipe in recipes}

    @property
    def used(self) -> tuple[CellRecipe, ...]:
        """All that parts can be inspected by, in the order in which their types came."""
        return tuple(self._used.values())

    def of(self, part_type: str) -> CellRecipe | None:
        """The recipe of a part type; None for one that the cell does not know."""
        return self._used.get(part_type)

    def use(self, recipe: CellRecipe) -> None:
        """Inspect by this recipe from the next part of its type on."""
        self._used = {**self._used, recipe.part_type: recipe}

    def load(self, path: Path) -> CellRecipe:
        """Prepare a recipe beside the others, in any thread.

        Args:
            path: of the recipe.yaml, or of its folder.

        Returns:
            The very one in use, where the file is the same.

        Raises:
            ConfigError: for a recipe that is wrong or does not fit the cell.
            DataError: for a mesh that cannot serve, or one that changed while the recipe.yaml did
                not: records name recipes by the sha256 of the recipe.yaml.
        """
        recipe = load_recipe(path / 'recipe.yaml' if path.is_dir() else path)
        check_fit(recipe, self._cell)
        used = self._used.get(recipe.part_type)
        if used is None or used.identity.recipe_hash != recipe.sha256:
            return self._prepared(recipe)
        if not used.identity.same_content(identity_of(recipe)):
            raise DataError(
                f'{recipe.path}: its mesh or learned reference has changed, the recipe.yaml has '
                'not: change a word of it as well (a comment serves), so that records differ'
            )
        return used

    def _prepared(self, recipe: Recipe) -> CellRecipe:
        identity = identity_of(recipe)  # first: a file that changes meanwhile is found out
        fuser = Fuser(recipe, self._cell, load_reference(recipe))
        fuser.warm()
        return CellRecipe(identity, fuser)
