"""How surfaces look: materials by region of the part, brushing and turning marks."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

from inspection_cell.geometry import Points
from inspection_cell.sim import bracket, ring

Ids = NDArray[np.uint8]
X, Y, Z, RADIUS, ARC = range(5)  # coordinates along and across which the tool marks run
TEXTURE = 1024  # cells per side
CELL_ACROSS_MM, CELL_ALONG_MM = 0.12, 0.5
ARC_MM = TEXTURE * CELL_ALONG_MM / (2 * np.pi)  # the texture closes after one turn


@dataclass(frozen=True, slots=True)
class Material:
    """Optical properties of a region.

    Attributes:
        colour: reflectance in B, G, R.
        diffuse: share that is scattered.
        glossy: share that is mirrored.
        sharp: 0 for a wide highlight, 1 for a narrow one.
        marks: relative strength of the tool marks.
        along: coordinate along which the tool marks run.
        across: coordinate across them.
    """

    colour: tuple[float, float, float]
    diffuse: float
    glossy: float
    sharp: float
    marks: float
    along: int
    across: int


_ALUMINIUM, _STEEL = (0.80, 0.81, 0.80), (0.76, 0.80, 0.82)
_BLUE, _GRAPHITE, _OXIDE = (0.52, 0.33, 0.22), (0.40, 0.41, 0.44), (0.24, 0.24, 0.25)

MATERIALS = (
    Material(_ALUMINIUM, 0.45, 0.55, 0.0, 0.10, X, Y),  # brushed along x
    Material(_ALUMINIUM, 0.45, 0.55, 0.0, 0.10, Y, X),  # pocket, brushed along y
    Material(_ALUMINIUM, 0.45, 0.55, 0.0, 0.10, Y, Z),  # upright
    Material(_ALUMINIUM, 0.40, 0.60, 0.3, 0.05, X, Z),  # chamfers, bores
    Material(_BLUE, 0.80, 0.25, 0.3, 0.03, X, Z),
    Material(_BLUE, 0.80, 0.25, 0.3, 0.03, Y, Z),
    Material(_OXIDE, 0.60, 0.90, 1.0, 0.06, ARC, RADIUS),  # screws
    Material(_STEEL, 0.45, 0.60, 0.0, 0.12, ARC, RADIUS),  # turned, flat
    Material(_STEEL, 0.45, 0.60, 0.2, 0.08, ARC, Z),  # turned, round
    Material(_GRAPHITE, 0.80, 0.35, 0.3, 0.04, ARC, Z),
)
BRUSHED_X, BRUSHED_Y, BRUSHED_Z, BRIGHT, BLUE_X, BLUE_Y, SCREW, TURNED, ROUND, GRAPHITE = range(10)
DARK = frozenset({BLUE_X, BLUE_Y, SCREW, GRAPHITE})


def material_ids(part_type: str, centres_mm: Points, normals: Points) -> Ids:
    """Material of each triangle by its centre (T, 3) and normal (T, 3); index into MATERIALS."""
    paint = _PAINTERS.get(part_type, _paint_brushed)
    return paint(centres_mm, normals)


def tool_marks(materials: Ids, points_mm: NDArray[np.float32]) -> NDArray[np.float32]:
    """Height of the tool marks (N,) in about [-2, 2] at surface points of known materials."""
    x, y, z = points_mm.T
    radius = np.sqrt(x * x + y * y)
    coordinates = np.stack([x, y, z, radius, np.arctan2(y, x) * np.float32(ARC_MM)])
    rows = np.arange(len(points_mm))
    along = coordinates[_ALONG[materials], rows] * np.float32(1 / CELL_ALONG_MM)
    across = coordinates[_ACROSS[materials], rows] * np.float32(1 / CELL_ACROSS_MM)
    across += materials * np.float32(97.0)
    cell = (across.astype(np.int32) % TEXTURE) * TEXTURE + along.astype(np.int32) % TEXTURE
    heights: NDArray[np.float32] = _texture()[cell]
    return heights


@cache
def _texture() -> NDArray[np.float32]:
    noise = np.random.default_rng(5).standard_normal((TEXTURE, TEXTURE), dtype=np.float32)
    long = uniform_filter(noise, (1, 61), mode='wrap')
    short = uniform_filter(noise[::-1], (2, 15), mode='wrap')
    wide = gaussian_filter(noise.T, 12, mode='wrap')
    layers = zip((0.7, 0.5, 0.4), (long, short, wide), strict=True)
    texture = sum(weight * layer / layer.std() for weight, layer in layers)
    return np.asarray(texture, dtype=np.float32).ravel()


def _paint_brushed(centres_mm: Points, normals: Points) -> Ids:
    by_axis = np.array([BRUSHED_Z, BRIGHT, BRUSHED_X], dtype=np.uint8)
    ids: Ids = by_axis[np.abs(normals).argmax(axis=1)]
    return ids


def _paint_bracket(centres_mm: Points, normals: Points) -> Ids:
    x, y, z = centres_mm.T
    nx, ny, nz = normals.T
    ids = np.full(len(x), BRIGHT, dtype=np.uint8)
    ids[(np.abs(ny) > 0.99) & (np.abs(y) > bracket.WIDTH / 2 - 0.1)] = BLUE_X
    ids[((x < bracket.LEFT + 0.1) | (x > bracket.RIGHT - 0.1)) & (np.abs(nx) > 0.99)] = BLUE_Y
    ids[((z < 0.1) | (z > bracket.HEIGHT - 0.1)) & (np.abs(nz) > 0.99)] = BLUE_Y
    ids[(nz > 0.99) & (np.abs(z - bracket.BASE) < 0.1)] = BRUSHED_X
    ids[(nz > 0.99) & (z < bracket.BASE - 1) & (z > 5)] = BRUSHED_Y
    front = (nx > 0.99) & (np.abs(x - bracket.INNER) < 0.1)
    fillet = (z > bracket.BASE + 0.01) & (z < 22) & (nx > 0.05) & (x < bracket.INNER + 8)
    ids[front | fillet] = BRUSHED_Z
    pocket = (np.abs(x - 10.5) < 22) & (np.abs(y) < 21.5) & (z < bracket.BASE - 0.1)
    ids[pocket & (np.abs(nz) < 0.5) & (z > 7)] = BRIGHT
    for screw in bracket.SCREWS:
        near = np.hypot(x - screw.seat[0], y - screw.seat[1]) < screw.radius + 0.01
        ids[near & (z > bracket.BASE + 0.01)] = SCREW
    return ids


def _paint_ring(centres_mm: Points, normals: Points) -> Ids:
    x, y, z = centres_mm.T
    radius = np.hypot(x, y)
    flat = np.abs(normals[:, 2]) > 0.99
    ids = np.where(flat, TURNED, ROUND).astype(np.uint8)
    hub = ~flat & (radius > 25) & (radius < 31) & (z > ring.FLANGE) & (z < ring.HUB - ring.EDGE)
    rim = (np.abs(normals[:, 2]) < 0.1) & (radius > 37.5) & (z > 0.5) & (radius > 43)
    at_flat = (normals[:, 0] > 0.99) & (x > ring.FLAT - 0.1)
    ids[hub | rim | at_flat] = GRAPHITE
    return ids


_PAINTERS: dict[str, Callable[[Points, Points], Ids]] = {
    'bracket': _paint_bracket,
    'ring': _paint_ring,
}
_ALONG = np.array([material.along for material in MATERIALS])
_ACROSS = np.array([material.across for material in MATERIALS])
