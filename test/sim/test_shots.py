"""The simulated lights of a lighting sequence: domes, bars, and what they do to scratches."""

from dataclasses import replace

import numpy as np
import pytest

from inspection_cell.cell import Cell
from inspection_cell.observations import Image
from inspection_cell.recipe import Recipe
from inspection_cell.sections.lights import ExposureOutput, Light, Shot
from inspection_cell.sim.defects import DefectKind, TrueDefect
from inspection_cell.sim.labels import Label
from inspection_cell.sim.marks import Mark
from inspection_cell.sim.plan import PlannedPart
from inspection_cell.sim.station import Station

LIGHTS = {
    'dome': Light(topic='dome', settle_ms=5),
    'along_y': Light(topic='along_y', settle_ms=5, position_mm=(0, 500, 330)),
    'along_x': Light(topic='along_x', settle_ms=5, position_mm=(500, 0, 330)),
}
SHOTS = {name: Shot(lights=(name,), exposure_us=1000) for name in LIGHTS} | {
    'long': Shot(lights=('along_y',), exposure_us=2000),
    'nothing': Shot(exposure_us=1000),
}
SPOT = np.array([0.042, 0.0, 0.014])  # on the bracket's base plate


def scratched(tangent: tuple[float, float, float]) -> PlannedPart:
    up = np.array([0.0, 0.0, 1.0])
    mark = Mark(SPOT, up, np.array(tangent), 0.008, 0.0006, 0.8, round=False)
    return PlannedPart('p', 'bracket', (TrueDefect(DefectKind.SCRATCH, SPOT, up, 8, 8, mark),))


@pytest.fixture(scope='module')
def station(clean_cell: Cell, bracket: Recipe) -> Station:
    left = clean_cell.cameras['left'].model_copy(
        update={'shots': SHOTS, 'exposure': ExposureOutput(topic='e', settle_ms=1)}
    )
    sensors = {**clean_cell.file.sensors, 'left': left}
    file = clean_cell.file.model_copy(update={'sensors': sensors, 'lights': LIGHTS})
    return Station(replace(clean_cell, file=file), [bracket], 3)


def taken(station: Station, part: PlannedPart, shot: str) -> tuple[np.ndarray, list[Label]]:
    shown = station.picture(station.present(part, 'top'), 'left', shot)
    found = [label for label in shown.labels if label.defect is not None]
    return shown.image.pixels.mean(axis=2), found


def test_a_scratch_across_a_low_bar_is_bright_on_a_dark_surface(station: Station) -> None:
    part = scratched((1.0, 0.0, 0.0))
    usual, (label,) = taken(station, part, 'dome')
    dark, (found,) = taken(station, part, 'along_y')
    x0, y0, x1, y1 = (round(value) for value in label.box_px)
    assert np.abs(np.array(found.box_px) - label.box_px).max() < 6
    around = np.median(usual[y0 - 10 : y1 + 10, x0 - 10 : x1 + 10])
    assert usual[y0:y1, x0:x1].min() < 0.9 * around
    around_dark = np.median(dark[y0 - 10 : y1 + 10, x0 - 10 : x1 + 10])
    assert around_dark < 0.5 * around
    assert dark[y0:y1, x0:x1].max() > 2.5 * around_dark


def test_a_scratch_along_the_light_does_not_glint(station: Station) -> None:
    part = scratched((1.0, 0.0, 0.0))
    across, along = taken(station, part, 'along_y')[0], taken(station, part, 'along_x')[0]
    (label,) = taken(station, part, 'dome')[1]
    x0, y0, x1, y1 = (round(value) for value in label.box_px)
    assert along[y0:y1, x0:x1].max() < 0.5 * across[y0:y1, x0:x1].max()


def test_a_dome_is_the_cells_usual_light(station: Station) -> None:
    part = PlannedPart('p', 'bracket')
    held = station.present(part, 'top')
    plain = station.observe(held, 'left')
    assert isinstance(plain, Image)
    assert np.array_equal(plain.pixels.mean(axis=2), taken(station, part, 'dome')[0])


def test_twice_the_exposure_gives_twice_the_light_and_no_light_hardly_any(
    station: Station,
) -> None:
    part = PlannedPart('p', 'bracket')
    short, long, off = (taken(station, part, name)[0] for name in ('along_y', 'long', 'nothing'))
    shown = (short > 20) & (short < 90)  # where the camera answers in proportion
    assert np.median(long[shown] / short[shown]) == pytest.approx(2.0, abs=0.1)
    assert off.max() < 20 < short.max()
