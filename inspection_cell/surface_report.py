"""The picture of a scan's deviations: coloured points from three sides, and a table of defects."""

import base64
import html
import io
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from inspection_cell.errors import DataError
from inspection_cell.geometry import Points
from inspection_cell.surface.registration import thinned
from inspection_cell.surface_files import SurfaceResult

SUFFIXES = ('.png', '.html')
SHOWN_POINTS = 120_000
COLOURS = 'coolwarm'  # blue: too little material, red: too much

_STYLE = (
    'body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1100px;color:#222}'
    'img{width:100%}table{border-collapse:collapse}td,th{padding:.3rem .9rem;text-align:right;'
    'border-bottom:1px solid #ddd}td:first-child,th:first-child{text-align:left}'
)


def write_report(path: Path, result: SurfaceResult) -> None:
    """Write a `.png`, or a self-contained `.html` with the picture and the defects.

    Raises:
        DataError: for another suffix, or where the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise DataError(f'{path}: expected a report name that ends in .png or .html')
    picture = draw(result)
    content = picture if suffix == '.png' else _page(result, picture).encode()
    try:
        path.write_bytes(content)
    except OSError as error:
        raise DataError(f'{path}: cannot write the report: {error.strerror}') from error


def draw(result: SurfaceResult) -> bytes:
    """PNG of the scan seen along its main direction and the two across, coloured by deviation."""
    figure = Figure(figsize=(15, 6.2), dpi=110, layout='constrained')
    figure.suptitle(f'{result.verdict.part_id}: {result.decision.name}  ·  {_summary(result)}')
    if len(result.points_part):
        _draw_sides(figure, result)
    else:
        figure.text(0.5, 0.5, result.registered.reason, ha='center', wrap=True)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format='png')
    return buffer.getvalue()


def _draw_sides(figure: Figure, result: SurfaceResult) -> None:
    centre = result.reference.vertices.mean(axis=0)
    points = thinned(np.column_stack([result.points_part, result.deviation_mm]), SHOWN_POINTS)
    low, high = result.tolerance_mm
    norm = TwoSlopeNorm(0.0, 2 * low, 2 * high)
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
            cmap=COLOURS,
            norm=norm,
            rasterized=True,
        )
        _mark(axis, result, side)
        axis.set_aspect('equal')
        axis.set_xlabel(_name(side[0]))
        axis.set_ylabel(_name(side[1]))
    if drawn is not None:
        bar = figure.colorbar(drawn, ax=axes, shrink=0.8, extend='both')
        bar.set_label(f'deviation, mm (tolerance {low:+g} … {high:+g})')
        bar.set_ticks([2 * low, low, 0.0, high, 2 * high])


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


def _sides(points: Points, centre: Points) -> list[Points]:
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


def _summary(result: SurfaceResult) -> str:
    if not result.registered.ok:
        return 'not registered'
    share = result.registered.explained
    p50, p95 = np.percentile(np.abs(result.deviation_mm), [50, 95])
    return (
        f'{result.points:,} points, {share:.1%} explained, median {p50:.3f} mm, '
        f'95 % {p95:.3f} mm, {result.coverage:.1%} covered, {len(result.defects)} defects'
    )


def _page(result: SurfaceResult, picture: bytes) -> str:
    title = html.escape(f'{result.verdict.part_id}: {result.decision.name}')
    reasons = ''.join(f'<li>{html.escape(r.text)}</li>' for r in result.verdict.reasons)
    image = base64.b64encode(picture).decode()
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f'<style>{_STYLE}</style><h1>{title}</h1><p>{html.escape(_summary(result))}</p>'
        f'<ul>{reasons}</ul><img alt="Deviation of the scan" src="data:image/png;base64,{image}">'
        f'{_table(result)}</html>\n'
    )


def _table(result: SurfaceResult) -> str:
    if not result.defects:
        return '<p>No defects.</p>'
    head = '<tr><th>defect</th><th>position, mm</th><th>peak, mm</th><th>area, mm²</th></tr>'
    rows = []
    for number, defect in enumerate(result.defects, start=1):
        where = '' if defect.position_m is None else np.round(defect.position_m * 1e3, 1).tolist()
        cells = (
            f'{number} {html.escape(defect.label)}',
            f'{where}',
            f'{defect.peak_mm:+.3f}',
            f'{defect.area_mm2:.1f}',
        )
        rows.append('<tr>' + ''.join(f'<td>{cell}</td>' for cell in cells) + '</tr>')
    return f'<table>{head}{"".join(rows)}</table>'
