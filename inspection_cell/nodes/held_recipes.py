"""The recipes that a node can work by, and the service by which the cell tells which they are."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from inspection_cell_msgs.srv import HoldRecipes

from inspection_cell.cell import Cell
from inspection_cell.errors import DataError
from inspection_cell.nodes.background import JOIN_S
from inspection_cell.nodes.conversions.holding import identities_from_msg
from inspection_cell.nodes.run import ManagedNode, guarded
from inspection_cell.pauses import Pauses
from inspection_cell.recipe import Recipe, check_fit, load_recipe
from inspection_cell.recipe_identity import RecipeIdentity, identity_of

T = TypeVar('T')

SERVICE = 'hold_recipes'
KNOWN = 16  # recipes that views in work may still ask for

Answer = tuple[int, str]  # state and message


class HeldRecipes(Generic[T]):
    """What a node has made ready for each recipe, by the recipe's sha256.

    A recipe that the cell wants as well is loaded in a thread, beside the others; it is put in
    place, and those that are not wanted any more are forgotten, in the executor.
    """

    def __init__(
        self,
        node: ManagedNode[Any],
        cell: Cell,
        make: Callable[[Recipe], T],
        changed: Callable[[Mapping[str, T]], None] = lambda _: None,
    ) -> None:
        """Hold none.

        Args:
            node: whose recipes they are.
            cell: that they must fit.
            make: makes ready for one recipe, in any thread; raises to refuse it.
            changed: told all that is ready when that has changed.
        """
        self._node = node
        self._cell = cell
        self._make = make
        self._changed = changed
        self._identities: dict[str, RecipeIdentity] = {}
        self._ready: dict[str, T] = {}
        self._recipes: dict[str, Recipe] = {}
        self._thread: threading.Thread | None = None
        self._made: list[tuple[Recipe, RecipeIdentity, T]] = []
        self._asked: Sequence[RecipeIdentity] = ()
        self._why = ''
        self._pauses = Pauses()

    def load(self, recipes: Iterable[Recipe]) -> None:
        """Make ready for recipes, one after the other; raises what `make` raises."""
        for recipe in recipes:
            self._place(recipe, identity_of(recipe), self._make(recipe))

    def holds(self, recipe_hash: str) -> bool:
        """Whether views of a recipe can be looked at."""
        return recipe_hash in self._ready

    def ready(self, recipe_hash: str) -> T | None:
        """What is ready for a recipe; None for one that is not held."""
        return self._ready.get(recipe_hash)

    def recipe(self, recipe_hash: str) -> Recipe:
        """A recipe that is held, or was until lately; raises KeyError for any other."""
        return self._recipes[recipe_hash]

    @property
    def held(self) -> tuple[Recipe, ...]:
        """The recipes that are held."""
        return tuple(self._recipes[recipe_hash] for recipe_hash in self._ready)

    def open(self) -> None:
        """Listen to the cell."""
        self._service = self._node.create_service(HoldRecipes, f'~/{SERVICE}', self._on_request)

    def close(self) -> None:
        """Listen no more; a recipe that is being loaded is not used."""
        self._node.destroy_service(self._service)
        if self._thread is not None:
            self._thread.join(JOIN_S)
        self._thread, self._made, self._asked = None, [], ()

    def _on_request(
        self, request: HoldRecipes.Request, response: HoldRecipes.Response
    ) -> HoldRecipes.Response:
        try:
            wanted = identities_from_msg(request)
        except DataError as error:
            response.state, response.message = HoldRecipes.Response.REFUSED, str(error)
        else:
            response.state, response.message = self._answer(wanted)
        response.held = list(self._ready)
        return response

    def _answer(self, wanted: Sequence[RecipeIdentity]) -> Answer:
        if self._thread is not None and self._thread.is_alive():
            return HoldRecipes.Response.LOADING, f'{self._thread.name} is being loaded'
        self._take_what_was_made()
        if wanted != self._asked:  # what was refused before does not count
            self._asked, self._why = wanted, ''
            self._pauses.end()
        lacking = [one for one in wanted if one.recipe_hash not in self._ready]
        problem = self._changed_beside(wanted) or self._why
        if problem and not (self._why and self._pauses.are_over):
            return HoldRecipes.Response.REFUSED, problem
        if lacking:
            self._begin(lacking[-1])  # the newest: what it replaces may not be there any more
            return HoldRecipes.Response.LOADING, f'{lacking[-1].path} is being loaded'
        self._forget_all_but({one.recipe_hash for one in wanted})
        return HoldRecipes.Response.HELD, ''

    def _take_what_was_made(self) -> None:
        for made in self._made:
            self._place(*made)
        if self._thread is not None and self._why:
            self._pauses.begin()
        self._thread, self._made = None, []

    def _changed_beside(self, wanted: Sequence[RecipeIdentity]) -> str:
        for one in wanted:
            held = self._identities.get(one.recipe_hash)
            if held is not None and not held.same_content(one):
                return f'mesh or learned reference of {one.path} changed since it was loaded'
        return ''

    def _begin(self, wanted: RecipeIdentity) -> None:
        def work() -> None:
            self._why = guarded(self._node.get_logger(), SERVICE, partial(self._load, wanted))

        self._why = ''
        self._thread = threading.Thread(target=work, name=str(wanted.path), daemon=True)
        self._thread.start()

    def _load(self, wanted: RecipeIdentity) -> None:
        recipe = load_recipe(wanted.path)
        check_fit(recipe, self._cell)
        identity = identity_of(recipe)
        if not identity.same_content(wanted):
            raise DataError(f'{wanted.path} or its mesh has changed since the cell loaded it')
        self._made.append((recipe, identity, self._make(recipe)))

    def _place(self, recipe: Recipe, identity: RecipeIdentity, ready: T) -> None:
        self._recipes.pop(recipe.sha256, None)  # the newest is the last
        self._recipes[recipe.sha256] = recipe
        self._identities[recipe.sha256] = identity
        self._ready[recipe.sha256] = ready
        self._changed(self._ready)

    def _forget_all_but(self, wanted: set[str]) -> None:
        if wanted >= self._ready.keys():
            return
        for recipe_hash in self._ready.keys() - wanted:
            del self._ready[recipe_hash], self._identities[recipe_hash]
        for recipe_hash in [known for known in self._recipes if known not in self._ready][:-KNOWN]:
            del self._recipes[recipe_hash]
        self._changed(self._ready)
