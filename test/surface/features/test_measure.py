"""Features of simulated scans against their truth, and what is said when too little is seen."""

import numpy as np
import pytest
from featured_part import (
    BORES_MM,
    featured_features,
    featured_mesh,
    featured_zones,
    simulate,
)

from inspection_cell.errors import DataError
from inspection_cell.findings import Conformity
from inspection_cell.sections.features import Distance, Flatness
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.features.measure import FeatureMeter, measure_features

DENSITY = 8.0  # points per mm²: quick


@pytest.fixture(scope='module')
def bench():
    """The reference, its zones, deviations from it, and the prepared features."""
    reference = featured_mesh()
    zones = featured_zones(reference)
    meter = FeatureMeter(featured_features(), zones, reference)
    return reference, zones, DeviationField(reference), meter


def measured(bench, points):
    _, _, field, meter = bench
    return {found.name: found for found in meter.measure(points, field.measure(points).outward)}


def test_every_feature_is_measured_close_to_its_truth_despite_noise_and_flying_points(bench):
    scan = simulate(71, 'twist', density=DENSITY)
    found = measured(bench, scan.points)
    assert set(found) == set(scan.truth)
    for name, truth in scan.truth.items():
        allowed = 0.015 if found[name].unit == 'mm' else 0.05
        assert found[name].value == pytest.approx(truth, abs=allowed), name
        assert not found[name].reason


def test_diameters_have_no_bias_from_noise_and_outliers(bench):
    errors = []
    for seed in (72, 73):
        scan = simulate(seed, density=DENSITY, seen_deg=200.0)
        found = measured(bench, scan.points)
        errors += [found[name].value - scan.truth[name] for name in BORES_MM]
    assert abs(np.mean(errors)) < 0.004
    assert np.abs(errors).max() < 0.010


def test_uncertainty_grows_when_less_of_the_wall_is_seen(bench):
    whole, part = (
        measured(bench, simulate(75, density=DENSITY, seen_deg=turn).points)['bore_12']
        for turn in (360.0, 180.0)
    )
    assert part.uncertainty > 1.5 * whole.uncertainty


def test_a_wall_seen_over_too_little_of_its_turn_is_not_measured(bench):
    found = measured(bench, simulate(76, density=DENSITY, seen_deg=60.0).points)
    assert found['bore_20'].reason.startswith('the wall is seen over ')
    assert found['bore_20'].reason.endswith('degrees only; at least 120 needed')
    assert found['bore_20'].conformity is Conformity.UNKNOWN
    assert found['bore_to_bore'].conformity is Conformity.UNKNOWN
    assert not found['step_height'].reason


def test_a_wall_seen_over_a_sliver_of_its_depth_is_not_measured(bench):
    points = simulate(77, density=12.0).points
    deep = (points[:, 2] < 0.0145) & (points[:, 2] > 0.001) & (points[:, 0] > 0.025)
    found = measured(bench, points[~deep])
    assert 'of its depth only; at least 2.5 mm needed' in found['bore_12'].reason


def test_features_that_the_scan_does_not_show_are_told_with_their_points(bench):
    found = measured(bench, np.array([[0.0, 0.0, 0.02]] * 37))
    assert found['top_flatness'].reason == 'only 37 points in zone top, at least 100 needed'
    assert found['bore_8'].reason.startswith('only 0 points on the wall of bore_8')
    assert found['bore_8_position'].conformity is Conformity.UNKNOWN
    assert 'not measured' in str(found['step_height'])


def test_a_corner_of_a_face_does_not_speak_for_its_flatness(bench):
    scan = simulate(77, 'dome', density=DENSITY)
    x, y = scan.points[:, 0] * 1e3, scan.points[:, 1] * 1e3
    whole = measured(bench, scan.points)['top_flatness']
    hidden = (x > -20.0) & (scan.points[:, 2] > 0.019)
    part = measured(bench, scan.points[~hidden | (y > 20.0)])['top_flatness']
    assert not whole.reason
    assert 'of zone top is seen; at least 80% needed' in part.reason


def test_an_empty_scan_measures_nothing_and_raises_nothing(bench):
    assert all(found.reason for found in measured(bench, np.empty((0, 3))).values())


def test_points_of_the_top_face_and_of_neighbours_stay_out_of_a_bore(bench):
    _, _, field, meter = bench
    points = simulate(78, density=DENSITY, flying=0.0, noise_mm=0.0).points
    chosen = meter._bores['bore_12'].select(_cloud(points, field))
    away = np.hypot(chosen[:, 0] - 0.040, chosen[:, 1] + 0.006)
    assert len(chosen) > 1000
    assert np.abs(away - 0.006).max() < 0.2e-3


def test_points_of_a_zone_are_those_that_the_exact_query_gives(bench):
    _, zones, field, meter = bench
    points = simulate(79, density=5.0, flying=0.0).points
    cloud = _cloud(points, field)
    for name in ('top', 'slant'):
        chosen = meter._planes[name].select(cloud)
        exact = points[zones[name].near(points)]
        missed = len(exact) - len(chosen)
        assert 0 <= missed <= 0.01 * len(exact), name  # outward across: on a rim


def test_points_without_a_deviation_are_left_out(bench):
    reference, zones, field, meter = bench
    scan = simulate(80, density=5.0)
    compared = field.measure(scan.points)
    deviations = compared.signed_mm.copy()
    deviations[::2] = np.nan
    found = measure_features(
        featured_features(), scan.points, deviations, compared.outward, zones, reference
    )
    half = meter.measure(scan.points[1::2], compared.outward[1::2])
    assert [entry.value for entry in found] == [entry.value for entry in half]


def test_arrays_that_do_not_fit_are_refused(bench):
    reference, zones, _, _ = bench
    with pytest.raises(DataError, match='3 points, 2 deviations, 3 directions'):
        measure_features({}, np.zeros((3, 3)), np.zeros(2), np.zeros((3, 3)), zones, reference)


def test_a_zone_that_is_not_plane_is_refused_before_any_scan(bench):
    reference, zones, _, _ = bench
    entry = Flatness(kind='flatness', zone='round_wall', tolerance_mm=0.1, filter='none')
    with pytest.raises(DataError, match='zone round_wall is not plane'):
        FeatureMeter({'wall': entry}, zones, reference)


def test_a_name_that_is_neither_zone_nor_bore_is_refused(bench):
    reference, zones, _, _ = bench
    entry = Distance(
        kind='distance', between=('top', 'nowhere'), nominal_mm=1, tolerance_mm=(-1, 1)
    )
    with pytest.raises(DataError, match=r"expected zones or bores of .*'top'.*got \['nowhere'\]"):
        FeatureMeter({'height': entry}, zones, reference)


def test_the_same_scan_gives_the_same_numbers(bench):
    scan = simulate(81, density=5.0)
    first, second = (measured(bench, scan.points) for _ in range(2))
    assert [found.value for found in first.values()] == [found.value for found in second.values()]


def _cloud(points, field):
    from inspection_cell.surface.features.selection import Cloud

    return Cloud(points, field.measure(points).outward)
