"""`learn-reference`: a reference from scans of good parts, without CAD."""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.markup import escape
from rich.progress import Progress

from inspection_cell.cli.console import ERR, OUT, print_json, say_warning
from inspection_cell.cli.inspection_commands import Units
from inspection_cell.learning.golden_learning import LearningPlan
from inspection_cell.learning.golden_reference import learn_reference as learn
from inspection_cell.stored_parts import read_pose


def learn_reference(
    scans: Annotated[
        Path, typer.Option(help='Folder with scans of good parts (ply, pcd), or stored parts.')
    ],
    out: Annotated[Path, typer.Option(help='Folder for mesh, statistics and summary.')],
    units: Annotated[Units, typer.Option(help='Unit of the scans and of the mesh.')] = Units.MM,
    tolerance_mm: Annotated[
        tuple[float, float], typer.Option(metavar='LO HI', help='Limits of left-out scans, mm.')
    ] = (-0.5, 0.5),
    sigmas: Annotated[
        float, typer.Option(min=0.0, max=10.0, help='Allowed multiple of the spread.')
    ] = 3.0,
    initial_pose: Annotated[
        Path | None, typer.Option(help='transform_scan_to_part, 4×4, metres; default: the same.')
    ] = None,
    sensor_mm: Annotated[
        tuple[float, float, float] | None,
        typer.Option(
            metavar='X Y Z',
            help="Where the scanner stood, in the scans' frame, mm; not for scans all around.",
        ),
    ] = None,
    search: Annotated[
        bool, typer.Option('--search', help='Search the pose of scans that lie elsewhere.')
    ] = False,
    json: Annotated[bool, typer.Option('--json', help='Print one JSON object.')] = False,
) -> None:
    """Learn a reference and how much good parts vary, from their scans."""
    if not tolerance_mm[0] < 0.0 < tolerance_mm[1]:
        raise typer.BadParameter('must be a negative and a positive number', param_hint='LO HI')
    pose = None if initial_pose is None else read_pose(initial_pose)
    sensor = None if sensor_mm is None else np.array(sensor_mm) / 1e3
    plan = LearningPlan(
        tolerance_mm, sigmas, transform_scan_to_part=pose, sensor=sensor, search=search
    )
    with Progress(console=ERR, disable=json) as progress:
        task = progress.add_task('reading', total=None)

        def show(what: str, done: int, total: int) -> None:
            progress.update(task, description=what, completed=done, total=total)

        learned = learn(scans, units.value, out, plan, show)
    if json:
        print_json(learned | {'out': str(out)})
    else:
        _print(learned, out)
    if not learned['all_within'] and not json:
        say_warning('not every scan is within what the others allow: is each of a good part?')


def _print(learned: dict[str, object], out: Path) -> None:
    OUT.print(
        f'{learned["scans"]} scans, {learned["area_mm2"]} mm² of surface, '
        f'spread of good parts {learned["sigma_mm"]} mm'
    )
    judged = learned['leave_one_out']
    assert isinstance(judged, list)
    for one in judged:
        mark = '[green]within[/]' if one['within'] else '[red]not within[/]'
        OUT.print(
            f'  {escape(one["scan"])}: {mark}, p95 {one["p95_mm"]} mm, '
            f'largest region beyond {one["largest_beyond_mm2"]} mm²'
        )
    OUT.print(escape(f'{out}'), style='dim')
