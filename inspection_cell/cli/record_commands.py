"""`explain` and `judge`: how a verdict came about, and what another recipe would say."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import track

from inspection_cell.cell import Cell, load_cell
from inspection_cell.cli.cell_commands import DataDirOption, JsonOption
from inspection_cell.cli.console import COLOURS, ERR, OUT, print_json, say_warning
from inspection_cell.cli.explanation_lines import lines_of
from inspection_cell.cli.rejudged_tables import print_rejudged, rejudged_to_json
from inspection_cell.errors import DataError, StoreError
from inspection_cell.explanation import Explanation
from inspection_cell.explanation import explain as explained
from inspection_cell.findings import Verdict
from inspection_cell.fusion.fuse import Fuser
from inspection_cell.locations import user_data_folder
from inspection_cell.recipe import Recipe, check_fit, load_recipe
from inspection_cell.records.lookup import find_cell, find_recipe, find_record, open_records
from inspection_cell.records.store import RecordStore
from inspection_cell.reference import load_reference
from inspection_cell.rejudging import Rejudged, not_applied, rejudge
from inspection_cell.showing.verdict_pictures import Picture, VerdictPictures

CellFileOption = Annotated[
    Path | None,
    typer.Option('--cell', help='The cell.yaml of the records; default: found by its hash.'),
]


def explain(
    record: Annotated[str, typer.Argument(help='Inspection id, or part id: its newest.')],
    data_dir: DataDirOption = None,
    pictures: Annotated[
        Path | None,
        typer.Option(help="Write the views' images with the numbered defects to this folder."),
    ] = None,
    cell: CellFileOption = None,
    recipe: Annotated[
        Path | None,
        typer.Option(help='The recipe.yaml, for the reference mesh; default: found by its hash.'),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Tell how a recorded verdict came about."""
    folder = data_dir or user_data_folder()
    store = open_records(folder)
    found = find_record(store, record)
    store.close()
    explanation = explained(found, folder)
    drawn = _pictures(found.verdict, folder, pictures, cell, recipe) if pictures else ()
    if json:
        print_json(explanation.as_json() | {'pictures': [_picture_to_json(one) for one in drawn]})
        return
    _print_explanation(explanation)
    for picture in drawn:
        told = picture.path or f'no picture: {picture.reason}'
        OUT.print(escape(f'{picture.view}: {told}'), style='dim')


def judge(
    recipe: Annotated[Path, typer.Option('--recipe', help='The recipe.yaml to judge by.')],
    records: Annotated[
        list[str] | None, typer.Argument(help='Inspection ids, or part ids: the newest of each.')
    ] = None,
    every: Annotated[
        bool, typer.Option('--all', help="All records of the recipe's part type.")
    ] = False,
    cell: CellFileOption = None,
    data_dir: DataDirOption = None,
    json: JsonOption = False,
) -> None:
    """Judge recorded findings again by another recipe; nothing is written."""
    if every == bool(records):
        raise typer.BadParameter('name records, or --all')
    by = load_recipe(recipe)
    store = open_records(data_dir or user_data_folder())
    try:
        names = store.ids(part_type=by.part_type) if every else tuple(records or ())
        if not names:
            raise DataError(f'{store.path}: no inspection of a {by.part_type} is recorded')
        rejudged = _judged_again(store, names, _Fusers(by, cell), quiet=json, every=every)
        _say_not_applied({one.before.recipe_hash for one in rejudged}, by)
    finally:
        store.close()
    if json:
        print_json(rejudged_to_json(rejudged))
    else:
        print_rejudged(rejudged)


def _say_not_applied(hashes: set[str], by: Recipe) -> None:
    """What the recipe says and recorded findings cannot show: else `the same` would mislead."""
    for sha256 in sorted(hashes - {by.sha256}):
        before = find_recipe(sha256, [by.path.parent])
        if before is None:
            say_warning(
                f'the recipe of the records ({sha256[:12]}) is not found: where {by.path} differs '
                'from it in tolerances, least scores, presence or masks, that is not applied'
            )
        elif keys := not_applied(before, by):
            say_warning(
                f'not applied, because findings do not show it: {", ".join(keys)}; '
                'replay the stored parts for that'
            )


class _Fusers:
    """The recipe in the cell of each record; each cell is found once."""

    def __init__(self, recipe: Recipe, named: Path | None) -> None:
        self._recipe = recipe
        self._reference = load_reference(recipe)
        self._named = load_cell(named) if named else None
        self._known: dict[str, Fuser] = {}

    def of(self, verdict: Verdict) -> Fuser:
        """Raise DataError for a cell that is not found, ConfigError for one that does not fit."""
        if verdict.cell_hash not in self._known:
            cell = self._cell(verdict)
            check_fit(self._recipe, cell)
            self._known[verdict.cell_hash] = Fuser(self._recipe, cell, self._reference)
        return self._known[verdict.cell_hash]

    def _cell(self, verdict: Verdict) -> Cell:
        sha256 = verdict.cell_hash
        cell = self._named or find_cell(sha256, [self._recipe.path])
        if cell is None:
            raise DataError(
                f'{verdict.inspection_id}: its cell file ({sha256[:12]}) is not found; '
                'name it: --cell'
            )
        if cell.sha256 != sha256:
            say_warning(f'{cell.path}: is not the cell file of the records, which was {sha256}')
        return cell


def _judged_again(
    store: RecordStore, names: Sequence[str], fusers: _Fusers, *, quiet: bool, every: bool
) -> list[Rejudged]:
    """In the order of the names; of `every` record those without findings are left out."""
    done = []
    for name in track(names, 'judging', console=ERR, disable=quiet or len(names) < 2):
        try:
            verdict = (store.get(name) if every else find_record(store, name)).verdict
        except StoreError as error:
            if not every:
                raise
            say_warning(f'left out: {error}')
            continue
        if every and not verdict.views:
            say_warning(f'{verdict.inspection_id}: left out, it ended before there were findings')
            continue
        done.append(rejudge(verdict, fusers.of(verdict)))
    return done


def _pictures(
    verdict: Verdict, data_dir: Path, folder: Path, cell: Path | None, recipe: Path | None
) -> tuple[Picture, ...]:
    """Pictures with what is at hand; a warning for each file that is not."""
    by = (
        load_recipe(recipe) if recipe else find_recipe(verdict.recipe_hash, [cell] if cell else [])
    )
    station = load_cell(cell) if cell else find_cell(verdict.cell_hash, [by.path] if by else [])
    if station is None:
        say_warning('the cell file is not found: poses are as the robot reported them; --cell')
    if by is None:
        say_warning('the recipe is not found: hidden defects cannot be told; --recipe')
    reference = load_reference(by) if by else None
    return VerdictPictures(verdict, station, reference).write(data_dir, folder)


def _picture_to_json(picture: Picture) -> dict[str, object]:
    return {
        'view': str(picture.view),
        'file': str(picture.path) if picture.path else None,
        'reason': picture.reason,
        'defects': list(picture.defects),
    }


def _print_explanation(explanation: Explanation) -> None:
    colour = COLOURS[explanation.decision]
    OUT.print(
        f'[bold]{escape(explanation.part_id)}[/] ({escape(explanation.part_type)}): '
        f'[{colour}]{explanation.decision}[/] '
        f'[dim]inspection {escape(explanation.inspection_id)}, {explanation.stamp}[/]'
    )
    for line in lines_of(explanation):
        OUT.print(escape(line), style='' if line.startswith(' ') else 'bold')
