"""The turnable map of a scan's deviations: coloured points on the translucent reference."""

from collections.abc import Mapping

import numpy as np
import open3d as o3d
import plotly.graph_objects as go
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from inspection_cell.findings import Defect
from inspection_cell.geometry import Points
from inspection_cell.reference import ReferenceMesh
from inspection_cell.showing.deviation_colours import colour_stops, scale_mm, scale_ticks_mm
from inspection_cell.showing.deviations import ShownDeviations, shown_deviations, zone_words
from inspection_cell.surface_files import SurfaceResult
from inspection_cell.zones import SurfaceZone

SHOWN_POINTS = 60_000
SHOWN_TRIANGLES = 40_000
DEFECT_SHARE = 0.6  # of the shown points, at most, that defects may take
DEFECT_MARGIN_MM = 1.5
_MESH_CELLS = 110.0  # along the diagonal of a reference that is too fine to be shown as it is
_NEEDLE = 0.06  # length of a pin, as a share of the diagonal
_SUNK = 0.003  # so much the reference is drawn smaller, that it covers no points
_ZONE_COLOURS = ('#1b7837', '#762a83', '#b8860b', '#00797a', '#c2185b', '#455a64')


def deviation_map(result: SurfaceResult, zones: Mapping[str, SurfaceZone]) -> go.Figure:
    """The figure: reference, points, zones and numbered defects, in mm of the part frame."""
    reference = result.reference
    traces = [_reference(reference)]
    if len(result.points_part):
        traces.append(_points(result, shown_deviations(result)))
    for index, (name, zone) in enumerate(zones.items()):
        colour = _ZONE_COLOURS[index % len(_ZONE_COLOURS)]
        words = zone_words(result, name)
        traces.append(_zone(words, reference.samples[zone.samples], colour))
    traces += _pins(result.defects, reference.diagonal_m)
    figure = go.Figure(traces)
    axes = {
        axis: {
            'title': {'text': f'{axis[0]}, mm'},
            'backgroundcolor': 'white',
            'gridcolor': '#e4e4e4',
            'zerolinecolor': '#bbb',
        }
        for axis in ('xaxis', 'yaxis', 'zaxis')
    }
    figure.update_layout(
        scene={'aspectmode': 'data', 'camera': {'eye': _eye(result)}, **axes},
        margin={'l': 0, 'r': 0, 't': 0, 'b': 0},
        paper_bgcolor='white',
        font={'color': '#1c1c1c', 'family': 'system-ui, sans-serif'},
        legend={'orientation': 'h', 'y': 1, 'yanchor': 'bottom', 'itemsizing': 'constant'},
        modebar={'orientation': 'v'},
    )
    return figure


def shown_rows(result: SurfaceResult, shown: ShownDeviations) -> NDArray[np.intp]:
    """Rows of the points that are drawn: those of the defects, and evenly of the rest."""
    count = len(result.points_part)
    if count <= SHOWN_POINTS:
        return np.arange(count)
    chosen = np.zeros(count, dtype=np.bool_)
    of_defects = np.flatnonzero(_of_defects(result, shown))
    chosen[_thin(of_defects, int(DEFECT_SHARE * SHOWN_POINTS))] = True
    rest = np.flatnonzero(~chosen)
    chosen[_thin(rest, SHOWN_POINTS - int(chosen.sum()))] = True
    return np.flatnonzero(chosen)


def _of_defects(result: SurfaceResult, shown: ShownDeviations) -> NDArray[np.bool_]:
    """Which points lie outside their limits where a defect is."""
    own = np.zeros(len(result.points_part), dtype=np.bool_)
    beyond = np.flatnonzero(shown.beyond)
    if len(beyond) == 0:
        return own
    tree = cKDTree(result.points_part[beyond])
    for defect in result.defects:
        if defect.position_m is None:
            continue
        reach_m = (defect.length_mm + abs(defect.peak_mm) + DEFECT_MARGIN_MM) / 1e3
        own[beyond[tree.query_ball_point(defect.position_m, reach_m)]] = True
    return own


def _thin(rows: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    kept: NDArray[np.intp] = rows[
        np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(np.intp)
    ]
    return kept


def _points(result: SurfaceResult, shown: ShownDeviations) -> go.Scatter3d:
    rows = shown_rows(result, shown)
    start, end = scale_mm(shown.tolerance_mm)
    ticks = scale_ticks_mm(shown.tolerance_mm)
    words = [
        f'<b>{word}</b>' if tick in shown.tolerance_mm else word
        for tick, word in zip(ticks, shown.tick_words, strict=True)
    ]
    marker = {
        'size': 2.8,
        'color': shown.on_scale_mm[rows].astype(np.float32),
        'cmin': start,
        'cmax': end,
        'colorscale': [list(stop) for stop in colour_stops(shown.tolerance_mm)],
        'colorbar': {
            'orientation': 'h',
            'y': 0.0,
            'yanchor': 'top',
            'thickness': 14,
            'title': {'text': shown.scale_words, 'side': 'bottom'},
            'tickvals': ticks,
            'ticktext': words,
        },
    }
    hover = '%{marker.color:+.3f} mm<br>(%{x:.1f}, %{y:.1f}, %{z:.1f}) mm<extra></extra>'
    own = {}
    if shown.varies:
        hover = '%{customdata[0]:+.3f} mm; limit %{customdata[1]:+.3f} mm'
        hover += '<br>(%{x:.1f}, %{y:.1f}, %{z:.1f}) mm<extra></extra>'
        told = np.column_stack([shown.deviation_mm[rows], shown.limit_mm[rows]])
        own = {'customdata': told.astype(np.float32)}
    return _scatter(
        result.points_part[rows],
        name='scan',
        mode='markers',
        showlegend=True,
        marker=marker,
        hovertemplate=hover,
        **own,
    )


def _zone(words: str, points: Points, colour: str) -> go.Scatter3d:
    marker = {'size': 3.2, 'symbol': 'circle-open', 'color': colour}
    return _scatter(
        points,
        name=words,
        mode='markers',
        marker=marker,
        hovertemplate=f'{words}<extra></extra>',
    )


def _pins(defects: tuple[Defect, ...], diagonal_m: float) -> list[go.Scatter3d]:
    """A numbered head over each defect, on a needle that stands on its place."""
    numbers, feet, heads, texts = [], [], [], []
    for number, defect in enumerate(defects, start=1):
        if defect.position_m is None:
            continue
        normal = np.zeros(3) if defect.normal is None else defect.normal
        numbers.append(f'<b>{number}</b>')
        feet.append(defect.position_m)
        heads.append(defect.position_m + _NEEDLE * diagonal_m * normal)
        texts.append(_hover(number, defect))
    if not numbers:
        return []
    gaps = np.full((len(feet), 3), np.nan)
    needles = np.stack([np.array(feet), np.array(heads), gaps], axis=1).reshape(-1, 3)
    line = {'color': 'black', 'width': 4}
    own = {'legendgroup': 'defects', 'name': 'defects'}
    return [
        _scatter(needles, mode='lines', line=line, showlegend=False, hoverinfo='skip', **own),
        _scatter(
            np.array(heads),
            mode='markers+text',
            text=numbers,
            textposition='top center',
            textfont={'size': 18, 'color': 'black'},
            marker={'size': 6, 'color': 'black'},
            hovertext=texts,
            hoverinfo='text',
            **own,
        ),
    ]


def _hover(number: int, defect: Defect) -> str:
    return (
        f'{number} {defect.label}<br>peak {defect.peak_mm:+.3f} mm<br>'
        f'area {defect.area_mm2:.1f} mm², volume {defect.volume_mm3:.2f} mm³<br>'
        f'{defect.length_mm:.1f} × {defect.width_mm:.1f} mm'
    )


def _scatter(points: NDArray[np.floating], **style: object) -> go.Scatter3d:
    x, y, z = (points.T * 1e3).astype(np.float32)
    return go.Scatter3d(x=x, y=y, z=z, **style)


def _reference(reference: ReferenceMesh) -> go.Mesh3d:
    mesh = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(reference.vertices),
        o3d.utility.Vector3iVector(reference.triangles),
    )
    if len(reference.triangles) > SHOWN_TRIANGLES:
        mesh = mesh.simplify_vertex_clustering(reference.diagonal_m / _MESH_CELLS)
    mesh.compute_vertex_normals()
    sunk = np.asarray(mesh.vertices) - _SUNK * reference.diagonal_m * np.asarray(
        mesh.vertex_normals
    )
    x, y, z = (sunk.T * 1e3).astype(np.float32)
    i, j, k = np.asarray(mesh.triangles).T.astype(np.int32)
    return go.Mesh3d(
        **{'x': x, 'y': y, 'z': z, 'i': i, 'j': j, 'k': k},
        name='reference',
        color='#8c8c8c',
        opacity=0.3,
        flatshading=True,
        hoverinfo='skip',
        showlegend=True,
    )


def _eye(result: SurfaceResult) -> dict[str, float]:
    """Where to look from first: the side that the scan shows, a little from above."""
    towards = np.array([0.6, -1.0, 0.6])
    if len(result.points_part):
        seen = result.points_part.mean(axis=0) - result.reference.samples.mean(axis=0)
        towards = 0.6 * towards + seen / max(float(np.linalg.norm(seen)), 1e-9)
    towards *= 2.2 / np.linalg.norm(towards)
    return dict(zip('xyz', towards.round(3).tolist(), strict=True))
