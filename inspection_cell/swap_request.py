"""Asking a running cell to exchange a detector, from a process without ROS."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from inspection_cell.bringup import swap_client
from inspection_cell.node_answer import answer_of


@dataclass(frozen=True, slots=True)
class SwapAnswer:
    """What the cell answered.

    Attributes:
        success: whether the next inspection uses the model; if not, nothing has changed.
        message: what runs now, or why the model was refused.
        model_hash: sha256 of the weights that the next inspection uses.
    """

    success: bool
    message: str
    model_hash: str


_ANSWER = TypeAdapter(SwapAnswer)


def request_swap(part_type: str, model: Path | None = None, namespace: str = '') -> SwapAnswer:
    """Have a cell exchange the detector of a part type; returns when it runs or was refused.

    Args:
        part_type: name of the recipe.
        model: the model folder, on the cell's machine; None: the promoted model, or the one that
            the recipe names.
        namespace: of the cell; empty: the only one that runs.

    Raises:
        InspectionCellError: when no cell answers, with what the client has logged.
    """
    return answer_of(swap_client(namespace, part_type, model), _ANSWER.validate_json)
