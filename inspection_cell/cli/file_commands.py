"""`check` and `env`: files and surroundings, without a running cell."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from inspection_cell.cli.console import OUT, say_error, say_warning
from inspection_cell.environment import export_lines, settings_to_add, shared_memory_warning
from inspection_cell.file_check import check_files, write_schemas


def check(
    files: Annotated[
        list[Path] | None, typer.Argument(help='cell.yaml, recipe.yaml and model.yaml files.')
    ] = None,
    schema: Annotated[
        Path | None, typer.Option(help='Write the JSON schemas of the formats to this folder.')
    ] = None,
) -> None:
    """Print every problem of configuration files; exit status 1 if there is one."""
    if not files and schema is None:
        raise typer.BadParameter('name at least one file, or --schema')
    if schema is not None:
        for path in write_schemas(schema):
            OUT.print(f'wrote {path}')
    failed = False
    for checked in check_files(files or []):
        for problem in checked.problems:
            say_error(problem)
        if checked.problems:
            failed = True
        else:
            OUT.print(f'[green]ok[/] {escape(f"{checked.path}: {checked.content}")}')
    if failed:
        raise typer.Exit(1)


def env() -> None:
    """Print the variables that drivers started elsewhere need: eval "$(inspection_cell env)"."""
    lines = export_lines(settings_to_add())
    if lines:
        OUT.print(lines, markup=False)
    warning = shared_memory_warning()
    if warning:
        say_warning(warning)
