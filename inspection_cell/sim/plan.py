"""Which parts come, in which order, with which defects and faults: all from one seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from inspection_cell.cell import Cell
from inspection_cell.errors import DataError
from inspection_cell.recipe import Recipe
from inspection_cell.sim.defects import DefectKind, TrueDefect
from inspection_cell.sim.parts import reference_body
from inspection_cell.sim.placement import Placer
from inspection_cell.sim.seeds import Purpose, stream
from inspection_cell.sim.viewpoints import viewpoints

SECOND_DEFECT_SHARE = 0.3


class Fault(StrEnum):
    """What can go wrong with a whole part in the gripper."""

    EMPTY_GRIPPER = 'empty_gripper'
    ROTATED_PART = 'rotated_part'
    WRONG_PART = 'wrong_part'


@dataclass(frozen=True, slots=True)
class PlannedPart:
    """One simulated part and the truth about it.

    Attributes:
        part_type: what the goal says; with `wrong_part` another type is in the gripper.
        defects: what is wrong with it; empty for a good part.
    """

    part_id: str
    part_type: str
    defects: tuple[TrueDefect, ...] = ()
    fault: Fault | None = None

    @property
    def good(self) -> bool:
        """Whether ACCEPT is the right decision."""
        return not self.defects and self.fault is None


def plan_parts(
    cell: Cell,
    recipes: Sequence[Recipe],
    count: int,
    seed: int,
    *,
    faults: Sequence[Fault] = (),
    purpose: Purpose = Purpose.DEMO,
    defects_per_part: tuple[int, int] | None = None,
) -> tuple[PlannedPart, ...]:
    """Plan `count` parts: types in turn, `count // 2` defective, all kinds in turn, shuffled.

    With `faults` every part is free of defects and has one of the faults, in turn.
    `defects_per_part` are the fewest and most defects of a defective part; default mostly one.

    Raises:
        DataError: for `wrong_part` with less than two recipes, or a defect that fits nowhere.
    """
    if Fault.WRONG_PART in faults and len(recipes) < 2:
        raise DataError('fault wrong_part: expected recipes of at least two part types')
    generator = stream(purpose, seed, 'plan')
    types = [recipes[index % len(recipes)] for index in range(count)]
    if faults:
        return tuple(
            PlannedPart(_part_id(i), recipe.part_type, fault=Fault(faults[i % len(faults)]))
            for i, recipe in enumerate(types)
        )
    defective = sorted(range(count), key=lambda i: i // len(recipes) % 2)[: count // 2]
    kinds = {recipe.part_type: _Kinds(cell, recipe, generator) for recipe in recipes}
    amounts = [
        _amount(generator, defects_per_part) if i in set(defective) else 0 for i in range(count)
    ]
    contents = [
        (
            recipe.part_type,
            kinds[recipe.part_type].draw(amount, stream(purpose, seed, 'defect', i)),
        )
        for i, (recipe, amount) in enumerate(zip(types, amounts, strict=True))
    ]
    order = generator.permutation(count)
    return tuple(PlannedPart(_part_id(i), *contents[k]) for i, k in enumerate(order))


class _Kinds:
    """Deals the kinds of one part type in turn, in an order of its own."""

    def __init__(self, cell: Cell, recipe: Recipe, generator: np.random.Generator) -> None:
        views = viewpoints(cell, recipe)
        self._placer = Placer(recipe.part_type, reference_body(recipe), views)
        kinds = list(generator.permutation(np.array(self._placer.kinds)))
        rare = str(DefectKind.MISSING_SCREW)
        self._kinds = sorted((DefectKind(k) for k in kinds), key=lambda kind: kind != rare)
        self._next = 0

    def draw(self, amount: int, generator: np.random.Generator) -> tuple[TrueDefect, ...]:
        defects: list[TrueDefect] = []
        for _ in range(amount):
            kind = self._kinds[self._next % len(self._kinds)]
            self._next += 1
            if kind is DefectKind.DISPLACED_BORE and any(d.kind is kind for d in defects):
                kind = DefectKind.SCRATCH  # a part has one displaced bore at most
            defects.append(self._placer.draw(kind, generator, defects))
        return tuple(defects)


def _amount(generator: np.random.Generator, limits: tuple[int, int] | None) -> int:
    if limits is not None:
        return int(generator.integers(limits[0], limits[1] + 1))
    return 2 if generator.random() < SECOND_DEFECT_SHARE else 1


def _part_id(index: int) -> str:
    return f'part_{index + 1:04d}'
