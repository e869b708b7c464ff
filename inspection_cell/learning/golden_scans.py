"""The scans of good parts that a reference is learned from."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from inspection_cell.errors import DataError
from inspection_cell.stored_parts import SCAN_SUFFIXES, StoredPart, read_scan, read_stored_parts
from inspection_cell.surface.registration import extent_m

FEWEST_SCANS = 3
_MOST_TIMES_LARGER = 3.0  # of the usual extent: another unit, or another scene
_FEWEST_POINTS = 200


@dataclass(frozen=True, slots=True)
class GoodScan:
    """Points (N, 3) float32 of one good part, in the scan's frame, metres."""

    name: str
    sha256: str
    points: NDArray[np.float32]


def load_good_scans(folder: Path, units: Literal['mm', 'm']) -> tuple[GoodScan, ...]:
    """Read every ply and pcd of a folder, or the one scan of each of its stored parts.

    Raises:
        DataError: with one line per problem: too few scans, other units, parts that are not good.
    """
    if not folder.is_dir():
        raise DataError(f'{folder}: expected a folder with scans (ply, pcd), there is none')
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SCAN_SUFFIXES)
    if not files and any(folder.glob('*/part.yaml')):
        files = _stored(read_stored_parts(folder), units)
    if len(files) < FEWEST_SCANS:
        raise DataError(
            f'{folder}: expected at least {FEWEST_SCANS} scans of good parts (ply, pcd), '
            f'found {len(files)}'
        )
    scans = tuple(_read(path, folder, units) for path in files)
    problems = _problems(scans)
    if problems:
        raise DataError('\n'.join(f'{folder}: {problem}' for problem in problems))
    return scans


def _read(path: Path, folder: Path, units: Literal['mm', 'm']) -> GoodScan:
    points = read_scan(path, units).points
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return GoodScan(str(path.relative_to(folder)), digest, points)


def _stored(parts: tuple[StoredPart, ...], units: str) -> list[Path]:
    problems, files = [], []
    for part in parts:
        frames = [frame for frame in part.frames if frame.path.suffix in SCAN_SUFFIXES]
        if part.truth is not None and not part.truth.good:
            problems.append(f'{part.part_id}: its truth.json says that it is not good')
        if len(frames) != 1:
            views = ', '.join(str(frame.view) for frame in frames) or 'none'
            problems.append(f'{part.part_id}: expected one scan, found {len(frames)} ({views})')
            continue
        if frames[0].units != units:
            problems.append(f'{part.part_id}: its scan is in {frames[0].units}, not in {units}')
        files.append(frames[0].path)
    if problems:
        raise DataError('\n'.join(problems))
    return files


def _problems(scans: tuple[GoodScan, ...]) -> list[str]:
    extents = np.array([extent_m(scan.points) for scan in scans])
    usual = float(np.median(extents))
    problems = [
        f'{scan.name}: {len(scan.points)} points; at least {_FEWEST_POINTS} are needed'
        for scan in scans
        if len(scan.points) < _FEWEST_POINTS
    ]
    problems += [
        f'{scan.name}: extends {extent:.3g} m where the others extend {usual:.3g} m; '
        'is it in the same unit?'
        for scan, extent in zip(scans, extents, strict=True)
        if not usual / _MOST_TIMES_LARGER <= extent <= usual * _MOST_TIMES_LARGER
    ]
    first: dict[str, str] = {}
    for scan in scans:
        if scan.sha256 in first:
            problems.append(f'{scan.name}: is the same file as {first[scan.sha256]}')
        first.setdefault(scan.sha256, scan.name)
    return problems
