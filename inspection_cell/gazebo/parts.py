"""Which parts stand ready in a world: those of a demo run, or with defects that are chosen."""

from collections.abc import Sequence

from inspection_cell.bringup import Simulated
from inspection_cell.cell import Cell
from inspection_cell.errors import DataError
from inspection_cell.part_orders import planned_parts
from inspection_cell.recipe import Recipe
from inspection_cell.sim.defects import DefectKind, TrueDefect
from inspection_cell.sim.parts import reference_body
from inspection_cell.sim.placement import Placer
from inspection_cell.sim.plan import PlannedPart
from inspection_cell.sim.seeds import Purpose, stream
from inspection_cell.sim.viewpoints import viewpoints

NONE = 'none'


def chosen_kinds(text: str) -> tuple[DefectKind, ...] | None:
    """From `dent,scratch` to kinds; `none`: no defects; empty: None, as the demo draws them."""
    words = [word.strip() for word in text.split(',') if word.strip()]
    if not words:
        return None
    if words == [NONE]:
        return ()
    known = [kind.value for kind in DefectKind]
    unknown = [word for word in words if word not in known]
    if unknown:
        raise DataError(f'defect {", ".join(unknown)}: expected {NONE}, or some of {known}')
    return tuple(DefectKind(word) for word in words)


def ready_parts(
    cell: Cell,
    recipes: Sequence[Recipe],
    source: Simulated,
    kinds: Sequence[DefectKind] | None,
) -> tuple[PlannedPart, ...]:
    """The parts of a world, the part types in turn.

    Args:
        cell: whose sensors see the defects.
        recipes: of the part types.
        source: seed and count.
        kinds: that every part has, one of each; None: half of the parts, as in `demo`.

    Raises:
        DataError: for a defect that a part type cannot have, or that no sensor sees.
    """
    if kinds is None:
        return planned_parts(cell, recipes, source)
    placers = [
        Placer(recipe.part_type, reference_body(recipe), viewpoints(cell, recipe))
        for recipe in recipes
    ]
    for recipe, placer in zip(recipes, placers, strict=True):
        impossible = [kind for kind in kinds if kind not in placer.kinds]
        if impossible:
            allowed = ', '.join(dict.fromkeys(placer.kinds))
            raise DataError(
                f'{recipe.path}: {", ".join(impossible)} cannot be seen on a '
                f'{recipe.part_type}, or it has nothing of the kind; it may have: {allowed}'
            )
    return tuple(
        PlannedPart(
            f'part_{number + 1:04d}',
            recipes[number % len(recipes)].part_type,
            _drawn(placers[number % len(recipes)], kinds, source.seed, number),
        )
        for number in range(source.parts)
    )


def _drawn(
    placer: Placer, kinds: Sequence[DefectKind], seed: int, number: int
) -> tuple[TrueDefect, ...]:
    generator = stream(Purpose.DEMO, seed, 'gazebo', number)
    defects: list[TrueDefect] = []
    for kind in kinds:
        defects.append(placer.draw(kind, generator, defects))
    return tuple(defects)
