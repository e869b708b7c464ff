"""`cell.yaml`: one physical station: its sensors, its robot, its reject side, its limits."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from inspection_cell.errors import ConfigError, DataError, Problem
from inspection_cell.geometry import Intrinsics
from inspection_cell.schema import Name, Pose, StrictModel, load_yaml
from inspection_cell.sections.calibration import read_calibrations
from inspection_cell.sections.lights import (
    ExposureOutput,
    Light,
    Shot,
    light_problems,
    sequence_problem,
)
from inspection_cell.sections.simulation import Simulation
from inspection_cell.sections.tf import FrameName, FromTf, SensorFromTf

Milliseconds = Annotated[float, Field(ge=0.0, le=60_000.0)]
Seconds = Annotated[float, Field(gt=0.0, le=3600.0)]
FocusMm = Annotated[float, Field(ge=0.0, le=100_000.0)]


class StampMeaning(StrEnum):
    """What the stamp of a sensor's messages says about the exposure."""

    EXPOSURE_START = 'exposure_start'
    EXPOSURE_END = 'exposure_end'
    ARRIVAL = 'arrival'


class Stamp(StrictModel):
    """How the begin of the exposure follows from a message's stamp."""

    meaning: StampMeaning = StampMeaning.EXPOSURE_START
    """Begin of exposure, end of exposure, or time of arrival at the driver."""
    exposure_ms: Milliseconds = 0.0
    """Exposure time, ms; subtracted for `exposure_end` and `arrival`."""
    latency_ms: Milliseconds = 0.0
    """Longest time from end of exposure to the stamp, ms; subtracted for `arrival`."""
    uncertainty_ms: Milliseconds = 1.0
    """Clock difference between sensor and robot host, ms; frames must be newer by this much."""


class Trigger(StrictModel):
    """How a sensor is made to expose."""

    kind: Literal['free_running', 'software', 'service', 'pulse'] = 'free_running'
    """`free_running` sends frames by itself; `software` exposes when a message arrives, `service`
    when it is called (std_srvs/Trigger); `pulse` switches an output that is wired to the sensor:
    std_msgs/Bool true, and false after `pulse_ms`."""
    topic: str = ''
    """Topic that triggers; required for `software` and `pulse`."""
    message: Literal['empty', 'bool'] = 'empty'
    """What a `software` trigger sends: std_msgs/Empty, or std_msgs/Bool true."""
    service: str = ''
    """Name of the std_srvs/Trigger service; required for `service`."""
    pulse_ms: Milliseconds = 5.0
    """Length of a `pulse`, ms."""

    @model_validator(mode='after')
    def _one_way(self) -> Self:
        if (self.kind in ('software', 'pulse')) != bool(self.topic):
            raise ValueError('topic is required for software and pulse triggers, and for no other')
        if (self.kind == 'service') != bool(self.service):
            raise ValueError('service is required for service triggers, and for no other kind')
        return self


class CameraIntrinsics(StrictModel):
    """Geometry of a camera as in sensor_msgs/CameraInfo."""

    width: int = Field(ge=1, le=20_000)
    """Pixels."""
    height: int = Field(ge=1, le=20_000)
    """Pixels."""
    fx: float = Field(gt=0)
    """Focal length, pixels."""
    fy: float = Field(gt=0)
    """Focal length, pixels."""
    cx: float
    """Principal point, pixels."""
    cy: float
    """Principal point, pixels."""
    distortion_model: Literal['plumb_bob', 'rational_polynomial', 'equidistant'] = 'plumb_bob'
    """As in CameraInfo."""
    distortion: tuple[float, ...] = ()
    """Coefficients in the order of CameraInfo `d`."""

    @model_validator(mode='after')
    def _a_camera(self) -> Self:
        try:
            self.value()
        except DataError as error:
            raise ValueError(str(error)) from error
        return self

    @classmethod
    def of(cls, known: Intrinsics) -> Self:
        """What the core uses, as it would stand in the file."""
        return cls(**asdict(known))

    def value(self) -> Intrinsics:
        """The same as the geometry that the core uses."""
        return Intrinsics(**self.model_dump())


class _Sensor(StrictModel):
    topic: str = Field(pattern=r'^[~/]?[A-Za-z_]\w*(/[A-Za-z_]\w*)*$')
    """Topic of its messages, relative to the cell's namespace."""
    stamp: Stamp = Stamp()
    """What the stamps mean."""
    trigger: Trigger = Trigger()
    """How the sensor is made to expose."""
    deadline_s: Seconds = 2.0
    """Seconds from the capture request within which a frame must arrive."""
    inspect_s: Seconds = 5.0
    """Seconds from the captured frame within which the findings must arrive."""
    qos: Literal['auto', 'reliable', 'best_effort'] = 'auto'
    """Reliability of the subscription; `auto` matches what the publisher offers."""


class _PosedSensor(_Sensor):
    pose: Pose | None = None
    """Pose of the optical frame (x right, y down, z forward) in the cell, where it stands still;
    exactly one of `pose` and `from_tf` is given."""
    from_tf: SensorFromTf | None = None
    """The pose is looked up in TF, at each exposure: a sensor on the robot's flange, or one that
    another package places."""

    @property
    def nominal(self) -> Pose | None:
        """Where it stands as this file says; None where only TF, or the recipe, says it."""
        return self.from_tf.nominal if self.from_tf else self.pose

    @model_validator(mode='after')
    def _one_pose(self) -> Self:
        if (self.pose is None) == (self.from_tf is None):
            raise ValueError('give exactly one of pose and from_tf')
        return self


class Camera(_PosedSensor):
    """A camera that publishes sensor_msgs/Image or sensor_msgs/CompressedImage."""

    kind: Literal['camera']
    """Which kind of sensor this is."""
    transport: Literal['raw', 'compressed'] = 'raw'
    """`raw`: sensor_msgs/Image; `compressed`: sensor_msgs/CompressedImage, jpeg or png."""
    camera_info_topic: str = ''
    """Topic of sensor_msgs/CameraInfo; empty when `intrinsics` or `calibration_file` is given."""
    intrinsics: CameraIntrinsics | None = None
    """Geometry; for a camera with `camera_info_topic` the simulator's."""
    calibration_file: str = ''
    """Geometry in a file as ROS's camera_calibration writes it, relative to this file's folder;
    instead of `camera_info_topic` and `intrinsics`."""
    focus_mm: tuple[FocusMm, FocusMm] | None = None
    """Nearest and farthest distance that is sharp, along the optical axis, mm; what lies nearer or
    farther does not count as seen. Default: everything is sharp."""
    shots: dict[Name, Shot] = Field(default={})
    """The images of one view, taken one after the other in this order, each with its lights and
    exposure; default: one image."""
    exposure: ExposureOutput | None = None
    """How the cell sets the exposure time of its shots."""

    @model_validator(mode='after')
    def _geometry_known(self) -> Self:
        given = bool(self.camera_info_topic) or self.intrinsics is not None
        if given == bool(self.calibration_file):
            raise ValueError('give camera_info_topic or intrinsics, or else calibration_file')
        if self.focus_mm is not None and self.focus_mm[0] >= self.focus_mm[1]:
            raise ValueError('focus_mm must be [nearest, farthest]')
        return self

    @model_validator(mode='after')
    def _a_sequence(self) -> Self:
        if problem := sequence_problem(self.shots, self.exposure):
            raise ValueError(problem)
        return self


class Scanner(_PosedSensor):
    """A 3D sensor that publishes sensor_msgs/PointCloud2."""

    kind: Literal['scanner']
    """Which kind of sensor this is."""
    axes: Literal['optical', 'x_forward'] = 'optical'
    """What the cloud's coordinates are: `optical` (x right, y down, z forward) or `x_forward`
    (y left, z up: lidars, Gazebo), whatever frame its header names."""
    intrinsics: CameraIntrinsics | None = None
    """Resolution and field of view for the simulator; not needed with hardware."""


class ProcessSensor(_Sensor):
    """A force, temperature or sound that is published as inspection_cell_msgs/ProcessSignal.

    One message is one recording. `exposure` in `stamp` means the recording: it must have begun
    after the robot had settled. How long it must be stands in the recipe.
    """

    kind: Literal['process']
    """Which kind of sensor this is."""
    unit: str = Field(min_length=1, max_length=20)
    """Unit of the values, as the messages name it: N, degC, FS (sound, full scale = 1)."""


Sensor = Annotated[Camera | Scanner | ProcessSensor, Field(discriminator='kind')]


class Robot(StrictModel):
    """The robot side, and who leads: the cell asks for poses, or the robot's program calls."""

    led_by: Literal['cell', 'program'] = 'cell'
    """`cell`: the robot side serves PresentPart. `program`: the robot's program calls the services
    begin_part, capture_presentation, finish_part and part_placed, which the cell then serves."""
    action: str = 'present_part'
    """Name of the PresentPart action, relative to the cell's namespace."""
    timeout_s: Seconds = 20.0
    """Longest time for one presentation, s."""
    part_from_tf: FromTf | None = None
    """The part's pose is looked up in TF, at each exposure, instead of taken from what the robot
    side reports: a part in the gripper, where the robot's driver knows the pose of the gripper."""


class Disposition(StrictModel):
    """Where parts go and how the reject side learns of them."""

    kind: Literal['robot_place', 'gate', 'belt', 'shadow'] = 'robot_place'
    """`robot_place`: the robot puts the part where told; `gate`, `belt`: an actuator diverts;
    `shadow`: another station decides, the cell judges and records beside it and moves nothing."""
    buffer: int = Field(default=1, ge=1, le=100)
    """Parts that may wait between inspection and gate; robot_place allows only 1."""
    part_present_topic: str = ''
    """Topic (inspection_cell_msgs/PartArrived) of the reject side's own part sensor."""
    release_valid_s: Seconds = 1.0
    """How long one release permit holds unless repeated, s."""
    decide_within_s: Seconds = 30.0
    """Longest wait for a permit after the part arrived, s; then it is diverted."""
    confirm_within_s: Seconds = 5.0
    """Longest wait for the actuator's confirmation, s."""
    bins: dict[Literal['ACCEPT', 'REJECT', 'REVIEW', 'UNKNOWN'], Name] = Field(
        default={
            'ACCEPT': 'good',
            'REJECT': 'scrap',
            'REVIEW': 'review',
            'UNKNOWN': 'review',
        }
    )
    """Name of the bin for each decision."""
    pulse_topic: str = ''
    """Topic (std_msgs/Bool) for a simple ejector: true for `pulse_ms` per diverted part. Not
    fail-safe: a broken wire lets parts pass."""
    pulse_ms: Milliseconds = 100.0
    """Length of the pulse, ms."""

    @property
    def only_watches(self) -> bool:
        """Whether the cell has no say in where parts go."""
        return self.kind == 'shadow'

    @model_validator(mode='after')
    def _consistent(self) -> Self:
        if self.kind == 'robot_place' and self.buffer != 1:
            raise ValueError('buffer must be 1 for robot_place')
        missing = {'ACCEPT', 'REJECT', 'REVIEW', 'UNKNOWN'} - set(self.bins)
        if missing:
            raise ValueError(f'bins must name every decision; missing {sorted(missing)}')
        others = {name for decision, name in self.bins.items() if decision != 'ACCEPT'}
        if self.bins['ACCEPT'] in others:
            raise ValueError('the bin of ACCEPT must differ from all others')
        return self


class Limits(StrictModel):
    """Limits of the machine that runs the cell."""

    min_free_disk_mb: float = Field(default=500.0, ge=0)
    """Below this much free disk no part is accepted, MB."""
    queue: int = Field(default=8, ge=1, le=1000)
    """Captured views that may wait in an inspector."""


class CellFile(StrictModel):
    """The content of `cell.yaml`."""

    format: Literal[1]
    """Version of this file format."""
    name: Name
    """Name of the cell; also the default namespace."""
    frame: FrameName | None = None
    """TF frame that the cell's poses are given in; default: `<namespace>/cell`."""
    sensors: dict[Name, Sensor] = Field(min_length=1)
    """The sensors by name."""
    lights: dict[Name, Light] = Field(default={})
    """The lights that the cell switches for the cameras' `shots`, by name."""
    robot: Robot = Robot()
    """The robot side."""
    disposition: Disposition = Disposition()
    """The reject side."""
    limits: Limits = Limits()
    """Limits of the machine."""
    simulation: Simulation = Simulation()
    """The simulator's settings."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A checked `cell.yaml` with where it came from.

    Attributes:
        sha256: of the file and of the calibration files that it names.
        file: cameras with a `calibration_file` have its content as their `intrinsics`.
    """

    path: Path
    sha256: str
    file: CellFile

    @property
    def sensors(self) -> dict[str, Camera | Scanner | ProcessSensor]:
        """The sensors by name."""
        return dict(self.file.sensors)

    @property
    def cameras(self) -> dict[str, Camera]:
        """The cameras by name."""
        return {name: s for name, s in self.file.sensors.items() if isinstance(s, Camera)}

    @property
    def scanners(self) -> dict[str, Scanner]:
        """The scanners by name."""
        return {name: s for name, s in self.file.sensors.items() if isinstance(s, Scanner)}

    @property
    def posed_sensors(self) -> dict[str, Camera | Scanner]:
        """The sensors that look at the part from a pose, given here or by TF, by name."""
        return {**self.cameras, **self.scanners}

    @property
    def process_sensors(self) -> dict[str, ProcessSensor]:
        """The process sensors by name."""
        return {name: s for name, s in self.file.sensors.items() if isinstance(s, ProcessSensor)}


def load_cell(path: Path) -> Cell:
    """Read and check a `cell.yaml`; raises ConfigError with every problem."""
    file, sha256 = load_yaml(path, CellFile)
    # Named relatively or in full, in the namespace that is called like the cell.
    topics = [s.topic.removeprefix(f'/{file.name}/') for s in file.sensors.values()]
    twice = sorted({topic for topic in topics if topics.count(topic) > 1})
    if twice:
        problem = Problem('sensors', ', '.join(twice), 'each topic belongs to one sensor')
        raise ConfigError(path, [problem])
    if problems := _light_problems(file):
        raise ConfigError(path, problems)
    return _calibrated(Cell(path.resolve(), sha256, file))


def _light_problems(file: CellFile) -> list[Problem]:
    cameras = {name: s for name, s in file.sensors.items() if isinstance(s, Camera)}
    return light_problems(
        file.lights,
        {name: camera.shots for name, camera in cameras.items()},
        {name: camera.exposure for name, camera in cameras.items() if camera.exposure},
        {name: camera.deadline_s for name, camera in cameras.items()},
    )


def _calibrated(cell: Cell) -> Cell:
    """The same with the content of its calibration files; raises ConfigError for all of them."""
    cameras = cell.cameras
    files = {name: one.calibration_file for name, one in cameras.items() if one.calibration_file}
    if not files:
        return cell
    known, sha256 = read_calibrations(cell.path, cell.sha256, files)
    filled = {
        name: cameras[name].model_copy(update={'intrinsics': CameraIntrinsics.of(one)})
        for name, one in known.items()
    }
    file = cell.file.model_copy(update={'sensors': {**cell.file.sensors, **filled}})
    return Cell(cell.path, sha256, file)
