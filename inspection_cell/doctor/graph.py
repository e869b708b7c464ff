"""The running graph of a cell, from a process without ROS."""

from typing import Annotated

from pydantic import Field, TypeAdapter

from inspection_cell.bringup import doctor_node
from inspection_cell.cell import Cell
from inspection_cell.doctor.finding import Found
from inspection_cell.node_answer import answer_of

_FOUND = TypeAdapter(Annotated[list[Found], Field(min_length=1)])


def graph(cell: Cell, namespace: str, watch_s: float) -> list[Found]:
    """Watch a cell and its sensors for some seconds; raises InspectionCellError."""
    return answer_of(doctor_node(cell, namespace, watch_s), _FOUND.validate_json)
