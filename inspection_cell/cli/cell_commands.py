"""`demo`, `run`, `replay`: a whole cell through the real nodes."""

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.status import Status

from inspection_cell.bringup import (
    Simulated,
    Stored,
    cell_nodes,
    in_one_process,
    load_recipes,
)
from inspection_cell.cell import Cell, load_cell
from inspection_cell.cell_run import Followed, Watcher, in_words, run_parts
from inspection_cell.cli.console import (
    ERR,
    OUT,
    print_json,
    print_outcome,
    print_summary,
    say_error,
    say_warning,
)
from inspection_cell.environment import process_environment, shared_memory_warning
from inspection_cell.locations import demo_cell, demo_recipes, user_data_folder
from inspection_cell.outcome import Outcome, PartOrder
from inspection_cell.outcome_summary import summarise, summary_to_json
from inspection_cell.part_orders import simulated_orders, stored_orders
from inspection_cell.processes import Ended, NodeProcesses
from inspection_cell.recipe import Recipe
from inspection_cell.records.store import FILE_NAME
from inspection_cell.respawning import Respawning

CellOption = Annotated[Path, typer.Option('--cell', help='The cell.yaml.')]
RecipeOption = Annotated[
    list[Path] | None,
    typer.Option('--recipe', help='A recipe.yaml; may be given several times.'),
]
DataDirOption = Annotated[
    Path | None,
    typer.Option('--data-dir', help="For records and evidence; default: the user's data folder."),
]
JsonOption = Annotated[
    bool, typer.Option('--json', help='Print one JSON object as the last line of stdout.')
]


def demo(
    parts: Annotated[int, typer.Option(min=1, help='How many parts to inspect.')] = 20,
    seed: Annotated[int, typer.Option(min=0, help='The same seed gives the same parts.')] = 0,
    cell: Annotated[
        Path | None, typer.Option(help='The cell.yaml; default: the demo cell.')
    ] = None,
    recipe: RecipeOption = None,
    faults: Annotated[
        str, typer.Option(help='Comma-separated: empty_gripper, rotated_part, wrong_part.')
    ] = '',
    json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Inspect simulated parts, whose truth is known, through the real nodes."""
    names = tuple(name.strip() for name in faults.split(',') if name.strip())
    loaded = load_cell(cell or demo_cell())
    recipes = load_recipes(loaded, recipe or ([] if cell else demo_recipes()))
    source = Simulated(seed, parts, names)
    orders = simulated_orders(loaded, recipes, source)
    _inspect(loaded, recipes, source, orders, data_dir, as_json=json)


def replay(
    cell: CellOption,
    recipe: Annotated[list[Path], typer.Option('--recipe', help='A recipe.yaml.')],
    data: Annotated[Path, typer.Option('--data', help='Folder of stored parts.')],
    json: JsonOption = False,
    data_dir: DataDirOption = None,
) -> None:
    """Inspect stored parts through the real nodes."""
    loaded = load_cell(cell)
    recipes = load_recipes(loaded, recipe)
    source = Stored(data.resolve())
    _inspect(loaded, recipes, source, stored_orders(data), data_dir, as_json=json)


def run(
    cell: CellOption,
    recipe: RecipeOption = None,
    data_dir: DataDirOption = None,
    one_process: Annotated[
        bool, typer.Option('--one-process', help='All nodes in one process, for small machines.')
    ] = False,
    respawn: Annotated[
        bool, typer.Option('--respawn', help='Start a node again that has ended.')
    ] = False,
) -> None:
    """Run the cell's nodes, without ros2 launch, until Ctrl-C."""
    loaded = load_cell(cell)
    recipes = load_recipes(loaded, recipe or [])
    nodes = cell_nodes(loaded, recipes, data_dir or user_data_folder(), retry=True)
    names = ', '.join(node.name for node in nodes)
    if one_process:
        nodes = (in_one_process(nodes),)
    _warn_of_shared_memory(len(nodes))
    with NodeProcesses(process_environment()) as processes:
        for node in nodes:
            processes.start(node)
        OUT.print(f'{loaded.file.name}: {names}; Ctrl-C ends them')
        respawning = Respawning(processes, nodes, _say_respawn) if respawn else None
        while (ended := processes.ended()) is None or respawning is not None:
            if respawning is not None:
                respawning.step()
            signal.sigtimedwait([], 0.5)
    say_error(in_words(ended))
    raise typer.Exit(1)


def _say_respawn(ended: Ended, pause_s: float) -> None:
    say_warning(f'{in_words(ended)}; it starts again in {pause_s:g} s')


def _inspect(
    cell: Cell,
    recipes: tuple[Recipe, ...],
    source: Simulated | Stored,
    orders: Sequence[PartOrder],
    data_dir: Path | None,
    *,
    as_json: bool,
) -> None:
    folder = (data_dir or user_data_folder()).resolve()
    _warn_of_shared_memory(len(cell_nodes(cell, recipes, folder)) + 2)
    with ERR.status('the nodes start', spinner='dots') as status:
        if as_json:
            status.stop()
        watcher = _watcher(status, len(orders), quiet=as_json)
        followed = run_parts(cell, recipes, source, orders, folder, watcher)
    _report(followed, folder, as_json=as_json)


def _watcher(status: Status, count: int, *, quiet: bool) -> Watcher:
    seen: list[Outcome] = []

    def outcome(one: Outcome) -> None:
        seen.append(one)
        if not quiet:
            print_outcome(len(seen), one)
            status.update(f'part {min(len(seen) + 1, count)} of {count}')

    return Watcher(outcome, lambda text: status.update(f'waiting: {text}'), say_warning)


def _report(followed: Followed, folder: Path, *, as_json: bool) -> None:
    summary = summarise(followed.outcomes)
    if followed.outcomes and not as_json:
        print_summary(summary)
        OUT.print(f'pictures: {folder / "evidence"}\nrecords:  {folder / FILE_NAME}', style='dim')
    if followed.failure:
        say_error(followed.failure)
    if as_json:
        print_json(summary_to_json(summary))
    if followed.failure:
        raise typer.Exit(1)


def _warn_of_shared_memory(participants: int) -> None:
    warning = shared_memory_warning(participants)
    if warning:
        say_warning(warning)
