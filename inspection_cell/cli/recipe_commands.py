"""`recipe new` and `recipe preview`: a recipe to start from, and what it will let the cell see."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from inspection_cell.cell import load_cell
from inspection_cell.cli.console import ERR, OUT, print_json, say_warning
from inspection_cell.cli.inspection_commands import Units
from inspection_cell.errors import DataError
from inspection_cell.file_check import check_files
from inspection_cell.locations import share_folder
from inspection_cell.recipe import load_recipe
from inspection_cell.recipe_draft import Drafted, MeshUnits, draft_recipe
from inspection_cell.reference import load_reference
from inspection_cell.showing.coverage_preview import Preview
from inspection_cell.showing.coverage_preview import preview as look

STAND_IN = Path('config/models/simulated_parts')  # until there is a detector for the part

UNITS: dict[Units, MeshUnits] = {Units.MM: 'mm', Units.M: 'm'}

recipe_app = typer.Typer(help='Write a recipe to start from, and see what it covers.')


@recipe_app.command()
def new(
    mesh: Annotated[Path, typer.Option(help="The part's mesh (ply, stl, obj).")],
    cell: Annotated[Path, typer.Option(help='The cell.yaml whose sensors look at the part.')],
    out: Annotated[
        Path | None, typer.Option(help='Folder to write, new or empty; default: ./<part type>.')
    ] = None,
    units: Annotated[
        Units | None, typer.Option(help='Unit of the mesh; default: guessed from its size.')
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(help='Folder of the detector; default: that of the simulated parts.'),
    ] = None,
    json: Annotated[bool, typer.Option('--json', help='Print one JSON object.')] = False,
) -> None:
    """Write a recipe folder to start from: mesh, one presentation, sections for the sensors."""
    loaded = load_cell(cell)
    stand_in = model is None and bool(loaded.cameras)
    detector = share_folder() / STAND_IN if stand_in else model
    known = None if units is None else UNITS[units]
    drafted = draft_recipe(mesh, loaded, out, units=known, model=detector)
    problems = [problem for one in check_files([drafted.recipe, cell]) for problem in one.problems]
    if problems:
        raise DataError('\n'.join(problems))
    if json:
        print_json(_drafted_to_json(drafted))
        return
    if drafted.guess:
        say_warning(drafted.guess)
    if stand_in:
        say_warning('detection.model is the detector of the simulated parts: train one for yours')
    OUT.print(f'[green]wrote[/] {escape(str(drafted.recipe))}')
    OUT.print(
        f'next: fill in every TODO, then inspection_cell recipe preview --recipe {drafted.recipe} '
        f'--cell {cell} --report coverage.html',
        style='dim',
        markup=False,
    )


@recipe_app.command()
def preview(
    recipe: Annotated[Path, typer.Option(help='The recipe.yaml.')],
    cell: Annotated[Path, typer.Option(help='The cell.yaml.')],
    report: Annotated[
        Path | None, typer.Option(help='Write a page with the coloured part (.html).')
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help='Write a picture from four sides (.png).')
    ] = None,
    json: Annotated[bool, typer.Option('--json', help='Print one JSON object.')] = False,
) -> None:
    """Show what the cell's sensors can see of the part, and name what they cannot."""
    loaded = load_recipe(recipe)
    with ERR.status('looking') as status:
        if json:
            status.stop()
        shown = look(loaded, load_cell(cell), load_reference(loaded))
        _write(shown, report, picture)
    if json:
        print_json(_preview_to_json(shown))
        return
    _print(shown)
    for path in filter(None, (report, picture)):
        OUT.print(escape(str(path)), style='dim')


def _write(shown: Preview, report: Path | None, picture: Path | None) -> None:
    from inspection_cell.showing.coverage_page import page  # Plotly and Matplotlib take seconds
    from inspection_cell.showing.coverage_picture import draw

    for path, suffix in ((report, '.html'), (picture, '.png')):
        if path is not None and path.suffix.lower() != suffix:
            raise DataError(f'{path}: expected a name that ends in {suffix}')
    if report is None and picture is None:
        return
    drawn = draw(shown)
    if report is not None:
        _save(report, page(shown, drawn).encode())
    if picture is not None:
        _save(picture, drawn)


def _save(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise DataError(f'{path}: cannot write: {error.strerror}') from error


def _print(shown: Preview) -> None:
    table = Table('view', 'of the surface', '', title_justify='left')
    for view, share in zip(shown.views, shown.shares, strict=True):
        table.add_row(str(view.view), f'{share:.1%}', view.note)
    coverage, demand = shown.coverage, shown.recipe.file.coverage
    demanded = (
        f'{coverage.minimum:.0%} demanded, by {demand.by}, at least {demand.min_views} views'
    )
    table.add_row('together', f'{coverage.share:.1%}', demanded, style='bold')
    OUT.print(table)
    minima = {zone.name: zone.minimum for zone in coverage.zones}
    for name, share in shown.zone_shares.items():
        words = f', {minima[name]:.0%} demanded' if name in minima else ''
        OUT.print(escape(f'zone {name}: {share:.1%}{words}'))
    OUT.print('seen by nobody:' if shown.unseen else 'seen by nobody: nothing')
    for one in shown.unseen:
        OUT.print(escape(f'  {one}'))
    for name in coverage.unseen:
        say_warning(f'zone {name} is seen less than the recipe demands')
    if coverage.share < coverage.minimum:
        say_warning(
            f'no part can be accepted: {coverage.minimum:.1%} of the surface is demanded, '
            f'{coverage.share:.1%} can be seen'
        )


def _preview_to_json(shown: Preview) -> dict[str, object]:
    coverage = shown.coverage
    minima = {zone.name: zone.minimum for zone in coverage.zones}
    return {
        'part_type': shown.recipe.part_type,
        'share': round(coverage.share, 4),
        'minimum': coverage.minimum,
        'views': [
            {'view': str(view.view), 'share': round(share, 4), 'note': view.note}
            for view, share in zip(shown.views, shown.shares, strict=True)
        ],
        'zones': [
            {'name': name, 'share': round(share, 4), 'minimum': minima.get(name)}
            for name, share in shown.zone_shares.items()
        ],
        'short': [*coverage.unseen],
        'unseen': [
            {'where': one.where, 'area_cm2': round(one.area_cm2, 2), 'why': one.why}
            for one in shown.unseen
        ],
    }


def _drafted_to_json(drafted: Drafted) -> dict[str, object]:
    return {
        'recipe': str(drafted.recipe),
        'mesh': str(drafted.mesh),
        'part_type': drafted.part_type,
        'units': drafted.units,
        'guess': drafted.guess,
        'extent_mm': drafted.extent_mm,
        'position_mm': drafted.position_mm,
        'model': None if drafted.model is None else str(drafted.model),
    }
