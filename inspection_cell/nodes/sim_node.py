"""The simulated robot, sensors and actuators of a cell, over the topics that hardware has."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inspection_cell.bringup import Simulated, load_recipes
from inspection_cell.cell import Cell, load_cell
from inspection_cell.errors import DataError
from inspection_cell.geometry import Intrinsics
from inspection_cell.nodes.params import CellParams, parameter
from inspection_cell.nodes.part_source import HeldPart, PresentRequest, SensorFrame
from inspection_cell.nodes.robot_side import RobotSide
from inspection_cell.nodes.run import run
from inspection_cell.part_orders import planned_parts
from inspection_cell.recipe import Recipe
from inspection_cell.sim.plan import PlannedPart
from inspection_cell.sim.station import Station


@dataclass(frozen=True, slots=True)
class SimParams(CellParams):
    """What the simulator is told."""

    seed: int = parameter(0, 'Seed of all parts, poses and noise.', low=0, high=2**31)
    parts: int = parameter(20, 'How many parts exist.', low=1, high=1_000_000)
    faults: tuple[str, ...] = parameter((), 'Faults that occur: names of sim/plan.py.')


class SimulatedSource:
    """Planned parts in the hands of the simulated robot."""

    def __init__(
        self, cell: Cell, recipes: Sequence[Recipe], planned: Sequence[PlannedPart], seed: int
    ) -> None:
        """Take the parts that exist."""
        self.move_s = cell.file.simulation.move_s
        self._cell = cell
        self._recipes: Mapping[str, Recipe] = {recipe.part_type: recipe for recipe in recipes}
        self._planned = {part.part_id: part for part in planned}
        self._station = Station(cell, recipes, seed)

    def present(self, request: PresentRequest) -> HeldPart:
        """Hold a planned part in a pose of the ordered part type's recipe."""
        planned = self._planned.get(request.part_id)
        if planned is None:
            known = f'{next(iter(self._planned))} to {next(reversed(self._planned))}'
            raise DataError(f'no simulated part {request.part_id!r}; there are {known}')
        presented = self._station.present(planned, request.presentation)
        recipe = self._recipes[request.part_type]
        sensors = recipe.file.presentations[request.presentation].sensors
        frames = tuple(
            SensorFrame(name, self._station.observe(presented, name), self._intrinsics(name))
            for name in sensors
        )
        return HeldPart(presented.transform_part_to_cell_reported, frames)

    def _intrinsics(self, name: str) -> Intrinsics | None:
        given = self._cell.posed_sensors[name].intrinsics
        return None if given is None else given.value()


class SimNode(RobotSide[SimParams]):
    """Robot side with simulated parts."""

    def make_source(self) -> SimulatedSource:
        """Plan the parts."""
        cell = load_cell(self.params.cell_path)
        if cell.process_sensors:
            names = ', '.join(cell.process_sensors)
            raise DataError(f'{cell.path}: sensors {names}: the simulator has no process signals')
        recipes = load_recipes(cell, self.params.recipe_paths)
        seed = self.params.seed
        simulated = Simulated(seed, self.params.parts, self.params.faults)
        planned = planned_parts(cell, recipes, simulated)
        return SimulatedSource(cell, recipes, planned, seed)


def main() -> int:
    """Run the node."""
    return run(lambda: SimNode('sim_node', SimParams))


if __name__ == '__main__':
    sys.exit(main())
