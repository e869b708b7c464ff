"""The views' images with the merged defects drawn in, each with its number in the verdict."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from inspection_cell.cell import Cell
from inspection_cell.errors import DataError, StoreError
from inspection_cell.evidence import shot_of
from inspection_cell.findings import Defect, EvidenceFile, Verdict, ViewFindings
from inspection_cell.fusion.poses import best_pose, pose_corrections
from inspection_cell.fusion.visibility import CameraView
from inspection_cell.geometry import Points, transform_points
from inspection_cell.observations import ViewKey
from inspection_cell.reference import ReferenceMesh
from inspection_cell.stored_parts import read_image
from inspection_cell.views.annotation import DEFECT_BGR, canvas, draw_outline, stroke, write
from inspection_cell.views.eight_bit import to_eight_bit
from inspection_cell.views.image_evidence import JPEG_QUALITY

LEAST_RADIUS = 0.015  # of the image's height: smaller defects get a circle around them
GRAZING_RAD = float(np.radians(88.0))
_ROUND = 32  # corners of a circle


@dataclass(frozen=True, slots=True)
class Picture:
    """One view's picture: the file, or why there is none; and which defects it shows."""

    view: ViewKey
    path: Path | None
    reason: str = ''
    defects: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Drawn:
    """How one defect appears in one view.

    Attributes:
        number: in the verdict, from 1.
        outline_px: (K, 2).
        certain: this view shows its place; else it may be hidden there.
    """

    number: int
    outline_px: NDArray[np.float64]
    certain: bool


class VerdictPictures:
    """Draws the defects of one verdict into its views."""

    def __init__(
        self, verdict: Verdict, cell: Cell | None, reference: ReferenceMesh | None
    ) -> None:
        """Take what is at hand.

        Args:
            verdict: with views and defects.
            cell: for the poses that scans refined; None: as the robot reported them.
            reference: to leave out defects that are hidden; None: those that no finding of the
                view shows are drawn dashed.
        """
        self._verdict = verdict
        self._reference = reference
        self._corrections = pose_corrections(cell, verdict.views) if cell else {}

    def write(self, data_dir: Path, folder: Path) -> tuple[Picture, ...]:
        """Write `<presentation>.<sensor>.defects.jpg` of every camera view with an image.

        Of a lighting sequence one of each image: `<presentation>.<sensor>.<shot>.defects.jpg`.

        Args:
            data_dir: of the records, with their evidence.
            folder: for the pictures; made where it is not there.

        Raises:
            StoreError: when a picture cannot be written.
        """
        return tuple(
            self._written(view, image, data_dir, folder)
            for view in self._verdict.views
            for image in _images(view) or ((None,) if view.intrinsics is not None else ())
        )

    def drawn(self, view: ViewFindings) -> tuple[Drawn, ...]:
        """The defects that the view shows, or may show."""
        return tuple(self._drawn(view))

    def _written(
        self, view: ViewFindings, image: EvidenceFile | None, data_dir: Path, folder: Path
    ) -> Picture:
        if image is None:
            return Picture(view.view, None, 'no image is recorded')
        try:
            pixels = _pixels(data_dir, image)
        except DataError as error:
            return Picture(view.view, None, str(error))
        drawn = self.drawn(view)
        names = [view.view.presentation, view.view.sensor, shot_of(image), 'defects', 'jpg']
        path = folder / '.'.join(name for name in names if name)
        _write_jpeg(path, _with_defects(pixels, drawn, self._verdict.defects))
        return Picture(view.view, path, defects=tuple(one.number for one in drawn))

    def _drawn(self, view: ViewFindings) -> Iterator[Drawn]:
        pose = best_pose(view, self._corrections)
        camera = None
        if view.intrinsics is not None and pose is not None:
            camera = CameraView(view.view, view.intrinsics, pose)
        for number, defect in enumerate(self._verdict.defects, start=1):
            own = _finding_outline(defect, view)
            if camera is None or defect.position_m is None:
                outline, certain = own, True
            else:
                certain = own is not None or self._is_visible(camera, defect)
                hidden = not certain and self._reference is not None
                outline = None if hidden else _outline(camera, defect, defect.position_m)
            if outline is not None:
                yield Drawn(number, outline, certain)

    def _is_visible(self, camera: CameraView, defect: Defect) -> bool:
        if self._reference is None or defect.position_m is None or defect.normal is None:
            return False
        places = defect.position_m[None], defect.normal[None]
        return bool(camera.sees(self._reference, *places, GRAZING_RAD)[0])


def _images(view: ViewFindings) -> tuple[EvidenceFile, ...]:
    return tuple(one for one in view.evidence if one.kind == 'image')


def _finding_outline(defect: Defect, view: ViewFindings) -> NDArray[np.float64] | None:
    """What this very view found of the defect: outline or box (K, 2)."""
    for finding in view.findings:
        own = any(source.is_of(view.view, finding) for source in defect.sources)
        if not own or finding.box_px is None:
            continue
        if finding.polygon_px is not None:
            return finding.polygon_px
        x0, y0, x1, y1 = finding.box_px
        return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])
    return None


def _outline(
    camera: CameraView, defect: Defect, position_m: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """The defect's place as a disc on the surface, (K, 2); None beside the image."""
    if not camera.inside(position_m[None])[0]:
        return None
    to_sensor, intrinsics = camera.transform_part_to_sensor, camera.camera
    depth_m = float(transform_points(to_sensor, position_m[None])[0, 2])
    least_m = LEAST_RADIUS * intrinsics.height * depth_m / intrinsics.fx
    radius_m = max(defect.length_mm / 2000.0, least_m)
    ring = position_m + radius_m * _circle(defect.normal)
    pixels = intrinsics.project(transform_points(to_sensor, ring))
    return pixels if np.isfinite(pixels).all() else None


def _circle(normal: NDArray[np.float64] | None) -> Points:
    """(K, 3) around the origin with radius 1, across the normal (z where it is not known)."""
    axis = np.array([0.0, 0.0, 1.0]) if normal is None else normal
    across = np.linalg.svd(axis[None])[2][1:]
    angles = np.linspace(0.0, 2.0 * np.pi, _ROUND, endpoint=False)
    circle: Points = np.column_stack([np.cos(angles), np.sin(angles)]) @ across
    return circle


def _pixels(data_dir: Path, image: EvidenceFile) -> NDArray[np.uint8]:
    """The recorded image, as it was; raises DataError for another."""
    path = data_dir / image.name
    if not path.is_file():
        raise DataError(f'{path}: is not here; it was written on host {image.host or "?"}')
    if hashlib.sha256(path.read_bytes()).hexdigest() != image.sha256:
        raise DataError(f'{path}: is not the file that was recorded')
    return to_eight_bit(read_image(path)).pixels.astype(np.uint8, copy=False)


def _with_defects(
    pixels: NDArray[np.uint8], drawn: Sequence[Drawn], defects: Sequence[Defect]
) -> NDArray[np.uint8]:
    picture = canvas(pixels)
    thickness = stroke(picture)
    for one in drawn:
        defect = defects[one.number - 1]
        draw_outline(picture, one.outline_px, DEFECT_BGR, thickness, dashed=not one.certain)
        x, y = one.outline_px.min(axis=0)
        text = f'D{one.number} {defect.label} {defect.probability:.2f}'
        origin = (max(round(float(x)), 0), max(round(float(y)) - 6, 12 * thickness))
        write(picture, text, origin, DEFECT_BGR, thickness)
    return picture


def _write_jpeg(path: Path, picture: NDArray[np.uint8]) -> None:
    done, buffer = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(buffer) if done else b'')
    except OSError as error:
        raise StoreError(f'{path}: cannot write the picture: {error.strerror}') from error
