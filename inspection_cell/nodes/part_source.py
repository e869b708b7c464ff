"""What stands for the hardware: something that knows what each sensor sees of a held part."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from inspection_cell.geometry import Intrinsics, Transform
from inspection_cell.observations import Image, Scan, Signal

MOVE = 'simulated_robot/move'  # PresentPart, where the robot's program leads and is asked


@dataclass(frozen=True, slots=True)
class PresentRequest:
    """Which part is to be held in which pose (nominal, `transform_part_to_cell`)."""

    part_id: str
    part_type: str
    presentation: str
    transform_part_to_cell: Transform


@dataclass(frozen=True, slots=True)
class SensorFrame:
    """What one sensor sees of the held part; intrinsics for cameras.

    Attributes:
        shot: of the camera's lighting sequence, in whose light it sees this; empty: it has none.
    """

    sensor: str
    data: Image | Scan | Signal
    intrinsics: Intrinsics | None = None
    shot: str = ''


@dataclass(frozen=True, slots=True)
class HeldPart:
    """A presented part: its pose as the robot reports it, and what every sensor sees.

    Attributes:
        sensor_poses: `transform_sensor_to_cell` of the sensors that move, by name.
    """

    transform_part_to_cell: Transform
    frames: tuple[SensorFrame, ...]
    sensor_poses: Mapping[str, Transform] = field(default_factory=dict)


class PartSource(Protocol):
    """The simulator, or a folder of stored parts."""

    @property
    def move_s(self) -> float:
        """Least time of one robot move, s."""

    def present(self, request: PresentRequest) -> HeldPart:
        """Hold a part in a pose; raises InspectionCellError when that cannot be done."""
