"""`swap-model`: a running cell gets another detector between two inspections."""

from pathlib import Path
from typing import Annotated

import typer

from inspection_cell.cli.cell_answer import AsJson, Namespace, tell
from inspection_cell.swap_request import request_swap


def swap_model(
    part_type: Annotated[str, typer.Option(help='The recipe whose detector is exchanged.')],
    model: Annotated[
        Path | None,
        typer.Option(help='A model folder; default: the promoted one, or what the recipe names.'),
    ] = None,
    namespace: Namespace = '',
    json: AsJson = False,
) -> None:
    """Exchange the detector of a running cell; a part in work keeps the one that it began with."""
    answer = request_swap(part_type, model.resolve() if model else None, namespace.strip('/'))
    tell(answer, 'next inspection', as_json=json)
