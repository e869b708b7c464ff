"""`doctor`: what a machine and a running cell lack, each with what to do."""

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from inspection_cell.bringup import load_recipes
from inspection_cell.cell import load_cell
from inspection_cell.cli.console import OUT, print_json
from inspection_cell.doctor.finding import Found, Level
from inspection_cell.doctor.graph import graph
from inspection_cell.doctor.machine import machine
from inspection_cell.locations import user_data_folder

COLOURS = {Level.OK: 'green', Level.WARNING: 'yellow', Level.ERROR: 'red'}


def doctor(
    cell: Annotated[
        Path | None, typer.Option(help='A cell.yaml: its running nodes and sensors are looked at.')
    ] = None,
    recipe: Annotated[
        list[Path] | None, typer.Option(help='A recipe.yaml; several may be given.')
    ] = None,
    namespace: Annotated[
        str, typer.Option(help='Of the running cell; default: the name in cell.yaml.')
    ] = '',
    watch_s: Annotated[
        float, typer.Option(min=0.5, max=600.0, help='How long the sensors are watched, s.')
    ] = 4.0,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where records are written; default: the user's folder.")
    ] = None,
    json: Annotated[
        bool, typer.Option('--json', help='Print one JSON object as the last line of stdout.')
    ] = False,
) -> None:
    """Check this machine, and with --cell a running cell; exit status 1 if something is wrong."""
    loaded = load_cell(cell) if cell else None
    recipes = load_recipes(loaded, recipe or []) if loaded else ()
    found: list[Found] = []
    for one in machine(loaded, recipes, data_dir or user_data_folder()):
        found.append(one)
        _tell([one], silent=json)
    if loaded is not None:
        seen = graph(loaded, namespace, watch_s)
        found += seen
        _tell(seen, silent=json)
    if json:
        print_json({'findings': [asdict(one) for one in found]})
    if any(one.level is Level.ERROR for one in found):
        raise typer.Exit(1)


def _tell(found: Iterable[Found], *, silent: bool) -> None:
    for one in found:
        if not silent:
            OUT.print(
                f'[{COLOURS[one.level]}]{one.level:<7}[/] {escape(f"{one.name}: {one.seen}")}'
            )
            if one.advice:
                OUT.print(f'        {one.advice}', markup=False)
