"""The parts that simulator or storage hold, as orders for the client."""

from collections.abc import Sequence
from pathlib import Path

from inspection_cell.bringup import Simulated
from inspection_cell.cell import Cell
from inspection_cell.errors import DataError
from inspection_cell.outcome import PartOrder, Truth
from inspection_cell.recipe import Recipe
from inspection_cell.sim.plan import Fault, PlannedPart, plan_parts
from inspection_cell.stored_parts import StoredPart, read_stored_parts


def planned_parts(
    cell: Cell, recipes: Sequence[Recipe], source: Simulated
) -> tuple[PlannedPart, ...]:
    """The parts of a simulation; raises DataError for an unknown fault."""
    known = [fault.value for fault in Fault]
    unknown = [name for name in source.faults if name not in known]
    if unknown:
        raise DataError(f'fault {", ".join(unknown)}: expected some of {", ".join(known)}')
    faults = [Fault(name) for name in source.faults]
    return plan_parts(cell, recipes, source.parts, source.seed, faults=faults)


def simulated_orders(
    cell: Cell, recipes: Sequence[Recipe], source: Simulated
) -> tuple[PartOrder, ...]:
    """One order per simulated part, with its truth."""
    return tuple(order_of_planned(part) for part in planned_parts(cell, recipes, source))


def stored_orders(folder: Path) -> tuple[PartOrder, ...]:
    """One order per stored part; raises DataError with every problem of the folder."""
    return tuple(_order_of_stored(part) for part in read_stored_parts(folder))


def order_of_planned(part: PlannedPart) -> PartOrder:
    """The order for one simulated part, with its truth."""
    if part.fault is not None:
        return PartOrder(part.part_id, part.part_type, Truth(False, (part.fault.value,)))
    defects = tuple(defect.kind.value for defect in part.defects)
    return PartOrder(part.part_id, part.part_type, Truth(part.good, defects))


def _order_of_stored(part: StoredPart) -> PartOrder:
    if part.truth is None:
        return PartOrder(part.part_id, part.part_type)
    defects = tuple(defect.kind for defect in part.truth.defects)
    return PartOrder(part.part_id, part.part_type, Truth(part.truth.good, defects))
