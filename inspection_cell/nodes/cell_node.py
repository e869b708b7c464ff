"""cell_node: takes parts by action, has them presented, captured and inspected, and decides."""

import random
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass

from inspection_cell_msgs.action import InspectPart
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle

from inspection_cell.bringup import load_recipes
from inspection_cell.cell import load_cell
from inspection_cell.disposition import Disposition
from inspection_cell.nodes.board import Board
from inspection_cell.nodes.cell_recipes import CellRecipe, CellRecipes
from inspection_cell.nodes.cell_topics import CellTopics
from inspection_cell.nodes.changeover import Changeover
from inspection_cell.nodes.diagnosis import Diagnosis, Reading
from inspection_cell.nodes.goal_in_work import GoalInWork, Services
from inspection_cell.nodes.heartbeat import Heartbeat
from inspection_cell.nodes.inspection_goal import Station, Task
from inspection_cell.nodes.inspection_ids import InspectionIds
from inspection_cell.nodes.journal import Journal
from inspection_cell.nodes.params import CellParams, parameter
from inspection_cell.nodes.permits import Permits
from inspection_cell.nodes.presenting import Presenter
from inspection_cell.nodes.readiness import Readiness
from inspection_cell.nodes.recipe_holders import RecipeHolders
from inspection_cell.nodes.run import ManagedNode, run
from inspection_cell.nodes.traffic import Traffic
from inspection_cell.recipe_identity import RecipeIdentity
from inspection_cell.records.store import RecordStore

THREADS_END_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class CellNodeParams(CellParams):
    """What cell_node is told."""

    id_seed: int = parameter(
        -1,
        'Seed of the random suffix of inspection ids, for exact replay; -1: a new one each time.',
        low=-1,
        high=2**31,
    )


class CellNode(ManagedNode[CellNodeParams]):
    """Serves InspectPart; every goal has its thread, callbacks only pass messages on."""

    def __init__(self) -> None:
        """Declare the parameters."""
        super().__init__('cell_node', CellNodeParams)
        self._held = ExitStack()
        self._in_work: list[tuple[threading.Thread, CellRecipe]] = []
        seed = self.params.id_seed
        self._ids = InspectionIds(random.Random(seed if seed >= 0 else None))

    def configure(self) -> None:
        """Load cell, recipes and references; open the record store."""
        self._cell = load_cell(self.params.cell_path)
        recipes = load_recipes(self._cell, self.params.recipe_paths)
        self._recipes = CellRecipes(self._cell, recipes)
        store = RecordStore(self.params.data_path)
        self._held.callback(store.close)
        self._journal = Journal(store, self._cell, self.get_logger())

    def cleanup(self) -> None:
        """Close the record store."""
        self._held.close()

    def activate(self) -> None:
        """Open topics and actions, and begin to beat."""
        settings = self._cell.file.disposition
        presenter = Presenter(self, self._cell.file.robot)
        # A permit that is still valid must not meet the next part.
        leave_s = max(settings.confirm_within_s, settings.release_valid_s)
        traffic = Traffic(settings.buffer, settings.decide_within_s + leave_s)
        board = Board()
        self._holders = RecipeHolders(self, self._cell, self._recipes_needed)
        readiness = Readiness(self, self._cell, presenter, self._holders)
        self._shared = Services(
            Station(self._cell, board, presenter, traffic),
            CellTopics(self, self._cell, board, self._disposed),
            Heartbeat(self, lambda: self._recipes.used, readiness.missing),
            self._journal,
            Permits(self, settings),
            threading.Event(),
            self.get_logger(),
        )
        self._server = ActionServer(
            self,
            InspectPart,
            'inspect_part',
            execute_callback=_never,
            goal_callback=self._offered,
            handle_accepted_callback=self._accepted,
            cancel_callback=lambda _: CancelResponse.ACCEPT,
        )
        self._changeover = Changeover(self, self._recipes, self._holders)
        self._diagnosis = Diagnosis(self, self._readings)

    def deactivate(self) -> None:
        """Stop: permits are withdrawn and the parts in work diverted."""
        shared = self._shared
        shared.stopping.set()
        shared.permits.close()
        for thread, _ in self._in_work:
            thread.join(THREADS_END_WITHIN_S)
        self._diagnosis.close()
        self._changeover.close()
        self._holders.close()
        self._server.destroy()
        shared.heartbeat.close()
        shared.topics.close()
        shared.station.presenter.close()

    def _offered(self, goal: InspectPart.Goal) -> GoalResponse:
        if self._recipes.of(goal.part_type) is None:
            known = ', '.join(recipe.part_type for recipe in self._recipes.used)
            self.get_logger().error(f'{goal.part_id}: no recipe {goal.part_type!r}, only {known}')
            return GoalResponse.REJECT
        if not self._shared.station.traffic.has_room:
            self.get_logger().error(f'{goal.part_id}: refused, enough parts wait already')
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _accepted(self, handle: ServerGoalHandle) -> None:
        request = handle.request
        inspection_id = self._ids.next(self._shared.topics.now_ns())
        recipe = self._recipes.of(request.part_type)
        if recipe is None:  # cannot be: types come, and never go
            handle.abort()
            return
        # Not in `_offered`: a client that went away in between has no goal that could end.
        self._shared.station.traffic.accept()
        task = Task(inspection_id, request.part_id, recipe.fuser)
        goal = GoalInWork(self._shared, task, handle)
        thread = threading.Thread(target=goal.serve, name=inspection_id)
        thread.start()
        self._in_work = [(one, by) for one, by in self._in_work if one.is_alive()]
        self._in_work.append((thread, recipe))

    def _recipes_needed(self) -> list[RecipeIdentity]:
        """Those in use, and those of parts in work."""
        in_work = [recipe for thread, recipe in self._in_work if thread.is_alive()]
        recipes = [*self._recipes.used, *in_work]
        return list({one.identity.recipe_hash: one.identity for one in recipes}.values())

    def _disposed(self, disposition: Disposition) -> None:
        inspection_id = disposition.command.inspection_id
        self._shared.permits.end(inspection_id)
        self._shared.station.traffic.disposed(inspection_id)
        if inspection_id:
            self._journal.dispose(disposition)

    def _readings(self) -> list[Reading]:
        heartbeat = self._shared.heartbeat
        return [
            Reading('cell', heartbeat.problem, {'in_work': str(heartbeat.in_work)}),
            self._journal.reading,
        ]


def _never(handle: ServerGoalHandle) -> InspectPart.Result:
    """The server wants one; each goal is ended by its own thread's `execute`."""
    handle.abort()
    return InspectPart.Result()


def main() -> int:
    """Run cell_node."""
    return run(CellNode)


if __name__ == '__main__':
    sys.exit(main())
