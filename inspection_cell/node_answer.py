"""Asking a node that ends by itself, from a process without ROS."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from inspection_cell.bringup import NodeSpec
from inspection_cell.environment import process_environment
from inspection_cell.errors import InspectionCellError
from inspection_cell.processes import NodeProcesses

A = TypeVar('A')


def answer_of(spec: NodeSpec, read: Callable[[bytes], A]) -> A:
    """What a node writes on its stdout until it ends.

    Args:
        spec: of the node.
        read: makes the answer of its stdout; raises pydantic's ValidationError when it is none.

    Raises:
        InspectionCellError: when there is no answer, with what the node has logged last.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        NodeProcesses(process_environment(), Path(folder)) as processes,
    ):
        stdout = processes.start(spec, piped=True)
        written = stdout.read() if stdout is not None else b''
        processes.wait(spec.name)
        try:
            return read(written)
        except ValidationError:
            said = '\n'.join(processes.last_lines(spec.name, count=1))
            raise InspectionCellError(said.rpartition(']: ')[2] or 'no answer came') from None
