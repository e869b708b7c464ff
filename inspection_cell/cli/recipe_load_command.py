"""`load-recipe`: a running cell inspects by another recipe from the next part on."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from inspection_cell.cli.console import OUT, print_json, say_error
from inspection_cell.recipe_request import request_recipe


def load_recipe(
    recipe: Annotated[Path, typer.Option(help='A recipe.yaml or its folder.')],
    namespace: Annotated[
        str, typer.Option(help='Namespace of the cell; default: the only one that runs.')
    ] = '',
    json: Annotated[
        bool, typer.Option('--json', help='Print one JSON object as the last line of stdout.')
    ] = False,
) -> None:
    """Use a new or changed recipe in a running cell; a part in work keeps the one of its begin."""
    answer = request_recipe(recipe.resolve(), namespace.strip('/'))
    if json:
        print_json(asdict(answer))
    elif answer.success:
        OUT.print(f'from the next part on: {answer.message}', markup=False)
    if not answer.success:
        say_error(answer.message)
        raise typer.Exit(1)
