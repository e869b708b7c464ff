"""What commands that ask a running cell for something share: which cell, and its answer."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from inspection_cell.cli.console import OUT, print_json, say_error

if TYPE_CHECKING:
    from inspection_cell.recipe_request import RecipeAnswer
    from inspection_cell.swap_request import SwapAnswer

Namespace = Annotated[
    str, typer.Option(help='Namespace of the cell; default: the only one that runs.')
]
AsJson = Annotated[
    bool, typer.Option('--json', help='Print one JSON object as the last line of stdout.')
]


def tell(answer: 'RecipeAnswer | SwapAnswer', since: str, *, as_json: bool) -> None:
    """Print an answer; exit with status 1 when it is a refusal.

    Args:
        answer: the cell's.
        since: from when on it holds, in words.
        as_json: print it as one JSON object.
    """
    if as_json:
        print_json(asdict(answer))
    elif answer.success:
        OUT.print(f'from the {since} on: {answer.message}', markup=False)
    if not answer.success:
        say_error(answer.message)
        raise typer.Exit(1)
