"""The service `load_recipe`: parts are inspected by another recipe from the next one on.

First every node loads the recipe beside those that it holds, then the cell begins to ask for it:
capture requests name recipes by their sha256, so no node has to switch at a certain time, and all
messages of one inspection are of one recipe. If any node refuses, nothing has changed.
"""

from functools import partial
from pathlib import Path
from typing import Any

from inspection_cell_msgs.srv import LoadRecipe
from rclpy.callback_groups import ReentrantCallbackGroup

from inspection_cell.nodes.background import Background
from inspection_cell.nodes.cell_recipes import CellRecipe, CellRecipes
from inspection_cell.nodes.recipe_client import LOAD_WITHIN_S, SERVICE
from inspection_cell.nodes.recipe_holders import RecipeHolders
from inspection_cell.nodes.run import ManagedNode


class Changeover:
    """Exchanges recipes while parts are inspected, one at a time."""

    def __init__(
        self, node: ManagedNode[Any], recipes: CellRecipes, holders: RecipeHolders
    ) -> None:
        """Offer the service."""
        self._node = node
        self._recipes = recipes
        self._holders = holders
        self._loading: Background[CellRecipe] = Background(node, SERVICE)
        self._answering = False
        self._closed = False
        # Reentrant: while one request waits for the nodes, others are refused at once.
        self._service = node.create_service(
            LoadRecipe, SERVICE, self._on_request, callback_group=ReentrantCallbackGroup()
        )

    def close(self) -> None:
        """Take the service back; a recipe that is being loaded is not used any more."""
        self._closed = True
        self._loading.join()
        if not self._answering:
            self._node.destroy_service(self._service)

    async def _on_request(
        self, request: LoadRecipe.Request, response: LoadRecipe.Response
    ) -> LoadRecipe.Response:
        if self._answering or self._loading.is_busy:
            response.message = 'another recipe is being loaded; ask again when it is used'
            return response
        self._answering = True
        load = partial(self._recipes.load, Path(request.recipe).expanduser())
        late = f'the recipe was not loaded within {LOAD_WITHIN_S:g} s'
        recipe, why = await self._loading.do(load, LOAD_WITHIN_S, late)
        if recipe is not None:
            why = await self._held_by_all(recipe)
        self._answering = False
        self._settle(recipe, why, response)
        if self._closed and self._node.executor is not None:  # once this answer is on its way
            self._node.executor.create_task(self._node.destroy_service, self._service)
        return response

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
