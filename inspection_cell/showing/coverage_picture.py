"""The picture of what sensors see of a part: its surface from four sides, coloured."""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from inspection_cell.geometry import Points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.showing.coverage_colours import COLOURS, legend, levels
from inspection_cell.showing.coverage_preview import Preview

SIDES = ((1.0, -1.3, 1.0), (-1.0, 1.3, 1.0), (1.0, -1.3, -1.0), (-1.0, 1.3, -1.0))
SIDE_PX = 340
_LIFT_M = 1e-5  # rays of light must not hit the surface that they start on
_DARKEST = 0.55  # of a colour, where the surface is seen edge on
_BEND_COS = 0.9  # between neighbouring pixels: an edge of the part
_AROUND = 1.05  # so much more than the part is drawn


def draw(preview: Preview) -> bytes:
    """PNG: above from two corners, below from the two others."""
    figure = Figure(figsize=(12, 10), dpi=100, layout='constrained')
    figure.suptitle(headline(preview))
    for axis, side in zip(figure.subplots(2, 2).flat, SIDES, strict=True):
        axis.imshow(_rendered(preview, np.array(side)))
        axis.set_title(f'from {_words(side)} of the part', fontsize=10)
        axis.axis('off')
    entries = legend(preview.recipe.file.coverage.min_views)
    handles = [Patch(color=colour, label=words) for colour, words in entries]
    figure.legend(handles=handles, loc='outside lower center', ncols=len(handles), frameon=False)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format='png')
    return buffer.getvalue()


def headline(preview: Preview) -> str:
    """`bracket in demo: 76.3 % of the surface can be seen, at least 60 % demanded`."""
    coverage = preview.coverage
    demanded = f'at least {coverage.minimum:.0%} demanded' if coverage.minimum else 'none demanded'
    return (
        f'{preview.recipe.part_type} in {preview.cell.file.name}: '
        f'{coverage.share:.1%} of the surface can be seen, {demanded}'
    )


def _rendered(preview: Preview, towards: NDArray[np.float64]) -> NDArray[np.float64]:
    """(H, W, 3) parallel projection along `-towards`, white around the part."""
    reference = preview.reference
    towards = towards / np.linalg.norm(towards)
    origins = _grid(reference, towards)
    hits_m, faces = reference.cast_from(origins, np.broadcast_to(-towards, origins.shape))
    rows = np.flatnonzero(np.isfinite(hits_m))
    normals = reference.normals[faces[rows]]
    points = origins[rows] - hits_m[rows, None] * towards + _LIFT_M * normals
    demand = preview.recipe.file.coverage
    seen = preview.seen_by(points, normals).views(demand.by)
    palette = np.array([to_rgb(colour) for colour in COLOURS])
    shade = _DARKEST + (1.0 - _DARKEST) * np.abs(normals @ towards)
    pixels = np.ones((SIDE_PX * SIDE_PX, 3))
    pixels[rows] = palette[levels(seen, demand.min_views)] * shade[:, None]
    facing = np.zeros_like(pixels)
    facing[rows] = normals
    square = (SIDE_PX, SIDE_PX, 3)
    return pixels.reshape(square) * _lines(facing.reshape(square))


def _lines(normals: NDArray[np.float64]) -> NDArray[np.float64]:
    """(H, W, 1) factors that darken the pixels where the surface bends sharply or ends."""
    line = np.zeros(normals.shape[:2], dtype=np.bool_)
    for axis in (0, 1):
        alike = np.einsum('ijk,ijk->ij', normals, np.roll(normals, 1, axis=axis))
        line |= alike < _BEND_COS
    line &= normals.any(axis=2)
    return np.where(line, _DARKEST, 1.0)[:, :, None]


def _grid(reference: ReferenceMesh, towards: NDArray[np.float64]) -> Points:
    """(SIDE_PX², 3) starts of rays outside of the part, row by row from above."""
    right = np.cross((0.0, 0.0, 1.0), towards)
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(towards, right), towards])
    flat = reference.vertices @ axes.T
    middle = (flat.min(axis=0) + flat.max(axis=0)) / 2.0
    half_m = _AROUND * float(np.ptp(flat[:, :2], axis=0).max()) / 2.0
    steps = np.linspace(-half_m, half_m, SIDE_PX)
    across, along = np.meshgrid(steps, -steps)
    outside = np.full(across.size, flat[:, 2].max() + half_m - middle[2])
    grid: Points = (middle + np.column_stack([across.ravel(), along.ravel(), outside])) @ axes
    return grid


def _words(side: tuple[float, float, float]) -> str:
    signs = ['+' if value > 0 else '-' for value in side]
    return ' '.join(f'{sign}{name}' for sign, name in zip(signs, 'xyz', strict=True))
