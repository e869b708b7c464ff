"""`swap-model`: a running cell gets another detector between two inspections."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from inspection_cell.cli.console import OUT, print_json, say_error
from inspection_cell.swap_request import request_swap


def swap_model(
    part_type: Annotated[str, typer.Option(help='The recipe whose detector is exchanged.')],
    model: Annotated[
        Path | None,
        typer.Option(help='A model folder; default: the promoted one, or what the recipe names.'),
    ] = None,
    namespace: Annotated[
        str, typer.Option(help='Namespace of the cell; default: the only one that runs.')
    ] = '',
    json: Annotated[
        bool, typer.Option('--json', help='Print one JSON object as the last line of stdout.')
    ] = False,
) -> None:
    """Exchange the detector of a running cell; a part in work keeps the one that it began with."""
    answer = request_swap(part_type, model.resolve() if model else None, namespace.strip('/'))
    if json:
        print_json(asdict(answer))
    elif answer.success:
        OUT.print(f'from the next inspection on: {answer.message}', markup=False)
    if not answer.success:
        say_error(answer.message)
        raise typer.Exit(1)
