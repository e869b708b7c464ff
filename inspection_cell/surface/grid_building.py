"""Computes the distance grid of a reference, once per mesh, and keeps it."""

import zipfile
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inspection_cell.reference import ReferenceMesh
from inspection_cell.surface.distance_grid import DIVIDED, SIDE, DistanceGrid, DividedCells
from inspection_cell.surface.kept_files import kept_file, written_whole

FINEST_M, COARSEST_M = 0.05e-3, 0.5e-3
CELLS_ALONG = 300.0  # the part's diagonal in cells, unless a limit below is met
MOST_CELLS = 24_000_000  # of the box around the part: 4 bytes each
BAND_M = 1.5e-3  # least distance to the surface up to which nodes are computed
_BAND_CELLS = 3.0
_BLOCK = 4  # cells along a block; blocks far from the surface are skipped whole
_TRUST_REACH_M, _TRUST_REACH_CELLS = 0.6e-3, 1.5  # cells this near to the surface are compared
_DIVIDED_REACH_CELLS = 0.75  # cells whose middle is this near to the surface are divided
_MOST_DIVIDED = 100_000  # cells: a shape that bends everywhere would take minutes
_TRUSTED_M = 3e-6  # greatest error of the interpolation in a trusted cell
_AT_ONCE = 400_000
_PLACES = np.array(
    [
        (0.5, 0.5, 0.5),
        (0.15, 0.15, 0.15),
        (0.85, 0.85, 0.15),
        (0.85, 0.15, 0.85),
        (0.15, 0.85, 0.85),
    ]
)  # of a cell, where its interpolation is compared: a tetrahedron and its middle
_FORMAT = 7

Flat = NDArray[np.intp]
Shape = tuple[int, ...]


class Exact(Protocol):
    """Measures distances; the slow and exact way."""

    reference: ReferenceMesh

    def signed_m(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N,) signed distances of (N, 3) points in metres; NaN where the mesh says nothing."""


def build_grid(exact: Exact, spacing_m: float) -> DistanceGrid:
    """Compute the band around a reference and compare each cell with the exact distance."""
    reference = exact.reference
    band_m = max(BAND_M, _BAND_CELLS * spacing_m)
    low, high = reference.bounds_m
    low, high = low - band_m - 2 * spacing_m, high + band_m + 2 * spacing_m
    counts = np.ceil((high - low) / spacing_m / _BLOCK).astype(int)
    shape: Shape = tuple(int(count) * _BLOCK for count in counts)
    nodes = np.full(shape, np.nan, dtype=np.float32)
    blocks = _near_blocks(reference, low, spacing_m, counts, band_m)
    for chosen in np.array_split(blocks, max(len(blocks) * _BLOCK**3 // _AT_ONCE, 1)):
        index = _nodes_of(chosen, shape)
        signed_m = exact.signed_m(_positions(index, shape, low, spacing_m))
        signed_m[np.abs(signed_m) > band_m] = np.nan
        nodes.reshape(-1)[index] = signed_m
    grid = DistanceGrid(low, spacing_m, nodes, np.zeros(shape, dtype=np.bool_))
    cells = _compared(grid)
    trusted = _agreeing(exact, grid, _positions(cells, shape, low, spacing_m), spacing_m)
    grid.trusted.reshape(-1)[cells[trusted]] = True
    divided = _divided(exact, grid, cells[~trusted])
    return DistanceGrid(low, spacing_m, nodes, grid.trusted, divided)


def load_or_build(
    exact: Exact, folder: Path | None, spacing_m: float | None = None
) -> DistanceGrid:
    """The grid of a mesh from the folder of caches, by the mesh's hash; built where it lacks.

    Args:
        exact: measures.
        folder: of the caches; None: computed anew.
        spacing_m: between nodes; None: by the part's size.
    """
    spacing_m = spacing_m or _spacing_m(exact.reference)
    if folder is None:
        return build_grid(exact, spacing_m)
    path = kept_file(folder, _made_of(exact.reference, spacing_m), '.npz')
    kept = _load(path)
    if kept is None:
        kept = build_grid(exact, spacing_m)
        _store(path, kept)
    return kept


def _spacing_m(reference: ReferenceMesh) -> float:
    wanted_m = float(np.clip(reference.diagonal_m / CELLS_ALONG, FINEST_M, COARSEST_M))
    volume_m3 = float(np.prod(np.ptp(reference.vertices, axis=0) + 2 * BAND_M + 4 * wanted_m))
    return max(wanted_m, float(np.cbrt(volume_m3 / MOST_CELLS)))


def _near_blocks(
    reference: ReferenceMesh,
    low: NDArray[np.float64],
    spacing_m: float,
    counts: NDArray[np.int64],
    band_m: float,
) -> Flat:
    """(B, 3) blocks of cells that reach into the band."""
    blocks = np.stack(np.meshgrid(*(np.arange(n) for n in counts), indexing='ij'), axis=-1)
    blocks = blocks.reshape(-1, 3)
    centres = low + (blocks + 0.5) * (_BLOCK * spacing_m)
    away_m = reference.distances_m(centres)
    reach_m = band_m + np.sqrt(3) / 2 * (_BLOCK + 1) * spacing_m
    near: Flat = blocks[away_m <= reach_m]
    return near


def _steps(count: int) -> Flat:
    """(count³, 3) all places of a small cube, the last axis fastest."""
    return np.stack(np.meshgrid(*(np.arange(count),) * 3, indexing='ij'), -1).reshape(-1, 3)


def _nodes_of(blocks: Flat, shape: Shape) -> Flat:
    """Flat indices of all nodes of blocks (B, 3)."""
    nodes = (blocks[:, None] * _BLOCK + _steps(_BLOCK)).reshape(-1, 3)
    return np.asarray(np.ravel_multi_index(tuple(nodes.T), shape), dtype=np.intp)


def _positions(
    index: Flat, shape: Shape, low: NDArray[np.float64], spacing_m: float
) -> NDArray[np.float64]:
    positions: NDArray[np.float64] = low + spacing_m * np.column_stack(
        np.unravel_index(index, shape)
    )
    return positions


def _compared(grid: DistanceGrid) -> Flat:
    """Cells with all their nodes, near to the surface: what lies farther away is few points."""
    complete = np.isfinite(grid.nodes)
    for axis in range(3):
        complete = complete & np.roll(complete, -1, axis=axis)
    for axis in range(3):
        np.moveaxis(complete, axis, 0)[-1] = False
    reach_m = max(_TRUST_REACH_M, _TRUST_REACH_CELLS * grid.spacing_m)
    return np.flatnonzero(complete & (np.abs(grid.nodes) <= reach_m))


def _agreeing(
    exact: Exact, grid: DistanceGrid, corners: NDArray[np.float64], side_m: float
) -> NDArray[np.bool_]:
    """(C,) which cells, from corners (C, 3), agree with the exact distance in all places."""
    agreeing = np.zeros(len(corners), dtype=np.bool_)
    for rows in np.array_split(np.arange(len(corners)), max(len(corners) // _AT_ONCE, 1)):
        for place in _PLACES:  # what fails in one place is not looked at in the next
            points = corners[rows] + place * side_m
            error_m = np.abs(grid.look_up(points).signed_m - exact.signed_m(points))
            rows = rows[error_m <= _TRUSTED_M]
        agreeing[rows] = True
    return agreeing


def _divided(exact: Exact, grid: DistanceGrid, cells: Flat) -> DividedCells | None:
    """More nodes for those of the cells that points of a scan lie in; None where they are many."""
    shape = grid.nodes.shape
    corners = _positions(cells, shape, grid.origin_m, grid.spacing_m)
    away_m = np.abs(grid.look_up(corners + grid.spacing_m / 2).signed_m)
    near = away_m <= _DIVIDED_REACH_CELLS * grid.spacing_m
    cells, corners = cells[near], corners[near]
    if not 0 < len(cells) <= _MOST_DIVIDED:
        return None
    finer_m = grid.spacing_m / DIVIDED
    points = (corners[:, None] + finer_m * _steps(SIDE)).reshape(-1, 3)
    parts = np.array_split(points, max(len(points) // _AT_ONCE, 1))
    nodes = np.concatenate([exact.signed_m(part).astype(np.float32) for part in parts])
    untested = DividedCells(
        cells,
        nodes.reshape(-1, SIDE, SIDE, SIDE),
        np.zeros((len(cells), DIVIDED, DIVIDED, DIVIDED), dtype=np.bool_),
    )
    tried = DistanceGrid(grid.origin_m, grid.spacing_m, grid.nodes, grid.trusted, untested)
    small = (corners[:, None] + finer_m * _steps(DIVIDED)).reshape(-1, 3)
    trusted = _agreeing(exact, tried, small, finer_m)
    return DividedCells(cells, untested.nodes, trusted.reshape(untested.trusted.shape))


def _made_of(reference: ReferenceMesh, spacing_m: float) -> str:
    return f'{_FORMAT} {reference.sha256} {reference.diagonal_m:.9f} {spacing_m:.9f}'


def _store(path: Path, grid: DistanceGrid) -> None:
    """Only the band is written."""
    index = np.flatnonzero(np.isfinite(grid.nodes))
    arrays = {
        'origin_m': grid.origin_m,
        'spacing_m': np.array(grid.spacing_m),
        'shape': np.array(grid.nodes.shape),
        'index': index.astype(np.int32),
        'signed_m': grid.nodes.reshape(-1)[index],
        'trusted': np.packbits(grid.trusted.reshape(-1)[index]),
    }
    if grid.divided is not None:
        arrays |= {
            'divided_cells': grid.divided.cells.astype(np.int32),
            'divided_nodes': grid.divided.nodes,
            'divided_trusted': np.packbits(grid.divided.trusted),
        }
    with written_whole(path) as unfinished:
        np.savez(unfinished, allow_pickle=False, **arrays)


def _load(path: Path) -> DistanceGrid | None:
    """None where there is no whole file: it is built again."""
    try:
        with np.load(path) as kept:
            shape = tuple(int(side) for side in kept['shape'])
            index = kept['index']
            nodes = np.full(shape, np.nan, dtype=np.float32)
            nodes.reshape(-1)[index] = kept['signed_m']
            trusted = np.zeros(shape, dtype=np.bool_)
            trusted.reshape(-1)[index] = _bits(kept['trusted'], len(index))
            divided = None
            if 'divided_cells' in kept:
                cells = kept['divided_cells'].astype(np.intp)
                small = _bits(kept['divided_trusted'], len(cells) * DIVIDED**3)
                small = small.reshape(-1, DIVIDED, DIVIDED, DIVIDED)
                divided = DividedCells(cells, kept['divided_nodes'], small)
            origin_m, spacing_m = kept['origin_m'], float(kept['spacing_m'])
            return DistanceGrid(origin_m, spacing_m, nodes, trusted, divided)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _bits(packed: NDArray[np.uint8], count: int) -> NDArray[np.bool_]:
    return np.unpackbits(packed, count=count).astype(np.bool_)
