"""Stored parts as live sensor topics, and a robot that holds them in their stored poses."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inspection_cell.bringup import load_recipes
from inspection_cell.cell import Camera, Cell, load_cell
from inspection_cell.errors import DataError
from inspection_cell.geometry import Intrinsics, Transform
from inspection_cell.nodes.params import CellParams, parameter
from inspection_cell.nodes.part_source import HeldPart, PresentRequest, SensorFrame
from inspection_cell.nodes.robot_side import RobotSide
from inspection_cell.nodes.run import run
from inspection_cell.recipe import Recipe
from inspection_cell.stored_parts import (
    StoredFrame,
    StoredPart,
    check_shot,
    read_stored_parts,
    sensor_pose,
)


@dataclass(frozen=True, slots=True)
class ReplayParams(CellParams):
    """What the replay is told."""

    data: str = parameter('', 'Folder of stored parts: <part_id>/<presentation>/<sensor>.png.')


class StoredSource:
    """Stored parts in the hands of a robot that moves at once."""

    move_s = 0.0

    def __init__(
        self, cell: Cell, parts: Sequence[StoredPart], recipes: Sequence[Recipe] = ()
    ) -> None:
        """Take the parts, and recipes where sensors move.

        Raises:
            DataError: for frames of sensors that the cell lacks, or that move and were nobody
                knows where.
        """
        self._cell = cell
        self._parts = {part.part_id: part for part in parts}
        self._recipes = {recipe.part_type: recipe for recipe in recipes}
        for part in parts:
            for frame in part.frames:
                if frame.view.sensor not in cell.sensors:
                    known = ', '.join(cell.sensors)
                    raise DataError(f'{frame.path}: expected a sensor of the cell: {known}')
                check_shot(frame, cell)
            self._moved(part, part.frames)

    def present(self, request: PresentRequest) -> HeldPart:
        """Hold a stored part; sensors without a stored frame see nothing."""
        part = self._parts.get(request.part_id)
        if part is None:
            raise DataError(f'no stored part {request.part_id!r}')
        stored = [f for f in part.frames if f.view.presentation == request.presentation]
        poses = [f.transform_part_to_cell for f in stored if f.transform_part_to_cell is not None]
        pose = poses[0] if poses else request.transform_part_to_cell
        frames = tuple(
            SensorFrame(f.view.sensor, f.load(), self._intrinsics(f), f.shot) for f in stored
        )
        return HeldPart(pose, frames, self._moved(part, stored))

    def _moved(self, part: StoredPart, frames: Iterable[StoredFrame]) -> dict[str, Transform]:
        """`transform_sensor_to_cell` of the sensors that move."""
        posed, recipe = self._cell.posed_sensors, self._recipes.get(part.part_type)
        names = {name for name, sensor in posed.items() if sensor.from_tf}
        moved = [frame for frame in frames if frame.view.sensor in names]
        if moved and recipe is None:
            raise DataError(f'{moved[0].path}: no recipe {part.part_type!r} was given')
        return {f.view.sensor: sensor_pose(f, self._cell, recipe) for f in moved if recipe}

    def _intrinsics(self, frame: StoredFrame) -> Intrinsics | None:
        sensor = self._cell.sensors[frame.view.sensor]
        if frame.intrinsics is not None or not isinstance(sensor, Camera):
            return frame.intrinsics
        return None if sensor.intrinsics is None else sensor.intrinsics.value()


class ReplayNode(RobotSide[ReplayParams]):
    """Robot side with stored parts."""

    def make_source(self) -> StoredSource:
        """Read the folder."""
        cell = load_cell(self.params.cell_path)
        parts = read_stored_parts(Path(self.params.data).expanduser())
        moves = any(sensor.from_tf for sensor in cell.posed_sensors.values())
        recipes = load_recipes(cell, self.params.recipe_paths) if moves else ()
        return StoredSource(cell, parts, recipes)


def main() -> int:
    """Run the node."""
    return run(lambda: ReplayNode('replay_node', ReplayParams))


if __name__ == '__main__':
    sys.exit(main())
