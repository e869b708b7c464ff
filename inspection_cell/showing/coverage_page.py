"""The page of a coverage preview: the turnable part coloured by who sees it, and the figures."""

import base64
from collections.abc import Sequence
from html import escape

import numpy as np
import open3d as o3d
import plotly.graph_objects as go

from inspection_cell.fusion.places import places_of
from inspection_cell.geometry import Points, invert
from inspection_cell.showing.coverage_colours import COLOURS, legend, levels
from inspection_cell.showing.coverage_picture import headline
from inspection_cell.showing.coverage_preview import Preview
from inspection_cell.showing.surface_triangles import ShownSurface

MAP_ID = 'map'
_SIGHT = (0.5, 0.65)  # of the diagonal: where the line towards a sensor begins and ends
_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;padding:1rem;max-width:1200px;
color:#1c1c1c;background:#fff}
h1{font-size:1.5rem;margin:.2rem 0}h2{font-size:1.15rem;margin:1.6rem 0 .4rem}
#map{min-height:340px;border:1px solid #ddd}
.wide{overflow-x:auto}table{border-collapse:collapse;white-space:nowrap}
td,th{padding:.3rem .8rem;text-align:right;border-bottom:1px solid #ddd}
td:first-child,th:first-child{text-align:left}
.short{color:#a50f15;font-weight:600}
.colours span{display:inline-block;margin-right:1.1rem}
.colours i{display:inline-block;width:1em;height:1em;margin-right:.4em;vertical-align:-.1em;
border:1px solid #999}img{width:100%}
"""


def page(preview: Preview, picture: bytes) -> str:
    """HTML that loads nothing: the coloured part with its library, tables, and a picture (PNG)."""
    title = escape(f'coverage of {preview.recipe.part_type}')
    drawn = _figure(preview).to_html(
        full_html=False,
        include_plotlyjs=True,
        div_id=MAP_ID,
        default_height='70vh',
        config={'responsive': True, 'displaylogo': False, 'scrollZoom': True},
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<style>{_STYLE}</style></head><body><h1>{escape(headline(preview))}</h1>'
        f'{drawn}{_legend(preview)}<h2>Views</h2>{_views(preview)}'
        f'<h2>Zones</h2>{_zones(preview)}<h2>Seen by nobody</h2>{_unseen(preview)}'
        f'{_still(picture)}</body></html>\n'
    )


def _figure(preview: Preview) -> go.Figure:
    """The part in mm of its own frame, with a line towards each sensor."""
    figure = go.Figure([_surface(preview), *_sights(preview)])
    plain = {'backgroundcolor': 'white', 'gridcolor': '#e4e4e4', 'zerolinecolor': '#bbb'}
    titles = {f'{axis}axis': {'title': {'text': f'{axis}, mm'}, **plain} for axis in 'xyz'}
    figure.update_layout(
        scene={'aspectmode': 'data', **titles},
        margin={'l': 0, 'r': 0, 't': 0, 'b': 0},
        paper_bgcolor='white',
        showlegend=False,
    )
    return figure


def _surface(preview: Preview) -> go.Mesh3d:
    places = places_of(preview.reference, preview.recipe.file.zones)
    corners = ShownSurface(preview.reference, places).corners
    points, normals = _middles(preview, corners)
    demand = preview.recipe.file.coverage
    views = preview.seen_by(points, normals).views(demand.by)
    x, y, z = (corners.reshape(-1, 3).T * 1e3).astype(np.float32)
    i, j, k = np.arange(len(x), dtype=np.int32).reshape(-1, 3).T
    steps = np.linspace(0.0, 1.0, len(COLOURS) + 1)
    scale = [
        [float(at), colour]
        for colour, *ends in zip(COLOURS, steps[:-1], steps[1:], strict=True)
        for at in ends
    ]
    return go.Mesh3d(
        **{'x': x, 'y': y, 'z': z, 'i': i, 'j': j, 'k': k},
        intensity=levels(views, demand.min_views).astype(np.float32),
        intensitymode='cell',
        colorscale=scale,
        cmin=-0.5,
        cmax=len(COLOURS) - 0.5,
        showscale=False,
        flatshading=True,
        lighting={'ambient': 0.85, 'diffuse': 0.25, 'specular': 0.0},
        hoverinfo='skip',
    )


def _middles(preview: Preview, corners: Points) -> tuple[Points, Points]:
    """On the reference: points (T, 3) in the middle of drawn triangles (T, 3, 3), and normals."""
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-30)
    middles = o3d.core.Tensor.from_numpy(corners.mean(axis=1).astype(np.float32))
    points = preview.reference.scene.compute_closest_points(middles)['points'].numpy()
    return points.astype(np.float64), normals


def _sights(preview: Preview) -> list[go.Scatter3d]:
    """From beside the part towards each sensor that looks at it, with its name."""
    centre = np.mean(preview.reference.bounds_m, axis=0)
    traces = []
    for view in preview.views:
        towards = invert(view.transform_part_to_sensor)[:3, 3] - centre
        towards *= preview.reference.diagonal_m / np.linalg.norm(towards)
        x, y, z = np.stack([centre + part * towards for part in _SIGHT]).T * 1e3
        traces.append(
            go.Scatter3d(
                **{'x': x, 'y': y, 'z': z},
                mode='lines+markers+text',
                text=['', str(view.view)],
                textposition='top center',
                line={'color': '#333333', 'width': 4},
                marker={'size': [0, 5], 'color': '#333333'},
                hoverinfo='skip',
            )
        )
    return traces


def _legend(preview: Preview) -> str:
    entries = ''.join(
        f'<span><i style="background:{colour}"></i>{escape(words)}</span>'
        for colour, words in legend(preview.recipe.file.coverage.min_views)
    )
    return (
        f'<p class="colours">{entries}</p><p>Drag to turn, scroll or pinch to zoom. The lines '
        'point to where the sensors stand, as the part is held in that presentation.</p>'
    )


def _views(preview: Preview) -> str:
    rows = [
        (str(view.view), f'{share:.1%}', view.note)
        for view, share in zip(preview.views, preview.shares, strict=True)
    ]
    coverage = preview.coverage
    short = coverage.share < coverage.minimum
    rows.append(('together', f'{coverage.share:.1%}', f'{coverage.minimum:.0%} demanded'))
    return _table(('view', 'of the surface', ''), rows, {len(rows) - 1} if short else set())


def _zones(preview: Preview) -> str:
    if not preview.zone_shares:
        return '<p>The recipe names no zones.</p>'
    demanded = {zone.name: zone.minimum for zone in preview.coverage.zones}
    rows, short = [], set()
    for row, (name, share) in enumerate(preview.zone_shares.items()):
        minimum = demanded.get(name)
        words = 'none demanded' if minimum is None else f'{minimum:.0%} demanded'
        rows.append((name, f'{share:.1%}', words))
        if share < (minimum or 0.0):
            short.add(row)
    return _table(('zone', 'of its surface', ''), rows, short)


def _unseen(preview: Preview) -> str:
    if not preview.unseen:
        return '<p>Nothing.</p>'
    rows = [(one.where, f'{one.area_cm2:.1f} cm²', one.why) for one in preview.unseen]
    return _table(('surface', 'area', 'mostly because it is'), rows, set())


def _still(picture: bytes) -> str:
    image = base64.b64encode(picture).decode()
    return (
        '<details><summary>Picture from four sides</summary>'
        f'<img alt="Coverage from four sides" src="data:image/png;base64,{image}"></details>'
    )


def _table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]], short: set[int]) -> str:
    head = ''.join(f'<th>{escape(column)}</th>' for column in columns)
    body = ''.join(
        f'<tr{" class=short" if number in short else ""}>'
        + ''.join(f'<td>{escape(cell)}</td>' for cell in row)
        + '</tr>'
        for number, row in enumerate(rows)
    )
    return f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>'
