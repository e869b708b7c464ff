"""The running graph of a cell, from a process without ROS."""

import tempfile
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from inspection_cell.bringup import doctor_node
from inspection_cell.cell import Cell
from inspection_cell.doctor.finding import Found
from inspection_cell.environment import process_environment
from inspection_cell.errors import InspectionCellError
from inspection_cell.processes import NodeProcesses

_FOUND = TypeAdapter(Found)


def graph(cell: Cell, namespace: str, watch_s: float) -> list[Found]:
    """Watch a cell and its sensors for some seconds; raises InspectionCellError."""
    spec = doctor_node(cell, namespace, watch_s)
    with (
        tempfile.TemporaryDirectory() as folder,
        NodeProcesses(process_environment(), Path(folder)) as processes,
    ):
        stdout = processes.start(spec, piped=True)
        lines = stdout.read().splitlines() if stdout is not None else []
        processes.wait(spec.name)
        try:
            found = [_FOUND.validate_json(line) for line in lines]
        except ValidationError:
            found = []
        if not found:
            said = '\n'.join(processes.last_lines(spec.name, count=1))
            raise InspectionCellError(said.rpartition(']: ')[2] or 'doctor_node said nothing')
        return found
