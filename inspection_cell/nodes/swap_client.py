"""Asks a running cell to exchange a detector; prints the answer as one JSON line on stdout."""

import sys
from dataclasses import dataclass

from inspection_cell_msgs.srv import SwapModel

from inspection_cell.nodes.cell_asking import AskParams, CellAsking
from inspection_cell.nodes.params import parameter
from inspection_cell.nodes.task import run_task

SERVICE = 'swap_model'
SWAP_WITHIN_S = 120.0  # a model that is not loaded by then is not used


@dataclass(frozen=True, slots=True)
class SwapParams(AskParams):
    """What the swap client is told."""

    part_type: str = parameter('', 'Name of the recipe whose detector is exchanged.')
    model: str = parameter(
        '', 'Path of the model folder; empty: the promoted one, or the one that the recipe names.'
    )


def swap(node: CellAsking[SwapParams]) -> None:
    """Ask once; raises InspectionCellError when the model was refused."""
    request = SwapModel.Request(part_type=node.params.part_type, model=node.params.model)
    node.tell(node.ask(SwapModel, SERVICE, request), 'model_hash')


def main() -> int:
    """Run the client; exit status 1 when no model was exchanged."""
    return run_task(lambda: CellAsking('swap_client', SwapParams), swap)


if __name__ == '__main__':
    sys.exit(main())
