import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import open3d as o3d
import pytest

# Fixtures, found by their names.
from scanned_part import part, scan_of, scanner_pose  # noqa: F401

from inspection_cell.errors import DataError
from inspection_cell.findings import Decision, Defect, Reason, Verdict
from inspection_cell.geometry import transform_points
from inspection_cell.sections.zones import Box, Zone
from inspection_cell.showing.deviation_colours import ABOVE, BELOW, colour_stops, scale_mm
from inspection_cell.showing.deviations import shown_deviations
from inspection_cell.showing.surface_map import (
    SHOWN_POINTS,
    SHOWN_TRIANGLES,
    deviation_map,
    shown_rows,
)
from inspection_cell.showing.surface_page import page
from inspection_cell.showing.surface_report import write_report
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.limits import Limits
from inspection_cell.surface.registration import Registered
from inspection_cell.surface_files import SurfaceResult
from inspection_cell.zones import SurfaceZone

TOLERANCE_MM = (-0.2, 0.3)
BUMP_MM = np.array([-20.0, -20.0, 20.0])
CHROMIUM = shutil.which('chromium') or shutil.which('google-chrome')


class Page(HTMLParser):
    """Attributes that make a browser load something, the visible words, and the table's rows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads, self.words, self.eyes, self._inside = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self._inside.append(tag)
        self.loads += [v for k, v in attributes if k in ('src', 'href', 'data')]
        self.eyes += [v for k, v in attributes if k == 'data-eye']

    def handle_endtag(self, tag):
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data):
        if not {'script', 'style'} & set(self._inside):
            self.words.append(data)

    @property
    def text(self) -> str:
        return ' '.join(' '.join(self.words).split())


@pytest.fixture(scope='module')
def result(part, scan_of, scanner_pose):  # noqa: F811
    """A scan with a bump of 0.6 mm and 6 mm across, and nothing else."""
    points = transform_points(scanner_pose, scan_of(part, noise_mm=0.02, flying_share=0.0))
    bump = np.linalg.norm(points[:, :2] - BUMP_MM[:2] / 1e3, axis=1) < 3e-3
    points[bump, 2] += 0.6e-3
    defect = Defect(
        label='burr',
        probability=0.99,
        position_m=BUMP_MM / 1e3,
        normal=np.array([0.0, 0.0, 1.0]),
        length_mm=6.1,
        width_mm=5.9,
        area_mm2=28.4,
        volume_mm3=16.9,
        peak_mm=0.612,
        value=0.612,
        limit=0.3,
        unit='mm',
        uncertainty=0.014,
    )
    reason = Reason('defect', 'burr, +0.61 mm off the reference; limit 0.3 mm')
    return SurfaceResult(
        reference=part,
        verdict=Verdict('file', 'scan <1>', 'part', Decision.REJECT, (reason,), (defect,)),
        registered=Registered(np.eye(4), explained=0.99, residual_mm=0.021, observability=0.07),
        points=len(points),
        points_part=points,
        deviation_mm=DeviationField(part).measure(points).signed_mm,
        tolerance_mm=TOLERANCE_MM,
        coverage=0.412,
        seconds=0.5,
    )


@pytest.fixture(scope='module')
def zones(result):
    box = Box(centre_mm=(-20.0, -20.0, 20.0), size_mm=(10.0, 10.0, 2.0))
    return {'pad & rim': SurfaceZone('pad & rim', Zone(boxes=(box,)), result.reference)}


@pytest.fixture(scope='module')
def html(result, zones):
    return page(result, zones)


def rows_of(result):
    return shown_rows(result, shown_deviations(result))


def many(result, count):
    """The same result with its points repeated."""
    rows = np.arange(count) % len(result.points_part)
    return replace(
        result, points_part=result.points_part[rows], deviation_mm=result.deviation_mm[rows]
    )


def test_the_page_loads_nothing_and_stays_below_8_mb(html):
    loads = Page(html).loads
    assert all(load.startswith('data:') for load in loads)
    assert '<script src' not in html
    assert '@import' not in html
    assert len(html.encode()) < 8e6


def test_the_page_says_decision_reasons_defects_and_figures(html, result):
    text = Page(html).text
    (defect,) = result.defects
    assert text.index('REJECT') < text.index(result.verdict.reasons[0].text) < text.index('peak')
    assert f'1 {defect.label}' in text
    assert f'{defect.peak_mm:+.3f}' in text
    for words in ('28.4', '6.1 × 5.9', '16.90', '± 0.014 mm', '+0.3 mm'):
        assert words in text
    assert f'{result.coverage:.1%}' in text
    assert f'{result.registered.residual_mm:.3f} mm' in text
    assert 'below -0.2 mm' in text
    assert 'above +0.3 mm' in text


def test_names_from_files_and_recipes_cannot_inject_markup(html):
    assert 'scan <1>' not in html
    assert 'scan &lt;1&gt;' in html


def test_a_row_of_the_table_turns_the_map_to_face_the_defect(html):
    (eye,) = Page(html).eyes
    x, y, z = (float(v) for v in re.findall(r'-?\d+\.?\d*', eye))
    assert np.hypot(x, y) < 0.1
    assert z == pytest.approx(1.6, abs=0.02)


def test_the_pin_of_a_defect_stands_on_it(result, zones):
    figure = deviation_map(result, zones)
    needle, head = (trace for trace in figure.data if trace.name == 'defects')
    foot = np.array([needle.x[0], needle.y[0], needle.z[0]])
    assert np.linalg.norm(foot - BUMP_MM) < 1.5
    assert head.text == ('<b>1</b>',)
    assert 'peak +0.6' in head.hovertext[0]
    assert head.z[0] > foot[2] + 2


def test_points_carry_their_deviation_on_a_scale_that_steps_at_the_tolerance(result):
    (scan,) = (trace for trace in deviation_map(result, {}).data if trace.name == 'scan')
    assert (scan.marker.cmin, scan.marker.cmax) == scale_mm(TOLERANCE_MM)
    assert {-0.2, 0.0, 0.3} <= set(scan.marker.colorbar.tickvals)
    assert len(scan.x) == len(scan.marker.color) == len(result.points_part)
    start, end = scale_mm(TOLERANCE_MM)
    steps = {colour: share for share, colour in colour_stops(TOLERANCE_MM)}
    assert start + steps[BELOW] * (end - start) == pytest.approx(-0.2)
    assert start + steps[ABOVE] * (end - start) == pytest.approx(0.3)


def test_of_many_points_those_of_a_defect_are_all_kept(result):
    large = many(result, 300_000)
    rows = rows_of(large)
    assert len(rows) <= SHOWN_POINTS
    assert len(np.unique(rows)) == len(rows)
    assert np.array_equal(rows_of(result), np.arange(len(result.points_part)))
    near = np.linalg.norm(large.points_part * 1e3 - BUMP_MM, axis=1) < 2.5
    high = np.flatnonzero(near & (large.deviation_mm > 0.4))
    assert len(high) > 100
    assert np.isin(high, rows).all()


def test_a_part_that_is_wrong_everywhere_still_fits_the_page(result):
    large = many(replace(result, deviation_mm=result.deviation_mm + 1.0), 300_000)
    assert len(rows_of(large)) <= SHOWN_POINTS


def test_zones_have_layers_of_their_own_and_may_be_left_out(result, zones):
    (layer,) = (trace for trace in deviation_map(result, zones).data if 'zone' in trace.name)
    assert np.abs(np.array(layer.x) + 20).max() <= 5.01
    assert np.abs(np.array(layer.z) - 20).max() <= 1.01
    assert not any('zone' in trace.name for trace in deviation_map(result, {}).data)


TIGHT_MM = (-0.05, 0.06)


@pytest.fixture(scope='module')
def zoned(result, zones):
    """The same part with a tight zone around its bump, which elsewhere would be allowed."""
    pad = zones['pad & rim']
    limits = Limits((-1.0, 1.2), zones=((pad, TIGHT_MM),))
    return replace(result, tolerance_mm=(-1.0, 1.2), limits=limits)


def in_bump(result):
    near = np.linalg.norm(result.points_part * 1e3 - BUMP_MM, axis=1) < 2.0
    return near & (result.deviation_mm > 0.5)


def scan_trace(result, zones):
    (scan,) = (trace for trace in deviation_map(result, zones).data if trace.name == 'scan')
    return scan


def test_points_are_coloured_by_the_limits_of_their_zone(zoned, zones):
    """0.6 mm are ten times what the zone allows, and half of what the rest may have."""
    bump = in_bump(zoned)
    coloured = np.array(scan_trace(zoned, zones).marker.color)
    plain = np.array(scan_trace(replace(zoned, limits=None), zones).marker.color)
    assert (coloured[bump] > 3 * 1.2).all()  # beyond the end of the scale
    assert (plain[bump] < 1.2).all()
    away = np.linalg.norm(zoned.points_part * 1e3 - BUMP_MM, axis=1) > 15
    np.testing.assert_allclose(coloured[away], zoned.deviation_mm[away], atol=1e-6)


def test_a_point_at_its_own_limit_stands_where_the_scale_steps(zoned):
    shown = shown_deviations(zoned)
    assert set(np.round(shown.high_mm, 6)) == {0.06, 1.2}
    at_limit = replace(shown, deviation_mm=shown.high_mm)
    np.testing.assert_allclose(at_limit.on_scale_mm, 1.2)
    below = replace(shown, deviation_mm=shown.low_mm)
    np.testing.assert_allclose(below.on_scale_mm, -1.0)
    np.testing.assert_array_equal(
        shown.beyond, (zoned.deviation_mm > shown.high_mm) | (zoned.deviation_mm < shown.low_mm)
    )


def test_where_limits_differ_the_scale_tells_multiples_and_the_points_their_own(zoned, zones):
    scan = scan_trace(zoned, zones)
    assert scan.marker.colorbar.ticktext == ('-3 ×', '<b>-1 ×</b>', '0', '<b>+1 ×</b>', '+3 ×')
    row = int(np.argmax(in_bump(zoned)))
    np.testing.assert_allclose(
        scan.customdata[row], [zoned.deviation_mm[row], TIGHT_MM[1]], atol=1e-4
    )
    text = Page(page(zoned, zones)).text
    assert 'above the limit there' in text
    names = [trace.name for trace in deviation_map(zoned, zones).data]
    assert 'zone pad & rim, -0.05 … +0.06 mm' in names


def test_a_masked_zone_says_that_it_is_not_judged(result, zones):
    masked = replace(result, limits=Limits(TOLERANCE_MM, masks=(zones['pad & rim'],)))
    names = [trace.name for trace in deviation_map(masked, zones).data]
    assert 'zone pad & rim, not judged' in names
    assert (
        'deviation, mm; tolerance -0.2 … +0.3'
        in scan_trace(masked, zones).marker.colorbar.title.text
    )


def test_points_of_a_defect_in_a_tight_zone_are_all_kept(zoned):
    large = many(zoned, 300_000)
    rows = rows_of(large)
    assert len(rows) <= SHOWN_POINTS
    bump = np.flatnonzero(in_bump(large))
    assert len(bump) > 100
    assert np.isin(bump, rows).all()


def test_a_fine_reference_is_drawn_with_fewer_triangles(result):
    sphere = o3d.geometry.TriangleMesh.create_sphere(0.05, 200)
    fine = type(result.reference)(np.asarray(sphere.vertices), np.asarray(sphere.triangles))
    drawn = deviation_map(replace(result, reference=fine), {}).data[0]
    assert len(fine.triangles) > SHOWN_TRIANGLES
    assert 1000 < len(drawn.i) <= SHOWN_TRIANGLES


def test_an_unregistered_scan_has_a_page_that_says_why(result, tmp_path):
    reason = 'the reference explains 3 % of the scan'
    nothing = replace(
        result,
        registered=replace(result.registered, reason=reason),
        points_part=np.empty((0, 3)),
        deviation_mm=np.empty(0),
        verdict=replace(result.verdict, defects=()),
    )
    write_report(tmp_path / 'r.html', nothing)
    text = Page((tmp_path / 'r.html').read_text()).text
    assert reason in text
    assert 'No defects.' in text


def test_the_picture_is_written_and_other_names_are_refused(result, tmp_path):
    write_report(tmp_path / 'r.png', result)
    assert (tmp_path / 'r.png').read_bytes().startswith(b'\x89PNG')
    with pytest.raises(DataError, match=r'r\.pdf.*\.png or \.html'):
        write_report(tmp_path / 'r.pdf', result)
    with pytest.raises(DataError, match='cannot write'):
        write_report(tmp_path / 'absent' / 'r.png', result)


@pytest.mark.skipif(CHROMIUM is None, reason='needs chromium or google-chrome on the path')
def test_a_browser_draws_the_map(html, tmp_path):
    (tmp_path / 'r.html').write_text(html)
    command = [CHROMIUM, '--headless', '--no-sandbox', '--use-gl=swiftshader']
    command += ['--enable-unsafe-swiftshader', '--virtual-time-budget=3000', '--dump-dom']
    command += [f'--user-data-dir={tmp_path}/profile', (tmp_path / 'r.html').as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)
    assert 'gl-container' in done.stdout
    assert '<canvas' in done.stdout
    assert 'WebGL is not supported' not in Page(done.stdout).text
