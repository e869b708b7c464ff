"""The service `load_recipe`: parts are inspected by another recipe from the next one on.

First every node loads the recipe beside those that it holds, then the cell begins to ask for it:
capture requests name recipes by their sha256, so no node has to switch at a certain time, and all
messages of one inspection are of one recipe. If any node refuses, nothing has changed.
"""

from functools import partial
from pathlib import Path
from typing import Any

from inspection_cell_msgs.srv import LoadRecipe

from inspection_cell.nodes.cell_recipes import CellRecipe, CellRecipes
from inspection_cell.nodes.exchange import Exchange
from inspection_cell.nodes.recipe_client import LOAD_WITHIN_S, SERVICE
from inspection_cell.nodes.recipe_holders import RecipeHolders
from inspection_cell.nodes.run import ManagedNode


class Changeover(Exchange[CellRecipe]):
    """Exchanges recipes while parts are inspected, one at a time."""

    busy = 'another recipe is being loaded; ask again when it is used'

    def __init__(
        self, node: ManagedNode[Any], recipes: CellRecipes, holders: RecipeHolders
    ) -> None:
        """Offer the service."""
        self._recipes = recipes
        self._holders = holders
        super().__init__(node, LoadRecipe, SERVICE)

    async def _answer(self, request: LoadRecipe.Request, response: LoadRecipe.Response) -> None:
        load = partial(self._recipes.load, Path(request.recipe).expanduser())
        late = f'the recipe was not loaded within {LOAD_WITHIN_S:g} s'
        recipe, why = await self._loading.do(load, LOAD_WITHIN_S, late)
        if recipe is not None:
            why = await self._held_by_all(recipe)
        self._settle(recipe, why, response)

    async def _held_by_all(self, recipe: CellRecipe) -> str:
        if self._closed:
            return 'the cell is being deactivated'
        why: str = await self._holders.hold_too(recipe.identity, LOAD_WITHIN_S)
        return why

    def _settle(self, recipe: CellRecipe | None, why: str, response: LoadRecipe.Response) -> None:
        logger = self._node.get_logger()
        if recipe is not None and not why:
            self._recipes.use(recipe)
            response.success, response.message = True, str(recipe)
            logger.info(f'from the next part on, {recipe}: {recipe.identity.path}')
        else:
            response.message = why
            logger.warning(f'no recipe was exchanged: {why}')
        self._holders.let_go()
        used = self._recipes.of(recipe.part_type) if recipe is not None else None
        response.part_type = recipe.part_type if recipe is not None else ''
        response.recipe_hash = used.identity.recipe_hash if used is not None else ''
