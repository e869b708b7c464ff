"""The simulated robot, sensors and actuators of a cell, over the topics that hardware has."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from inspection_cell.bringup import Simulated, load_recipes
from inspection_cell.cell import Cell, load_cell
from inspection_cell.errors import DataError
from inspection_cell.geometry import Intrinsics
from inspection_cell.named_poses import needed_pose
from inspection_cell.nodes.held_recipes import HeldRecipes
from inspection_cell.nodes.params import CellParams, parameter
from inspection_cell.nodes.part_source import HeldPart, PresentRequest, SensorFrame
from inspection_cell.nodes.robot_side import RobotSide
from inspection_cell.nodes.run import run
from inspection_cell.observations import ViewKey
from inspection_cell.part_orders import planned_parts
from inspection_cell.recipe import Recipe
from inspection_cell.sim.lighting import panels_above
from inspection_cell.sim.plan import PlannedPart
from inspection_cell.sim.station import Station, presentation_centre


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
        self._planned = {part.part_id: part for part in planned}
        self._seed = seed
        self._lighting = panels_above(presentation_centre(recipes))
        self._known: dict[str, Recipe] = {}
        self.learn(recipes)

    def learn(self, recipes: Iterable[Recipe]) -> None:
        """From the next pose on, present the parts of these types by these recipes."""
        known = {**self._known, **{recipe.part_type: recipe for recipe in recipes}}
        if known != self._known:
            station = Station(
                self._cell, tuple(known.values()), self._seed, lighting=self._lighting
            )
            self._known, self._station = known, station

    def present(self, request: PresentRequest) -> HeldPart:
        """Hold a planned part in a pose of the ordered part type's recipe."""
        planned = self._planned.get(request.part_id)
        if planned is None:
            known = f'{next(iter(self._planned))} to {next(reversed(self._planned))}'
            raise DataError(f'no simulated part {request.part_id!r}; there are {known}')
        presented = self._station.present(planned, request.presentation)
        recipe = self._known[request.part_type]
        sensors = recipe.file.presentations[request.presentation].sensors
        frames = tuple(
            SensorFrame(
                name, self._station.observe(presented, name, shot), self._intrinsics(name), shot
            )
            for name in sensors
            for shot in self._shots(name)
        )
        moved = {
            name: needed_pose(self._cell, recipe, ViewKey(request.presentation, name), 'TF')
            for name in sensors
            if name in self._cell.posed_sensors and self._cell.posed_sensors[name].from_tf
        }
        return HeldPart(presented.transform_part_to_cell_reported, frames, moved)

    def _shots(self, name: str) -> tuple[str, ...]:
        camera = self._cell.cameras.get(name)
        return tuple(camera.shots) if camera and camera.shots else ('',)

    def _intrinsics(self, name: str) -> Intrinsics | None:
        given = self._cell.posed_sensors[name].intrinsics
        return None if given is None else given.value()


class SimNode(RobotSide[SimParams]):
    """Robot side with simulated parts."""

    _held: HeldRecipes[Recipe] | None = None

    def configure(self) -> None:
        """Plan the parts, open the topics, and learn of recipes that the cell loads later."""
        super().configure()
        source = self._source
        assert isinstance(source, SimulatedSource)
        cell = load_cell(self.params.cell_path)
        self._held = HeldRecipes[Recipe](
            self, cell, lambda recipe: recipe, lambda ready: source.learn(ready.values())
        )
        self._held.load(load_recipes(cell, self.params.recipe_paths))
        self._held.open()

    def cleanup(self) -> None:
        """Take the topics back."""
        if self._held is not None:
            self._held.close()
        self._held = None
        super().cleanup()

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
