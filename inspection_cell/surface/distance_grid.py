"""Signed distances near the reference, precomputed on a regular grid: a lookup, not a search.

Only nodes in a narrow band around the surface are computed; the rest is NaN. Between the nodes
distances are interpolated trilinearly, which is exact beside planes and wrong beside edges. Each
cell was compared with the exact distance once; where they differ, the cell is not trusted and
points in it are measured exactly.
"""

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from inspection_cell.reference import ReferenceMesh

FINEST_M, COARSEST_M = 0.05e-3, 0.5e-3
CELLS_ALONG = 300.0  # the part's diagonal in cells, unless a limit below is met
MOST_CELLS = 24_000_000  # of the box around the part: 4 bytes each
BAND_M = 1.5e-3  # least distance to the surface up to which nodes are computed
_BAND_CELLS = 3.0
_BLOCK = 4  # cells along a block; blocks far from the surface are skipped whole
_TRUST_REACH_M, _TRUST_REACH_CELLS = 0.6e-3, 1.5  # cells this near to the surface are compared
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
_FORMAT = 4

Flat = NDArray[np.int64]


class Exact(Protocol):
    """Measures distances; the slow and exact way."""

    reference: ReferenceMesh

    def signed_m(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N,) signed distances of (N, 3) points in metres; NaN where the mesh says nothing."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What the grid says about points.

    Attributes:
        signed_m: (N,) float32, positive outside; NaN outside the band.
        gradient: (N, 3) float32, direction in which it grows, about unit length.
        trusted: (N,) whether the exact distance is the same to some micrometres.
    """

    signed_m: NDArray[np.float32]
    gradient: NDArray[np.float32]
    trusted: NDArray[np.bool_]


class DistanceGrid:
    """Signed distances on nodes, in the part frame.

    Attributes:
        origin_m: (3,) the first node.
        spacing_m: between nodes.
        nodes: (X, Y, Z) float32 signed distances, metres; NaN outside the band.
        trusted: (X, Y, Z) whether the cell that begins at a node is interpolated well.
    """

    def __init__(
        self,
        origin_m: NDArray[np.float64],
        spacing_m: float,
        nodes: NDArray[np.float32],
        trusted: NDArray[np.bool_],
    ) -> None:
        """Take over the arrays."""
        self.origin_m = origin_m
        self.spacing_m = spacing_m
        self.nodes = nodes
        self.trusted = trusted
        _, y, z = nodes.shape
        self._strides = np.array([y * z, z, 1], dtype=np.int32)
        self._flat, self._flat_trusted = nodes.reshape(-1), trusted.reshape(-1)

    def look_up(self, points: NDArray[np.floating]) -> Looked:
        """Interpolate at (N, 3) points in the part frame, metres."""
        kind = points.dtype.type
        count = len(points)
        base, inside = np.zeros(count, dtype=np.int32), np.ones(count, dtype=np.bool_)
        fractions = []
        for axis, (side, stride) in enumerate(zip(self.nodes.shape, self._strides, strict=True)):
            scaled = (points[:, axis] - kind(self.origin_m[axis])) * kind(1.0 / self.spacing_m)
            inside &= (scaled >= 0) & (scaled < side - 1)
            with np.errstate(invalid='ignore'):  # of points far away, which are set aside below
                cell = scaled.astype(np.int32)
            base += cell * stride
            fractions.append((scaled - cell).astype(np.float32))
        if not inside.all():
            base[~inside] = 0
        signed_m, gradient = self._interpolate(base, *fractions)
        trusted = self._flat_trusted[base]
        if not inside.all():
            signed_m[~inside] = np.nan
            trusted &= inside
        return Looked(signed_m, gradient, trusted)

    def _interpolate(
        self,
        base: NDArray[np.int32],
        x: NDArray[np.float32],
        y: NDArray[np.float32],
        z: NDArray[np.float32],
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Trilinear value (N,) and gradient (N, 3) in the cells that begin at `base`."""
        step_x, step_y, _ = (int(stride) for stride in self._strides)
        flat = self._flat
        low, rise_z = [], []
        for offset in (0, step_y, step_x, step_x + step_y):
            at = flat[base + offset] if offset else flat[base]
            rise = flat[base + (offset + 1)] - at
            rise_z.append(rise)
            low.append(at + z * rise)
        rise_y0, rise_y1 = low[1] - low[0], low[3] - low[2]
        value0, value1 = low[0] + y * rise_y0, low[2] + y * rise_y1
        gradient = np.empty((len(base), 3), dtype=np.float32)
        gradient[:, 0] = value1 - value0
        gradient[:, 1] = rise_y0 + x * (rise_y1 - rise_y0)
        z0 = rise_z[0] + y * (rise_z[1] - rise_z[0])
        z1 = rise_z[2] + y * (rise_z[3] - rise_z[2])
        gradient[:, 2] = z0 + x * (z1 - z0)
        gradient *= np.float32(1.0 / self.spacing_m)
        return value0 + x * (value1 - value0), gradient


def build_grid(exact: Exact, spacing_m: float) -> DistanceGrid:
    """Compute the band around a reference and compare each cell with the exact distance."""
    reference = exact.reference
    band_m = max(BAND_M, _BAND_CELLS * spacing_m)
    low, high = reference.bounds_m
    low, high = low - band_m - 2 * spacing_m, high + band_m + 2 * spacing_m
    shape = np.ceil((high - low) / spacing_m / _BLOCK).astype(int) * _BLOCK
    nodes = np.full(shape, np.nan, dtype=np.float32)
    blocks = _near_blocks(reference, low, spacing_m, shape // _BLOCK, band_m)
    for chosen in np.array_split(blocks, max(len(blocks) * _BLOCK**3 // _AT_ONCE, 1)):
        index = _nodes_of(chosen, shape)
        signed_m = exact.signed_m(_positions(index, shape, low, spacing_m))
        signed_m[np.abs(signed_m) > band_m] = np.nan
        nodes.reshape(-1)[index] = signed_m
    untested = DistanceGrid(low, spacing_m, nodes, np.zeros(shape, dtype=np.bool_))
    return DistanceGrid(low, spacing_m, nodes, _trusted(exact, untested))


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
    path = folder / f'{_key(exact.reference, spacing_m)}.npz'
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


def _nodes_of(blocks: NDArray[np.int64], shape: NDArray[np.int64]) -> Flat:
    """Flat indices of all nodes of blocks (B, 3)."""
    steps = np.stack(np.meshgrid(*(np.arange(_BLOCK),) * 3, indexing='ij'), -1).reshape(-1, 3)
    nodes = (blocks[:, None] * _BLOCK + steps).reshape(-1, 3)
    flat: Flat = np.asarray(np.ravel_multi_index(tuple(nodes.T), tuple(shape)), dtype=np.int64)
    return flat


def _positions(
    index: Flat, shape: NDArray[np.int64], low: NDArray[np.float64], spacing_m: float
) -> NDArray[np.float64]:
    positions: NDArray[np.float64] = low + spacing_m * np.column_stack(
        np.unravel_index(index, tuple(shape))
    )
    return positions


def _trusted(exact: Exact, grid: DistanceGrid) -> NDArray[np.bool_]:
    """Which cells agree with the exact distance at places spread within them."""
    complete = np.isfinite(grid.nodes)
    for axis in range(3):
        complete = complete & np.roll(complete, -1, axis=axis)
    for axis in range(3):
        np.moveaxis(complete, axis, 0)[-1] = False
    # Points farther away are few, and no matter of micrometres.
    reach_m = max(_TRUST_REACH_M, _TRUST_REACH_CELLS * grid.spacing_m)
    cells = np.flatnonzero(complete & (np.abs(grid.nodes) <= reach_m))
    shape = np.array(grid.nodes.shape)
    for place in _PLACES:  # what fails in one place is not looked at in the next
        kept = [
            _agreeing(
                exact, grid, rows, _positions(rows, shape, grid.origin_m, grid.spacing_m), place
            )
            for rows in np.array_split(cells, max(len(cells) // _AT_ONCE, 1))
        ]
        cells = np.concatenate(kept)
    trusted = np.zeros(grid.nodes.shape, dtype=np.bool_)
    trusted.reshape(-1)[cells] = True
    return trusted


def _agreeing(
    exact: Exact,
    grid: DistanceGrid,
    cells: Flat,
    corners: NDArray[np.float64],
    place: NDArray[np.float64],
) -> Flat:
    points = corners + place * grid.spacing_m
    error_m = np.abs(grid.look_up(points).signed_m - exact.signed_m(points))
    return cells[error_m <= _TRUSTED_M]


def _key(reference: ReferenceMesh, spacing_m: float) -> str:
    text = f'{_FORMAT} {reference.sha256} {reference.diagonal_m:.9f} {spacing_m:.9f}'
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _store(path: Path, grid: DistanceGrid) -> None:
    """Only the band is written; a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    index = np.flatnonzero(np.isfinite(grid.nodes))
    unfinished = path.with_suffix('.partial.npz')
    np.savez(
        unfinished,
        origin_m=grid.origin_m,
        spacing_m=grid.spacing_m,
        shape=grid.nodes.shape,
        index=index.astype(np.int32),
        signed_m=grid.nodes.reshape(-1)[index],
        trusted=np.packbits(grid.trusted.reshape(-1)[index]),
    )
    unfinished.replace(path)


def _load(path: Path) -> DistanceGrid | None:
    """None where there is no whole file: it is built again."""
    try:
        with np.load(path) as kept:
            shape = tuple(int(side) for side in kept['shape'])
            index = kept['index']
            nodes = np.full(shape, np.nan, dtype=np.float32)
            nodes.reshape(-1)[index] = kept['signed_m']
            trusted = np.zeros(shape, dtype=np.bool_)
            bits = np.unpackbits(kept['trusted'], count=len(index))
            trusted.reshape(-1)[index] = bits.astype(np.bool_)
            return DistanceGrid(kept['origin_m'], float(kept['spacing_m']), nodes, trusted)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
