from dataclasses import replace

import cv2
import numpy as np

from inspection_cell.cell import Cell
from inspection_cell.observations import Image
from inspection_cell.recipe import Recipe
from inspection_cell.sim.defects import SEEN_BY_CAMERA, DefectKind
from inspection_cell.sim.labels import CLASSES, Label
from inspection_cell.sim.marks import Mark
from inspection_cell.sim.parts import reference_body
from inspection_cell.sim.placement import Placer
from inspection_cell.sim.plan import PlannedPart, plan_parts
from inspection_cell.sim.station import Station
from inspection_cell.sim.viewpoints import viewpoints


def seen(station: Station, part: PlannedPart, sensor: str, presentation: str) -> np.ndarray:
    image = station.observe(station.present(part, presentation), sensor)
    assert isinstance(image, Image)
    return image.pixels.astype(np.int16)


def test_the_box_of_a_mark_holds_the_pixels_that_it_changes(
    clean_cell: Cell, ring: Recipe
) -> None:
    station = Station(clean_cell, [ring], 1)
    checked = 0
    for part in plan_parts(clean_cell, [ring], 12, seed=4):
        for defect in part.defects:
            if defect.kind not in SEEN_BY_CAMERA:
                continue
            bad = PlannedPart('part_0001', 'ring', (defect,))
            (label, sensor, presentation) = best_view(station, bad)
            assert label.name == defect.kind
            before = seen(station, PlannedPart('part_0001', 'ring'), sensor, presentation)
            change = np.abs(seen(station, bad, sensor, presentation) - before).max(axis=2)
            x0, y0, x1, y1 = np.array(label.box_px) + np.array([-2, -2, 2, 2])
            rows, columns = np.nonzero(change > 8)
            inside = (columns >= x0) & (columns <= x1) & (rows >= y0) & (rows <= y1)
            assert inside.mean() > 0.97
            assert np.ptp(columns) > 0.6 * (x1 - x0 - 4)
            checked += 1
    assert checked >= 2


def test_a_mark_that_cannot_be_made_out_is_not_labelled(clean_cell: Cell, ring: Recipe) -> None:
    part = part_with_a_stain(clean_cell, ring)
    label, sensor, presentation = best_view(Station(clean_cell, [ring], 1), part)
    assert label.name == 'stain'
    (stain,) = part.defects
    assert isinstance(stain.cause, Mark)
    for gain in (0.985, 1.0, 1.015):
        faint = replace(stain, cause=replace(stain.cause, gain=gain))
        unseen = PlannedPart('part_0001', 'ring', (faint,))
        station = Station(clean_cell, [ring], 1)
        shown = station.picture(station.present(unseen, presentation), sensor)
        assert shown.labels == ()


def test_a_mark_drowns_in_stronger_noise(clean_cell: Cell, ring: Recipe) -> None:
    part = part_with_a_stain(clean_cell, ring)
    label, sensor, presentation = best_view(Station(clean_cell, [ring], 1), part)
    noisy = clean_cell.file.simulation.model_copy(update={'image_noise': 60.0})
    dark = replace(clean_cell, file=clean_cell.file.model_copy(update={'simulation': noisy}))
    station = Station(dark, [ring], 1)
    assert station.labels(station.present(part, presentation), sensor) == ()
    assert label.defect == 0


def test_the_outline_of_a_mark_lies_in_its_box_and_around_its_pixels(
    clean_cell: Cell, ring: Recipe
) -> None:
    part = part_with_a_stain(clean_cell, ring)
    station = Station(clean_cell, [ring], 1)
    label, sensor, presentation = best_view(station, part)
    x0, y0, x1, y1 = label.box_px
    assert np.allclose(label.outline_px.min(axis=0), [x0 + 0.5, y0 + 0.5])
    assert np.allclose(label.outline_px.max(axis=0), [x1 - 0.5, y1 - 0.5])
    before = seen(station, PlannedPart('part_0001', 'ring'), sensor, presentation)
    change = np.abs(seen(station, part, sensor, presentation) - before).mean(axis=2)
    inside = np.zeros(change.shape, dtype=np.uint8)
    cv2.fillPoly(inside, [label.outline_px.round().astype(np.int32)], 1)
    assert (change[inside > 0] > 2).mean() > 0.97
    assert (inside[change > 6] > 0).mean() > 0.97


def part_with_a_stain(cell: Cell, recipe: Recipe) -> PlannedPart:
    placer = Placer(recipe.part_type, reference_body(recipe), viewpoints(cell, recipe))
    stain = placer.draw(DefectKind.STAIN, np.random.default_rng(2))
    return PlannedPart('part_0001', recipe.part_type, (stain,))


def best_view(station: Station, part: PlannedPart) -> tuple[Label, str, str]:
    views = [(sensor, pose) for sensor in ('left', 'right', 'front') for pose in ('top', 'tilted')]
    found = [
        (label, sensor, pose)
        for sensor, pose in views
        for label in station.labels(station.present(part, pose), sensor)
    ]
    return max(found, key=lambda entry: entry[0].visible)


def test_a_good_bracket_shows_screws_and_one_without_a_screw_shows_the_hole(
    clean_cell: Cell, bracket: Recipe
) -> None:
    station = Station(clean_cell, [bracket], 1)
    good = PlannedPart('part_0001', 'bracket')
    names = [label.name for label in station.labels(station.present(good, 'top'), 'right')]
    assert names == ['screw'] * 4
    missing = next(
        PlannedPart('part_0001', 'bracket', (defect,))
        for part in plan_parts(clean_cell, [bracket], 12, seed=4)
        for defect in part.defects
        if defect.kind is DefectKind.MISSING_SCREW
    )
    names = [label.name for label in station.labels(station.present(missing, 'top'), 'right')]
    assert sorted(names) == ['missing_screw', 'screw', 'screw', 'screw']


def test_the_classes_stand_in_the_order_of_the_detector() -> None:
    assert CLASSES == ('screw', 'missing_screw', 'scratch', 'stain')
