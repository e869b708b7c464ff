"""`gazebo`: the cell's world for Gazebo, with the configuration of the bridge."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from inspection_cell.bringup import Simulated, load_recipes
from inspection_cell.cell import load_cell
from inspection_cell.cli.cell_commands import CellOption, JsonOption, RecipeOption
from inspection_cell.cli.console import OUT, print_json
from inspection_cell.gazebo.files import write_gazebo
from inspection_cell.gazebo.parts import chosen_kinds, ready_parts


def gazebo(
    cell: CellOption,
    out: Annotated[Path, typer.Option(help='Folder to write.')],
    recipe: RecipeOption = None,
    parts: Annotated[int, typer.Option(min=1, max=1000, help='How many parts exist.')] = 4,
    seed: Annotated[int, typer.Option(min=0, help='The same seed gives the same parts.')] = 0,
    defects: Annotated[
        str,
        typer.Option(
            help='What every part has, comma-separated: scratch, stain, missing_screw, dent, '
            'burr, displaced_bore, or none; default: half of the parts, as in demo.'
        ),
    ] = '',
    namespace: Annotated[
        str, typer.Option(help="Of the cell's topics; default: the name in cell.yaml.")
    ] = '',
    json: JsonOption = False,
) -> None:
    """Write a Gazebo world, the bridge's configuration and the cell as Gazebo plays it."""
    loaded = load_cell(cell)
    recipes = load_recipes(loaded, recipe or [])
    ready = ready_parts(loaded, recipes, Simulated(seed, parts), chosen_kinds(defects))
    written = write_gazebo(loaded, recipes, ready, out, namespace)
    if json:
        print_json({name: str(path) for name, path in asdict(written).items()})
        return
    for path in asdict(written).values():
        OUT.print(f'[green]wrote[/] {escape(str(path))}')
    truth = ', '.join(
        f'{part.part_id} {part.part_type} '
        f'({"; ".join(one.kind.value for one in part.defects) or "good"})'
        for part in ready
    )
    OUT.print(truth, markup=False)
