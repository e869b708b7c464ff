"""`bench`: the product's numbers, each with its peer, in one run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from inspection_cell.bench.result import Result, Settings, results_to_json
from inspection_cell.bench.rows import NAMES, measure_rows
from inspection_cell.cli.console import ERR, OUT, print_json


def bench(
    row: Annotated[
        list[str] | None,
        typer.Option('--row', help=f'Only this row; may be repeated: {", ".join(NAMES)}.'),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=1.0, max=3600.0, help='How long `transport` sends images, s.')
    ] = 10.0,
    model: Annotated[
        Path | None, typer.Option(help="Folder of the model; default: the demo recipe's.")
    ] = None,
    json: Annotated[
        bool, typer.Option('--json', help='Print one JSON object as the last line of stdout.')
    ] = False,
) -> None:
    """Measure speed and transport against their peers on this machine; takes minutes."""
    wanted = tuple(row or NAMES)
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        raise typer.BadParameter(f'{", ".join(unknown)}: the rows are {", ".join(NAMES)}')
    settings = Settings(seconds, model.resolve() if model else None)
    results = []
    with ERR.status('measuring') as status:
        if json:
            status.stop()
        for result in measure_rows(wanted, settings):
            results.append(result)
            if not json:
                status.console.log(result.key)
    if json:
        print_json(results_to_json(results))
    else:
        _print(results)


def _print(results: Sequence[Result]) -> None:
    table = Table(title='Benchmark', title_justify='left')
    for heading in ('row', 'ours', 'peer', 'ratio', 'unit', 'to reach'):
        table.add_column(heading)
    for result in results:
        numbers = [_number(value) for value in (result.ours, result.peer, result.ratio)]
        table.add_row(result.key, *numbers, result.unit, result.bar)
    OUT.print(table)
    for result in results:
        figures = ', '.join(f'{figure.name} {_number(figure.value)}' for figure in result.figures)
        OUT.print(f'[bold]{result.key}[/]: {escape(result.measured)}')
        if figures:
            OUT.print(f'  {figures}', style='dim')


def _number(value: float | None) -> str:
    return '-' if value is None else f'{value:g}'
