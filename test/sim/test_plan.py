from collections import Counter

import numpy as np
import pytest

from inspection_cell.cell import Cell
from inspection_cell.errors import DataError
from inspection_cell.recipe import Recipe
from inspection_cell.sim.defects import SEEN_BY_CAMERA, DefectKind
from inspection_cell.sim.plan import Fault, PlannedPart, plan_parts
from inspection_cell.sim.seeds import Purpose
from inspection_cell.sim.station import Station

SMALLEST_MM = {
    DefectKind.SCRATCH: 4.0,
    DefectKind.STAIN: 2.0,
    DefectKind.DENT: 0.25,
    DefectKind.BURR: 0.25,
    DefectKind.DISPLACED_BORE: 0.3,
}


@pytest.fixture(scope='module')
def plan(cell: Cell, bracket: Recipe, ring: Recipe) -> tuple[PlannedPart, ...]:
    return plan_parts(cell, [bracket, ring], 40, seed=5)


def fingerprint(plan: tuple[PlannedPart, ...]) -> list[tuple[object, ...]]:
    return [
        (p.part_id, p.part_type, *((d.kind, d.size_mm, *d.position_m) for d in p.defects))
        for p in plan
    ]


@pytest.mark.parametrize('count', [1, 2, 5, 20])
def test_half_of_the_parts_are_defective_and_the_types_take_turns(
    count: int, cell: Cell, bracket: Recipe, ring: Recipe
) -> None:
    parts = plan_parts(cell, [bracket, ring], count, seed=1)
    assert sum(not part.good for part in parts) == count // 2
    types = Counter(part.part_type for part in parts)
    assert types['bracket'] - types['ring'] in (0, 1)


def test_every_kind_of_defect_occurs_in_twenty_parts(
    cell: Cell, bracket: Recipe, ring: Recipe
) -> None:
    parts = plan_parts(cell, [bracket, ring], 20, seed=7)
    assert {d.kind for part in parts for d in part.defects} == set(DefectKind)


def test_sizes_span_a_decade_from_the_smallest(plan: tuple[PlannedPart, ...]) -> None:
    defects = [d for part in plan for d in part.defects if d.kind in SMALLEST_MM]
    factors = np.array([d.size_mm / SMALLEST_MM[d.kind] for d in defects])
    assert factors.min() >= 1.0
    assert factors.max() <= 10.0
    assert np.ptp(np.log10(factors)) > 0.6


def test_the_same_seed_plans_the_same_and_another_purpose_does_not(
    cell: Cell, bracket: Recipe, ring: Recipe, plan: tuple[PlannedPart, ...]
) -> None:
    recipes = [bracket, ring]
    assert fingerprint(plan_parts(cell, recipes, 40, seed=5)) == fingerprint(plan)
    training = plan_parts(cell, recipes, 40, seed=5, purpose=Purpose.TRAIN)
    assert fingerprint(training) != fingerprint(plan)


def test_some_camera_of_the_recipe_shows_nearly_every_scratch_stain_and_missing_screw(
    cell: Cell, bracket: Recipe, ring: Recipe, plan: tuple[PlannedPart, ...]
) -> None:
    recipes = {'bracket': bracket, 'ring': ring}
    station = Station(cell, [bracket, ring], 5)
    marked = [p for p in plan if any(d.kind in SEEN_BY_CAMERA for d in p.defects)]
    drowned = 0
    for part in marked[:8]:
        left = {n for n, d in enumerate(part.defects) if d.kind in SEEN_BY_CAMERA}
        for name, presentation in recipes[part.part_type].file.presentations.items():
            for sensor in (s for s in presentation.sensors if s in cell.cameras and left):
                found = station.labels(station.present(part, name), sensor)
                left -= {label.defect for label in found}
        drowned += len(left)
        assert all(part.defects[n].kind is not DefectKind.MISSING_SCREW for n in left)
    assert drowned <= 1


def test_faults_take_turns_on_parts_without_defects(
    cell: Cell, bracket: Recipe, ring: Recipe
) -> None:
    parts = plan_parts(cell, [bracket, ring], 6, seed=1, faults=tuple(Fault))
    assert [part.fault for part in parts] == [*Fault, *Fault]
    assert not any(part.good or part.defects for part in parts)


def test_a_wrong_part_needs_a_second_part_type(cell: Cell, ring: Recipe) -> None:
    with pytest.raises(DataError, match='at least two part types'):
        plan_parts(cell, [ring], 2, seed=1, faults=[Fault.WRONG_PART])
