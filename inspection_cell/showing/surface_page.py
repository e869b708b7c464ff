"""The page of a compared scan: decision, map, defects and figures, in one file."""

import base64
from collections.abc import Mapping
from html import escape

import numpy as np

from inspection_cell.findings import Defect
from inspection_cell.showing.deviation_colours import (
    ABOVE,
    BELOW,
    FAR_ABOVE,
    FAR_BELOW,
    WITHIN,
    WITHIN_HIGH,
    WITHIN_LOW,
)
from inspection_cell.showing.deviations import shown_deviations
from inspection_cell.showing.surface_map import deviation_map
from inspection_cell.showing.surface_picture import draw
from inspection_cell.surface_files import SurfaceResult
from inspection_cell.zones import SurfaceZone

MAP_ID = 'map'
DEFECT_COLUMNS = (
    'defect',
    'x, y, z, mm',
    'peak, mm',
    'limit',
    'uncertainty',
    'area, mm²',
    'length × width, mm',
    'volume, mm³',
    'normal',
)
_STYLE = """
html{overflow-y:scroll}
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;padding:1rem;max-width:1200px;
color:#1c1c1c;background:#fff}
h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.15rem;margin:1.6rem 0 .4rem}
.decision{display:inline-block;padding:.1rem .7rem;border-radius:.3rem;color:#fff}
.ACCEPT{background:#1b6e3a}.REJECT{background:#a50f15}.REVIEW{background:#8a5a00}
.UNKNOWN{background:#6a3d7c}
#map{min-height:340px;border:1px solid #ddd}
.wide{overflow-x:auto}table{border-collapse:collapse;white-space:nowrap}
td,th{padding:.3rem .8rem;text-align:right;border-bottom:1px solid #ddd}
td:first-child,th:first-child{text-align:left}
tr[data-eye]{cursor:pointer}tr[data-eye]:hover,tr[data-eye]:focus{background:#f1f1ec}
.colours span{display:inline-block;margin-right:1.1rem}
.colours i{display:inline-block;width:1em;height:1em;margin-right:.4em;vertical-align:-.1em;
border:1px solid #999}img{width:100%}
"""
_SCRIPT = """
const map = document.getElementById('map');
new ResizeObserver(() => Plotly.Plots.resize(map)).observe(map);
for (const row of document.querySelectorAll('tr[data-eye]')) {
  const turn = () => Plotly.relayout(map, {'scene.camera.eye': JSON.parse(row.dataset.eye)});
  row.addEventListener('click', turn);
  row.addEventListener('keydown', (event) => { if (event.key === 'Enter') turn(); });
}
"""


def page(result: SurfaceResult, zones: Mapping[str, SurfaceZone]) -> str:
    """HTML that loads nothing: the map with its library, tables, and the three-sided picture."""
    title = escape(f'{result.verdict.part_id}: {result.decision.name}')
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<style>{_STYLE}</style></head><body>{_head(result)}{_map(result, zones)}'
        f'<h2>Defects</h2>{_defects(result)}<h2>Figures</h2>{_figures(result)}'
        f'{_still(result)}<script>{_SCRIPT}</script></body></html>\n'
    )


def _head(result: SurfaceResult) -> str:
    name = result.decision.name
    texts = [reason.text for reason in result.verdict.reasons] or ['nothing to object to']
    reasons = ''.join(f'<li>{escape(text)}</li>' for text in texts)
    return (
        f'<h1>{escape(result.verdict.part_id)} <span class="decision {name}">{name}</span></h1>'
        f'<ul>{reasons}</ul>'
    )


def _map(result: SurfaceResult, zones: Mapping[str, SurfaceZone]) -> str:
    figure = deviation_map(result, zones)
    drawn = figure.to_html(
        full_html=False,
        include_plotlyjs=True,
        div_id=MAP_ID,
        default_height='70vh',
        config={'responsive': True, 'displaylogo': False, 'scrollZoom': True},
    )
    return f'{drawn}{_colours(result)}'


def _colours(result: SurfaceResult) -> str:
    low, high = result.tolerance_mm
    below, above = f'below {low:+g} mm', f'above {high:+g} mm'
    if shown_deviations(result).varies:
        below, above = 'below the limit there', 'above the limit there'
    words = (
        (FAR_BELOW, 'far too little material'),
        (BELOW, f'too little ({below})'),
        (WITHIN_LOW, 'a little low'),
        (WITHIN, 'as the reference'),
        (WITHIN_HIGH, 'a little high (all three within the tolerance)'),
        (ABOVE, f'too much ({above})'),
        (FAR_ABOVE, 'far too much material'),
    )
    entries = ''.join(
        f'<span><i style="background:{colour}"></i>{escape(text)}</span>' for colour, text in words
    )
    return (
        f'<p class="colours">{entries}</p><p>Drag to turn, scroll or pinch to zoom; '
        'an entry of the legend shows or hides its layer. Translucent grey is the reference: '
        'where it has no coloured points, the scan shows nothing.</p>'
    )


def _defects(result: SurfaceResult) -> str:
    if not result.defects:
        return '<p>No defects.</p>'
    rows = ''.join(_defect(n, defect) for n, defect in enumerate(result.defects, start=1))
    return (
        f'<div class="wide">{_table(DEFECT_COLUMNS, rows)}</div>'
        '<p>A click on a row turns the map towards the defect.</p>'
    )


def _defect(number: int, defect: Defect) -> str:
    cells = (
        f'{number} {escape(defect.label)}',
        '' if defect.position_m is None else _vector(defect.position_m * 1e3, 1),
        f'{defect.peak_mm:+.3f}',
        f'{defect.limit:+.3g} {escape(defect.unit)}',
        f'± {defect.uncertainty:.3f} {escape(defect.unit)}' if defect.uncertainty else 'not known',
        f'{defect.area_mm2:.1f}',
        f'{defect.length_mm:.1f} × {defect.width_mm:.1f}',
        f'{defect.volume_mm3:.2f}',
        '' if defect.normal is None else _vector(defect.normal, 2),
    )
    eye = ''
    if defect.normal is not None:
        x, y, z = (1.6 * defect.normal).round(3).tolist()
        eye = f' tabindex="0" data-eye=\'{{"x":{x},"y":{y},"z":{z}}}\''
    return f'<tr{eye}>' + ''.join(f'<td>{cell}</td>' for cell in cells) + '</tr>'


def _figures(result: SurfaceResult) -> str:
    registered, coverage = result.registered, result.verdict.coverage
    demanded = 'none demanded' if coverage is None else f'{coverage.minimum:.0%} demanded'
    rows = [
        ('points of the scan', f'{result.points:,}'),
        ('reference explains', f'{registered.explained:.1%} of them'),
        ('residual', f'{registered.residual_mm:.3f} mm'),
        ('weakest direction of the pose', f'{registered.observability:.2g}'),
        (
            'moved from the first pose',
            f'{registered.shift_mm:.2f} mm, {registered.rotation_deg:.2f}°',
        ),
        ('surface seen', f'{result.coverage:.1%}, {demanded}'),
        *_spread(result),
        ('reference', result.reference.sha256[:16]),
        ('software', result.verdict.software_version or 'not stated'),
        ('time', f'{result.seconds:.2f} s'),
    ]
    if not registered.ok:
        rows.insert(0, ('not registered', registered.reason))
    cells = ''.join(f'<tr><td>{escape(a)}</td><td>{escape(b)}</td></tr>' for a, b in rows)
    return f'<div class="wide"><table>{cells}</table></div>'


def _spread(result: SurfaceResult) -> list[tuple[str, str]]:
    if len(result.deviation_mm) == 0:
        return []
    p50, p95, p99 = np.percentile(np.abs(result.deviation_mm), [50, 95, 99])
    low, high = result.deviation_mm.min(), result.deviation_mm.max()
    return [
        ('deviation, magnitude', f'median {p50:.3f}, 95 % {p95:.3f}, 99 % {p99:.3f} mm'),
        ('deviation, range', f'{low:+.3f} … {high:+.3f} mm'),
    ]


def _still(result: SurfaceResult) -> str:
    image = base64.b64encode(draw(result)).decode()
    return (
        '<details><summary>Picture from three sides</summary>'
        f'<img alt="Deviations from three sides" src="data:image/png;base64,{image}"></details>'
    )


def _table(columns: tuple[str, ...], rows: str) -> str:
    head = ''.join(f'<th>{escape(column)}</th>' for column in columns)
    return f'<table><tr>{head}</tr>{rows}</table>'


def _vector(values: np.ndarray, digits: int) -> str:
    return ', '.join(f'{value:.{digits}f}' for value in values)
