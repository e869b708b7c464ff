"""`load-recipe`: a running cell inspects by another recipe from the next part on."""

from pathlib import Path
from typing import Annotated

import typer

from inspection_cell.cli.cell_answer import AsJson, Namespace, tell
from inspection_cell.recipe_request import request_recipe


def load_recipe(
    recipe: Annotated[Path, typer.Option(help='A recipe.yaml or its folder.')],
    namespace: Namespace = '',
    json: AsJson = False,
) -> None:
    """Use a new or changed recipe in a running cell; a part in work keeps the one of its begin."""
    answer = request_recipe(recipe.resolve(), namespace.strip('/'))
    tell(answer, 'next part', as_json=json)
