"""Detection on image files, outside of any cell."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from inspection_cell.errors import DataError
from inspection_cell.findings import Finding
from inspection_cell.stored_parts import read_image
from inspection_cell.views.detections import Detector
from inspection_cell.views.eight_bit import to_eight_bit

IMAGE_SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff')


@dataclass(frozen=True, slots=True)
class FileFindings:
    """What the detector found in one image file."""

    file: Path
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class FilesDetected:
    """What the detector found in several files, and how long it took per image."""

    images: tuple[FileFindings, ...]
    backend: str
    ms_per_image: float


def image_files(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The given image files and those in the given folders, sorted within each folder.

    Raises:
        DataError: for a path that is neither, or when there is no image at all.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(path.iterdir())
            files += [file for file in inside if file.suffix.lower() in IMAGE_SUFFIXES]
        elif path.is_file():
            files.append(path)
        else:
            raise DataError(f'{path}: expected an image file or a folder of images, none is there')
    if not files:
        raise DataError(f'{", ".join(map(str, paths))}: expected images, found none')
    return tuple(files)


def detect_files(
    detector: Detector,
    files: Iterable[Path],
    min_score: float = 0.25,
    steady_s: Callable[[], float] = time.monotonic,
) -> FilesDetected:
    """Detect on image files; times exclude reading them, and what a new size has to prepare.

    Raises:
        DataError: for a file that is no readable image.
    """
    found, seconds = [], 0.0
    prepared: set[tuple[int, ...]] = set()
    for file in files:
        image = to_eight_bit(read_image(file))
        if image.pixels.shape not in prepared:
            detector.detect([image])
            prepared.add(image.pixels.shape)
        began = steady_s()
        detections = detector.detect([image])[0]
        seconds += steady_s() - began
        findings = tuple(
            Finding(
                label,
                float(detections.scores[index]),
                box_px=detections.boxes_px[index],
                polygon_px=detections.polygon(index),
            )
            for index, label in enumerate(detections.labels)
            if detections.scores[index] >= min_score
        )
        found.append(FileFindings(file, findings))
    return FilesDetected(tuple(found), detector.backend, seconds * 1000.0 / max(len(found), 1))
