"""`policy`: what the nodes of a cell may do, as SROS 2 wants it."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from inspection_cell.cell import load_cell
from inspection_cell.cli.cell_commands import CellOption
from inspection_cell.cli.console import OUT
from inspection_cell.sros2_policy import policy_xml


def policy(
    cell: CellOption,
    namespace: Annotated[
        str, typer.Option(help='Of the nodes; default: the name in cell.yaml.')
    ] = '',
    one_process: Annotated[
        bool, typer.Option('--one-process', help='For nodes that share one process.')
    ] = False,
    out: Annotated[Path | None, typer.Option(help='File to write; default: stdout.')] = None,
) -> None:
    """Write the SROS 2 policy of a cell: its nodes' topics, services and actions, no others."""
    text = policy_xml(load_cell(cell), namespace, one_process=one_process)
    if out is None:
        sys.stdout.write(text)
        return
    out.write_text(text, encoding='utf-8')
    OUT.print(f'wrote {out}')
