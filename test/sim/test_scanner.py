from dataclasses import replace

import numpy as np
import open3d as o3d
import pytest

from inspection_cell.cell import Cell
from inspection_cell.geometry import Points, invert, transform_points
from inspection_cell.observations import Scan
from inspection_cell.recipe import Recipe
from inspection_cell.reference import load_mesh
from inspection_cell.sim.defects import SEEN_BY_SCANNER, DefectKind, TrueDefect
from inspection_cell.sim.plan import PlannedPart, plan_parts
from inspection_cell.sim.station import Presented, Station

GOOD = PlannedPart('part_0001', 'bracket')


def scanned(cell: Cell, station: Station, shown: Presented) -> Points:
    """One scan in the part frame by the true pose, metres."""
    delivered = station.observe(shown, 'scanner')
    assert isinstance(delivered, Scan)
    to_cell = cell.sensors['scanner'].pose.transform()
    to_part = invert(shown.transform_part_to_cell_true) @ to_cell
    return transform_points(to_part, delivered.points)


def deviations_mm(recipe: Recipe, points: Points) -> np.ndarray:
    """Positive for too much material."""
    assert recipe.mesh_path is not None
    scene = load_mesh(recipe.mesh_path, 'mm').scene
    query = o3d.core.Tensor(points.astype(np.float32))
    return 1000.0 * scene.compute_signed_distance(query).numpy()


def test_a_scan_without_noise_lies_on_the_reference(clean_cell: Cell, bracket: Recipe) -> None:
    station = Station(clean_cell, [bracket], 1)
    points = scanned(clean_cell, station, station.present(GOOD, 'top'))
    assert len(points) > 50_000
    assert np.abs(deviations_mm(bracket, points)).max() < 0.002


def test_range_noise_and_lost_points_are_as_the_cell_says(
    cell: Cell, clean_cell: Cell, bracket: Recipe
) -> None:
    station, exact = Station(cell, [bracket], 1), Station(clean_cell, [bracket], 1)
    points = scanned(cell, station, station.present(GOOD, 'top'))
    base = (np.abs(np.abs(points[:, 1]) - 0.030) < 0.005) & (np.abs(points[:, 0]) < 0.015)
    flat = points[base & (np.abs(points[:, 2] - 0.014) < 0.0005), 2]
    assert 1000.0 * flat.std() == pytest.approx(0.05, abs=0.005)
    all_points = len(scanned(clean_cell, exact, exact.present(GOOD, 'top')))
    assert 1 - len(points) / all_points == pytest.approx(0.03, abs=0.01)


def test_a_share_of_the_points_at_depth_edges_flies_between_the_surfaces(
    clean_cell: Cell, bracket: Recipe
) -> None:
    mixing = clean_cell.file.simulation.model_copy(update={'edge_outlier_share': 0.3})
    file = clean_cell.file.model_copy(update={'simulation': mixing})
    scans = []
    for cell in (clean_cell, replace(clean_cell, file=file)):
        station = Station(cell, [bracket], 1)
        scans.append(scanned(cell, station, station.present(GOOD, 'top')))
    moved_m = np.linalg.norm(scans[1] - scans[0], axis=1)
    assert 0.002 < (moved_m > 0.0005).mean() < 0.03
    assert moved_m.max() < 0.05


def peak_mm(cell: Cell, recipe: Recipe, part: PlannedPart, defect: TrueDefect) -> float:
    station = Station(cell, [recipe], 3)
    peaks = [0.0]
    for presentation in recipe.file.presentations:
        points = scanned(cell, station, station.present(part, presentation))
        reach_m = defect.extent_mm / 2000.0 + 0.001
        near = np.linalg.norm(points - defect.position_m, axis=1) < reach_m
        if near.any():
            values = deviations_mm(recipe, points[near])
            peaks.append(float(values[np.abs(values).argmax()]))
    return max(peaks, key=abs)


@pytest.mark.parametrize('part_type', ['bracket', 'ring'])
def test_a_geometric_defect_deviates_from_the_reference_by_its_size(
    part_type: str, clean_cell: Cell, request: pytest.FixtureRequest
) -> None:
    recipe: Recipe = request.getfixturevalue(part_type)
    checked = set()
    for part in plan_parts(clean_cell, [recipe], 20, seed=2):
        for defect in part.defects:
            if defect.kind not in SEEN_BY_SCANNER - {DefectKind.MISSING_SCREW} - checked:
                continue
            alone = PlannedPart(part.part_id, part.part_type, (defect,))
            peak = peak_mm(clean_cell, recipe, alone, defect)
            assert abs(peak) == pytest.approx(defect.size_mm, rel=0.12, abs=0.03)
            if defect.kind is not DefectKind.DISPLACED_BORE:
                assert (peak > 0) == (defect.kind is DefectKind.BURR)
            checked.add(defect.kind)
    assert checked == SEEN_BY_SCANNER - {DefectKind.MISSING_SCREW}
