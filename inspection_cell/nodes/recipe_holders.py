"""Whether the nodes that work by recipes hold those of the cell: asked all the time.

One node that has another recipe than the cell, or none, would make every verdict UNKNOWN; so the
cell is not ready before all hold the same. A node that was started anew, or cannot load a recipe,
is told again which ones it must hold, until it does.
"""

import time
from collections.abc import Callable, Sequence

from inspection_cell_msgs.srv import HoldRecipes
from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.task import Future

from inspection_cell.cell import Cell
from inspection_cell.nodes.conversions.holding import identities_to_msg
from inspection_cell.nodes.held_recipes import SERVICE
from inspection_cell.recipe_identity import RecipeIdentity

PERIOD_S = 0.5
SILENT_S = 5.0  # without an answer for so long, a node is not there
ASIDE = ('view_node', 'sim_node')  # asked where they run: no verdict needs them


class Holder:
    """One node, and what it answered last."""

    def __init__(self, node: Node, name: str) -> None:
        """Connect to the node's service."""
        self.name = name
        self._said = HoldRecipes.Response()
        self._said_s = -SILENT_S
        self._node = node
        self._client = node.create_client(HoldRecipes, f'{name}/{SERVICE}')
        self._asked: Future | None = None
        self._asked_s = 0.0

    @property
    def is_there(self) -> bool:
        """Whether it answered lately."""
        return time.monotonic() - self._said_s < SILENT_S

    @property
    def refusal(self) -> str:
        """Why it cannot hold what it was last asked for; empty when it can, or does not know."""
        return self._said.message if self._said.state == HoldRecipes.Response.REFUSED else ''

    @property
    def problem(self) -> str:
        """Why it does not hold what it should, in words."""
        if not self.is_there:
            return f'{self.name} does not say which recipes it holds'
        return f'{self.name}: {self._said.message or "it does not hold the recipes yet"}'

    def holds(self, recipe_hash: str) -> bool:
        """Whether it said lately that it can work by a recipe."""
        return self.is_there and recipe_hash in self._said.held

    def ask(self, wanted: Sequence[RecipeIdentity], *, anew: bool = False) -> None:
        """Tell it what to hold; not again before it has answered, or been silent for long."""
        now_s = time.monotonic()
        if anew:
            self._said.state = HoldRecipes.Response.UNKNOWN
        if self._asked is not None:
            if now_s - self._asked_s < SILENT_S and not anew:
                return
            self._client.remove_pending_request(self._asked)
            self._asked = None
        if self._client.service_is_ready():
            asked: Future = self._client.call_async(identities_to_msg(wanted))
            self._asked, self._asked_s = asked, now_s
            asked.add_done_callback(self._answered)

    def close(self) -> None:
        """Disconnect."""
        self._node.destroy_client(self._client)

    def _answered(self, future: Future) -> None:
        if self._asked is None or future is not self._asked:
            return  # given up, or asked anew
        before, self._said, self._said_s = self.refusal, future.result(), time.monotonic()
        self._asked = None
        if self.refusal and self.refusal != before:
            self._node.get_logger().error(f'{self.name}: {self.refusal}')


class RecipeHolders:
    """Tells the nodes which recipes they must hold, and knows who does not yet."""

    def __init__(
        self, node: Node, cell: Cell, wanted: Callable[[], Sequence[RecipeIdentity]]
    ) -> None:
        """Begin to ask.

        Args:
            node: of the cell.
            cell: its sensors say which nodes there must be.
            wanted: the recipes in use, and those of parts in work.
        """
        self._node = node
        self._wanted = wanted
        needed = {
            'detection_node': cell.cameras,
            'surface_node': cell.scanners,
            'process_node': cell.process_sensors,
        }
        self._needed = [Holder(node, name) for name, sensors in needed.items() if sensors]
        self._aside = [Holder(node, name) for name in ASIDE]
        self._next: RecipeIdentity | None = None
        self._told: Future | None = None
        self._until_s = 0.0
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(PERIOD_S, self._tick, clock=steady)

    def missing(self) -> list[str]:
        """Who does not hold what is in use, in words."""
        hashes = [one.recipe_hash for one in self._wanted()]
        return [
            holder.problem
            for holder in self._needed
            if not all(holder.holds(recipe_hash) for recipe_hash in hashes)
        ]

    def hold_too(self, recipe: RecipeIdentity, within_s: float) -> Future:
        """Have one recipe more held; one at a time.

        Returns:
            A future: why it is not held by all; empty when it is. They hold it until `let_go`.
        """
        self._next, self._until_s = recipe, time.monotonic() + within_s
        self._told = Future(executor=self._node.executor)
        for holder in self._all:
            holder.ask(self._recipes(), anew=True)
        return self._told

    def let_go(self) -> None:
        """That recipe is in use now, or is not wanted any more."""
        self._next = self._told = None

    def close(self) -> None:
        """Ask no more."""
        self._node.destroy_timer(self._timer)
        self._tell('the cell is being deactivated')
        self.let_go()
        for holder in self._all:
            holder.close()

    @property
    def _all(self) -> list[Holder]:
        return [*self._needed, *self._aside]

    def _recipes(self) -> list[RecipeIdentity]:
        return [*self._wanted(), *([self._next] if self._next else [])]

    def _tick(self) -> None:
        if self._next is not None:
            self._look_at_next(self._next)
        for holder in self._all:
            holder.ask(self._recipes())

    def _look_at_next(self, recipe: RecipeIdentity) -> None:
        taking_part = [*self._needed, *(one for one in self._aside if one.is_there)]
        lacking = [one for one in taking_part if not one.holds(recipe.recipe_hash)]
        refusals = [f'{one.name}: {one.refusal}' for one in lacking if one.refusal]
        if refusals:
            self._tell('; '.join(refusals))
        elif not lacking:
            self._tell('')
        elif time.monotonic() > self._until_s:
            self._tell('not in time: ' + '; '.join(one.problem for one in lacking))

    def _tell(self, why: str) -> None:
        if self._told is not None and not self._told.done():
            self._told.set_result(why)
