import numpy as np
import pytest

from inspection_cell.cell import Cell
from inspection_cell.errors import DataError
from inspection_cell.geometry import pose_difference
from inspection_cell.observations import Image, Scan
from inspection_cell.recipe import Recipe
from inspection_cell.sim.plan import Fault, PlannedPart
from inspection_cell.sim.station import Station


def pixels(station: Station, part: PlannedPart, sensor: str = 'left') -> np.ndarray:
    image = station.observe(station.present(part, 'top'), sensor)
    assert isinstance(image, Image)
    return image.pixels


@pytest.fixture(scope='module')
def station(cell: Cell, bracket: Recipe, ring: Recipe) -> Station:
    return Station(cell, [bracket, ring], 7)


def test_a_view_shows_the_same_whatever_was_looked_at_before(
    cell: Cell, bracket: Recipe, ring: Recipe, station: Station
) -> None:
    part, other = PlannedPart('part_0003', 'ring'), PlannedPart('part_0004', 'bracket')
    alone = pixels(station, part)
    busy = Station(cell, [bracket, ring], 7)
    pixels(busy, other, 'front')
    busy.observe(busy.present(part, 'tilted'), 'scanner')
    assert np.array_equal(pixels(busy, part), alone)
    scans = [s.observe(s.present(part, 'top'), 'scanner') for s in (station, busy)]
    first, second = (s.points for s in scans if isinstance(s, Scan))
    assert np.array_equal(first, second)


def test_another_seed_gives_other_noise(cell: Cell, ring: Recipe, station: Station) -> None:
    part = PlannedPart('part_0003', 'ring')
    assert not np.array_equal(pixels(Station(cell, [ring], 8), part), pixels(station, part))


def test_the_robot_reports_the_nominal_pose_and_misses_it_as_the_cell_says(
    cell: Cell, station: Station
) -> None:
    shifts_mm, turns_deg = [], []
    for number in range(300):
        shown = station.present(PlannedPart(f'part_{number}', 'ring'), 'top')
        shift_m, turn_rad = pose_difference(
            shown.transform_part_to_cell_reported, shown.transform_part_to_cell_true
        )
        shifts_mm.append(1000.0 * shift_m)
        turns_deg.append(np.rad2deg(turn_rad))
    root3 = np.sqrt(3.0)
    assert np.sqrt(np.mean(np.square(shifts_mm))) == pytest.approx(0.3 * root3, rel=0.1)
    assert np.sqrt(np.mean(np.square(turns_deg))) == pytest.approx(0.2 * root3, rel=0.1)


def test_an_empty_gripper_shows_only_the_dark_background(station: Station) -> None:
    empty = PlannedPart('part_0001', 'ring', fault=Fault.EMPTY_GRIPPER)
    assert pixels(station, empty).max() < 30
    scan = station.observe(station.present(empty, 'top'), 'scanner')
    assert isinstance(scan, Scan)
    assert len(scan.points) == 0


def test_the_part_is_brighter_than_the_background_everywhere(station: Station) -> None:
    image = pixels(station, PlannedPart('part_0001', 'bracket'), 'right').mean(axis=2)
    part = image[image > 15]
    assert 0.1 < part.size / image.size < 0.5
    assert image[image <= 15].mean() < 8
    assert np.median(part) > 80


def test_a_wrong_part_is_the_other_type_and_a_rotated_part_is_far_from_its_pose(
    station: Station,
) -> None:
    wrong = station.body(PlannedPart('part_0001', 'ring', fault=Fault.WRONG_PART))
    assert wrong is not None
    assert wrong.look == 'bracket'
    for number in range(20):
        turned = PlannedPart(f'part_{number}', 'ring', fault=Fault.ROTATED_PART)
        shown = station.present(turned, 'top')
        _, angle_rad = pose_difference(
            shown.transform_part_to_cell_reported, shown.transform_part_to_cell_true
        )
        assert np.rad2deg(angle_rad) > 15.0


def test_an_unknown_presentation_or_part_type_is_refused_by_name(station: Station) -> None:
    with pytest.raises(DataError, match="'sideways': one of top, tilted"):
        station.present(PlannedPart('part_0001', 'ring'), 'sideways')
    with pytest.raises(DataError, match="'gear'"):
        station.present(PlannedPart('part_0001', 'gear'), 'top')
