"""The picture of a scan's deviations: coloured points from three sides."""

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from inspection_cell.geometry import Points
from inspection_cell.showing.deviation_colours import colour_stops, scale_mm, scale_ticks_mm
from inspection_cell.showing.deviations import shown_deviations
from inspection_cell.surface.registration import thinned
from inspection_cell.surface_files import SurfaceResult

SHOWN_POINTS = 120_000


def draw(result: SurfaceResult) -> bytes:
    """PNG of the scan seen along its main direction and the two across, coloured by deviation."""
    figure = Figure(figsize=(15, 6.2), dpi=110, layout='constrained')
    figure.suptitle(f'{result.verdict.part_id}: {result.decision.name}  ·  {summary(result)}')
    if len(result.points_part):
        _draw_sides(figure, result)
    else:
        figure.text(0.5, 0.5, result.registered.reason, ha='center', wrap=True)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format='png', bbox_inches='tight')
    return buffer.getvalue()


def _draw_sides(figure: Figure, result: SurfaceResult) -> None:
    centre = result.reference.vertices.mean(axis=0)
    shown = shown_deviations(result)
    points = thinned(np.column_stack([result.points_part, shown.on_scale_mm]), SHOWN_POINTS)
    colours = LinearSegmentedColormap.from_list('deviation', colour_stops(result.tolerance_mm))
    axes = figure.subplots(1, 3)
    drawn = None
    for side, axis in zip(_sides(result.points_part, centre), axes, strict=True):
        flat = points[:, :3] @ side.T * 1e3
        order = np.argsort(flat[:, 2], kind='stable')  # nearer points cover farther ones
        drawn = axis.scatter(
            *flat[order, :2].T,
            c=points[order, 3],
            s=1.2,
            linewidths=0,
            cmap=colours,
            norm=Normalize(*scale_mm(result.tolerance_mm)),
            rasterized=True,
        )
        _mark(axis, result, side)
        axis.set_aspect('equal')
        axis.set_xlabel(_name(side[0]))
        axis.set_ylabel(_name(side[1]))
    if drawn is not None:
        bar = figure.colorbar(drawn, ax=axes, shrink=0.8, extend='both')
        bar.set_label(shown.scale_words)
        bar.set_ticks(scale_ticks_mm(result.tolerance_mm), labels=shown.tick_words)


def _mark(axis: Axes, result: SurfaceResult, side: Points) -> None:
    for number, defect in enumerate(result.defects, start=1):
        if defect.position_m is None:
            continue
        x, y, _ = defect.position_m @ side.T * 1e3
        axis.plot(x, y, 'o', ms=18, mfc='none', mec='black', mew=1.6)
        axis.annotate(str(number), (x, y), (10, 10), textcoords='offset points', weight='bold')


def _name(direction: Points) -> str:
    axis = int(np.argmax(np.abs(direction)))
    return f'{"-" if direction[axis] < 0 else ""}{"xyz"[axis]} of the part, mm'


def _sides(points: NDArray[np.floating], centre: Points) -> list[Points]:
    """Three (3, 3) bases with rows right, up, towards the viewer; first the scan's own side."""
    towards = (points - centre).mean(axis=0)
    axis = int(np.argmax(np.abs(towards)))
    front = np.eye(3)[axis] * (1.0 if towards[axis] > 0 else -1.0)
    up = np.eye(3)[1 if axis == 2 else 2]
    right = np.cross(up, front)
    return [
        np.stack([right, up, front]),
        np.stack([-front, up, right]),
        np.stack([right, -front, up]),
    ]


def summary(result: SurfaceResult) -> str:
    """One line: points, fit, spread, coverage, defects."""
    if not result.registered.ok:
        return 'not registered'
    share = result.registered.explained
    p50, p95 = np.percentile(np.abs(result.deviation_mm), [50, 95])
    return (
        f'{result.points:,} points, {share:.1%} explained, median {p50:.3f} mm, '
        f'95 % {p95:.3f} mm, {result.coverage:.1%} covered, {len(result.defects)} defects'
    )
