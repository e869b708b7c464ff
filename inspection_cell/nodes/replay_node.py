"""Stored parts as live sensor topics, and a robot that holds them in their stored poses."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from inspection_cell.cell import Camera, Cell, load_cell
from inspection_cell.errors import DataError
from inspection_cell.geometry import Intrinsics
from inspection_cell.nodes.params import CellParams, parameter
from inspection_cell.nodes.part_source import HeldPart, PresentRequest, SensorFrame
from inspection_cell.nodes.robot_side import RobotSide
from inspection_cell.nodes.run import run
from inspection_cell.stored_parts import StoredFrame, StoredPart, read_stored_parts


@dataclass(frozen=True, slots=True)
class ReplayParams(CellParams):
    """What the replay is told."""

    data: str = parameter('', 'Folder of stored parts: <part_id>/<presentation>/<sensor>.png.')


class StoredSource:
    """Stored parts in the hands of a robot that moves at once."""

    move_s = 0.0

    def __init__(self, cell: Cell, parts: Sequence[StoredPart]) -> None:
        """Take the parts; raises DataError for frames of sensors that the cell lacks."""
        self._cell = cell
        self._parts = {part.part_id: part for part in parts}
        for part in parts:
            for frame in part.frames:
                if frame.view.sensor not in cell.sensors:
                    known = ', '.join(cell.sensors)
                    raise DataError(f'{frame.path}: expected a sensor of the cell: {known}')

    def present(self, request: PresentRequest) -> HeldPart:
        """Hold a stored part; sensors without a stored frame see nothing."""
        part = self._parts.get(request.part_id)
        if part is None:
            raise DataError(f'no stored part {request.part_id!r}')
        stored = [f for f in part.frames if f.view.presentation == request.presentation]
        poses = [f.transform_part_to_cell for f in stored if f.transform_part_to_cell is not None]
        pose = poses[0] if poses else request.transform_part_to_cell
        frames = tuple(SensorFrame(f.view.sensor, f.load(), self._intrinsics(f)) for f in stored)
        return HeldPart(pose, frames)

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
        return StoredSource(cell, read_stored_parts(Path(self.params.data).expanduser()))


def main() -> int:
    """Run the node."""
    return run(lambda: ReplayNode('replay_node', ReplayParams))


if __name__ == '__main__':
    sys.exit(main())
