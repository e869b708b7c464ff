"""Stored parts for replay: `<dir>/<part_id>/<presentation>/<sensor>.png`, read and checked.

A camera with a lighting sequence has an image for each shot, `<sensor>.<shot>.png`.
Beside the frames: `<part_id>/part.yaml` (part type, units of the scans), an optional
`<presentation>/pose.txt` (`transform_part_to_cell`, 4 by 4, metres), an optional
`<presentation>/<sensor>.camera_info.yaml`, an optional `<presentation>/<sensor>.pose.txt`
(`transform_sensor_to_cell`, where it moves) and an optional `<part_id>/truth.json`.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar, cast

import cv2
import numpy as np
import open3d as o3d
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from inspection_cell.cell import Cell
from inspection_cell.errors import ConfigError, DataError
from inspection_cell.geometry import Intrinsics, Transform, checked_transform
from inspection_cell.named_poses import needed_pose
from inspection_cell.observations import (
    Image,
    ImageSeries,
    Observation,
    Scan,
    ShotImage,
    Signal,
    ViewKey,
)
from inspection_cell.recipe import Recipe
from inspection_cell.reference import METRES_PER_UNIT
from inspection_cell.schema import Name, StrictModel, load_yaml
from inspection_cell.sections.calibration import read_calibration
from inspection_cell.signal_files import SIGNAL_SUFFIXES, read_signal
from inspection_cell.whole_files import check_geometry_file, image_is_whole

IMAGE_SUFFIXES = ('.png', '.jpg', '.jpeg')
SCAN_SUFFIXES = ('.ply', '.pcd')
INFO_SUFFIX = '.camera_info.yaml'
POSE_SUFFIX = '.pose.txt'

T = TypeVar('T')


class PartFile(StrictModel):
    """The content of `part.yaml`."""

    part_type: Name
    """Name of the recipe."""
    units: Literal['mm', 'm']
    """Unit of the scans' coordinates."""


class TrueDefect(BaseModel):
    """One known defect; more may stand in the file than is used here."""

    model_config = ConfigDict(frozen=True, extra='ignore')

    kind: str
    position_mm: tuple[float, float, float] | None = None


class Truth(BaseModel):
    """The content of `truth.json`."""

    model_config = ConfigDict(frozen=True, extra='ignore')

    good: bool
    defects: tuple[TrueDefect, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """One image, scan or signal in a file; None: what recipe and cell say.

    Attributes:
        shot: of the camera's lighting sequence; empty: the view is one frame.
    """

    view: ViewKey
    path: Path
    units: Literal['mm', 'm']
    transform_part_to_cell: Transform | None
    intrinsics: Intrinsics | None
    transform_sensor_to_cell: Transform | None = None
    shot: str = ''

    def load(self) -> Image | Scan | Signal:
        """Read the file; raises DataError when it is damaged."""
        if self.path.suffix in SIGNAL_SUFFIXES:
            return read_signal(self.path)
        if self.path.suffix in IMAGE_SUFFIXES:
            return read_image(self.path)
        return read_scan(self.path, self.units)


@dataclass(frozen=True, slots=True)
class StoredPart:
    """One part with all its frames, in the order of the file names."""

    part_id: str
    part_type: str
    frames: tuple[StoredFrame, ...]
    truth: Truth | None


def read_stored_parts(folder: Path) -> tuple[StoredPart, ...]:
    """Every part of a folder, without loading its frames.

    Raises:
        DataError: with one line per problem of the whole folder, each with its file.
    """
    if not folder.is_dir():
        raise DataError(f'{folder}: expected a folder of stored parts, there is none')
    problems: list[str] = []
    folders = sorted(path for path in folder.iterdir() if (path / 'part.yaml').is_file())
    if not folders:
        problems.append(f'{folder}: expected folders with a part.yaml, found none')
    parts = [_read_part(path, problems) for path in folders]
    if problems:
        raise DataError('\n'.join(problems))
    return tuple(part for part in parts if part is not None)


def observations(
    part: StoredPart, cell: Cell, recipe: Recipe, inspection_id: str, stamp_ns: int
) -> tuple[Observation, ...]:
    """What the cell's sensors would have delivered of a stored part.

    Poses and intrinsics come from the part's files, else from recipe and cell.

    Raises:
        DataError: for frames of sensors or presentations that the cell or recipe lacks.
    """
    by_view: dict[ViewKey, list[StoredFrame]] = {}
    for frame in part.frames:
        by_view.setdefault(frame.view, []).append(frame)
    return tuple(
        _observation(frames, cell, recipe, inspection_id, stamp_ns) for frames in by_view.values()
    )


def check_shot(frame: StoredFrame, cell: Cell) -> None:
    """Refuse a frame whose name does not fit the shots of its camera; raises DataError."""
    camera = cell.cameras.get(frame.view.sensor)
    shots = tuple(camera.shots) if camera and camera.shots else ('',)
    if frame.shot not in shots:
        named = ', '.join(f'{frame.view.sensor}{shot and "."}{shot}' for shot in shots)
        suffix = frame.path.suffix
        raise DataError(f'{frame.path}: expected by the shots of the cell: {named} with {suffix}')


def read_image(path: Path) -> Image:
    """Read png or jpg, grey or colour, 8 or 16 bit, turned as its EXIF data say; without alpha."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f'{path}: expected an image (png, jpg): {error.strerror}') from error
    if not image_is_whole(content):
        raise DataError(f'{path}: cut short: the image does not go on to its end')
    buffer = np.frombuffer(content, dtype=np.uint8)
    try:
        pixels = cv2.imdecode(buffer, cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    except cv2.error:  # an empty file
        pixels = None
    if pixels is None:
        raise DataError(f'{path}: expected an image (png, jpg), could not be decoded')
    try:
        return Image(cast('NDArray[np.uint8]', pixels))  # Image checks the type
    except DataError as error:
        raise DataError(f'{path}: {error}') from error


def read_scan(path: Path, units: Literal['mm', 'm']) -> Scan:
    """Read ply or pcd in the given unit; points that are not finite are left out.

    Raises:
        DataError: for a file that is cut short or holds no points.
    """
    check_geometry_file(path)
    with o3d.utility.VerbosityContextManager(o3d.utility.VerbosityLevel.Error):
        cloud = o3d.io.read_point_cloud(path)
    points = np.asarray(cloud.points) * METRES_PER_UNIT[units]
    points = points[np.isfinite(points).all(axis=1)]
    if not len(points):
        raise DataError(f'{path}: expected a point cloud (ply, pcd), found no points')
    return Scan(points.astype(np.float32))


def read_pose(path: Path) -> Transform:
    """Read a rigid 4 by 4 matrix, four lines of four numbers, metres."""
    try:
        matrix = np.loadtxt(path, dtype=np.float64)
    except (OSError, ValueError) as error:
        raise DataError(f'{path}: expected four lines of four numbers: {error}') from error
    return checked_transform(matrix, str(path))


def read_camera_info(path: Path) -> Intrinsics:
    """Read a calibration as ROS's camera_calibration writes it."""
    try:
        return read_calibration(path)[0]
    except ConfigError as error:
        raise DataError(str(error)) from error


def read_truth(path: Path) -> Truth:
    """Read what is known about a part."""
    try:
        return Truth.model_validate(json.loads(path.read_text(encoding='utf-8')))
    except (OSError, ValueError) as error:
        expected = '{"good": true or false, "defects": […]}'
        raise DataError(f'{path}: expected {expected}: {_line(error)}') from error


def _read_part(folder: Path, problems: list[str]) -> StoredPart | None:
    try:
        part, _ = load_yaml(folder / 'part.yaml', PartFile)
    except ConfigError as error:
        problems.append(str(error))
        return None
    frames = [
        frame
        for presentation in sorted(path for path in folder.iterdir() if path.is_dir())
        for frame in _read_presentation(presentation, part.units, problems)
    ]
    if not frames:
        problems.append(
            f'{folder}: expected <presentation>/<sensor>.png (jpg, ply, pcd, csv, wav)'
        )
    truth_path = folder / 'truth.json'
    truth = _kept(read_truth, truth_path, problems) if truth_path.exists() else None
    return StoredPart(folder.name, part.part_type, tuple(frames), truth)


def _read_presentation(
    folder: Path, units: Literal['mm', 'm'], problems: list[str]
) -> list[StoredFrame]:
    pose_path = folder / 'pose.txt'
    pose = _kept(read_pose, pose_path, problems) if pose_path.exists() else None
    frames: dict[str, StoredFrame] = {}
    for path in sorted(folder.iterdir()):
        if path == pose_path or path.name.endswith((INFO_SUFFIX, POSE_SUFFIX)):
            continue
        if path.suffix not in IMAGE_SUFFIXES + SCAN_SUFFIXES + SIGNAL_SUFFIXES:
            problems.append(
                f'{path}: expected png, jpg, ply, pcd, csv, wav, pose.txt, *{INFO_SUFFIX} or '
                f'*{POSE_SUFFIX}'
            )
        elif path.stem in frames:
            problems.append(f'{path}: a second frame of {path.stem}')
        else:
            name, _, shot = path.stem.partition('.')
            info, held = folder / (name + INFO_SUFFIX), folder / (name + POSE_SUFFIX)
            camera = _kept(read_camera_info, info, problems) if info.exists() else None
            sensor = _kept(read_pose, held, problems) if held.exists() else None
            key = ViewKey(folder.name, name)
            frames[path.stem] = StoredFrame(key, path, units, pose, camera, sensor, shot)
    return list(frames.values())


def _kept(read: Callable[[Path], T], path: Path, problems: list[str]) -> T | None:
    try:
        return read(path)
    except DataError as error:
        problems.append(str(error))
        return None


def _observation(
    frames: Sequence[StoredFrame], cell: Cell, recipe: Recipe, inspection_id: str, stamp_ns: int
) -> Observation:
    frame = frames[0]
    presentation = recipe.file.presentations.get(frame.view.presentation)
    sensor = cell.sensors.get(frame.view.sensor)
    if presentation is None or sensor is None:
        known = f'{sorted(recipe.file.presentations)} and {sorted(cell.sensors)}'
        raise DataError(f'{frame.path}: no such presentation and sensor; there are {known}')
    for one in frames:
        check_shot(one, cell)
    pose = frame.transform_part_to_cell
    given = sensor.intrinsics.value() if sensor.kind == 'camera' and sensor.intrinsics else None
    return Observation(
        inspection_id,
        frame.view,
        stamp_ns,
        _series(frames, cell) if frame.shot else frame.load(),
        presentation.pose.transform() if pose is None else pose,
        sensor_pose(frame, cell, recipe),
        frame.intrinsics or given,
    )


def _series(frames: Sequence[StoredFrame], cell: Cell) -> ImageSeries:
    """The images of one view, in the order in which its shots are taken."""
    order = list(cell.cameras[frames[0].view.sensor].shots)
    in_order = sorted(frames, key=lambda frame: order.index(frame.shot))
    return ImageSeries(tuple(ShotImage(one.shot, read_image(one.path)) for one in in_order))


def sensor_pose(frame: StoredFrame, cell: Cell, recipe: Recipe) -> Transform:
    """Where a frame's sensor stood; raises DataError where only TF knew it."""
    if frame.view.sensor not in cell.posed_sensors:
        return np.eye(4)
    if frame.transform_sensor_to_cell is not None:
        return frame.transform_sensor_to_cell
    what = f'a stored frame without {frame.view.sensor}{POSE_SUFFIX}'
    return needed_pose(cell, recipe, frame.view, what)


def _line(error: Exception) -> str:
    return ' '.join(str(error).split())
