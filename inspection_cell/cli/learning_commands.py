"""`synthesize`: labelled images from the simulator."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from inspection_cell.bringup import load_recipes
from inspection_cell.cell import load_cell
from inspection_cell.cli.console import ERR, OUT, print_json
from inspection_cell.learning.synthesis import SynthesisPlan, Synthesized, tile_side
from inspection_cell.learning.synthesis import synthesize as write_images
from inspection_cell.locations import demo_cell, demo_recipes
from inspection_cell.views.detections import usable_cores


class SynthesisPurpose(StrEnum):
    """What rendered parts are for."""

    TRAIN = 'train'
    TUNE = 'tune'
    TEST = 'test'


class LabelChoice(StrEnum):
    """How labels are written: for detection, obb and segmentation."""

    BOXES = 'boxes'
    ORIENTED = 'oriented'
    OUTLINES = 'outlines'


PurposeOption = Annotated[
    SynthesisPurpose, typer.Option(help='Tuning and testing get parts of their own.')
]
TileOption = Annotated[
    int | None,
    typer.Option(min=0, help='Side of the tiles; 0: whole images. Default: 320 in training.'),
]
GoodShareOption = Annotated[
    float | None, typer.Option(min=0, max=1, help='Of the parts, how many have no defects.')
]
OwnLookOption = Annotated[
    bool, typer.Option('--own-look', help="Keep the cell's light, background and marks.")
]


def synthesize(
    out: Annotated[Path, typer.Option(help='Folder for images and labels; must be empty.')],
    images: Annotated[int, typer.Option(min=2, help='How many camera images.')] = 600,
    seed: Annotated[int, typer.Option(min=0, help='The same seed gives the same images.')] = 0,
    cell: Annotated[
        Path | None, typer.Option(help='The cell.yaml; default: the demo cell.')
    ] = None,
    recipe: Annotated[
        list[Path] | None, typer.Option('--recipe', help='A recipe.yaml; several may be given.')
    ] = None,
    purpose: PurposeOption = SynthesisPurpose.TRAIN,
    labels: Annotated[LabelChoice, typer.Option(help='What is written.')] = LabelChoice.BOXES,
    tile_px: TileOption = None,
    good_share: GoodShareOption = None,
    own_look: OwnLookOption = False,
    json: Annotated[bool, typer.Option('--json', help='Print one JSON object.')] = False,
) -> None:
    """Render labelled images of simulated parts, for training or for a test."""
    loaded = load_cell(cell or demo_cell())
    recipes = load_recipes(loaded, recipe or ([] if cell else demo_recipes()))
    plan = SynthesisPlan(
        loaded,
        recipes,
        images,
        seed,
        tile_px=tile_side(tile_px, purpose.value),
        workers=usable_cores(),
        purpose=purpose.value,
        label_kind=labels.value,
        varied=not own_look,
        good_share=good_share,
    )
    with Progress(console=ERR, disable=json) as progress:
        task = progress.add_task('rendering parts', total=None)
        written = write_images(
            plan, out, lambda done, total: progress.update(task, completed=done, total=total)
        )
    if json:
        print_json(_written_to_json(written))
    else:
        boxes = ', '.join(f'{count} {label}' for label, count in written.boxes.items())
        OUT.print(f'{written.train} for training, {written.val} for measuring; {boxes}')
        OUT.print(f'{written.data}\n{written.contact_sheet}', style='dim')


def _written_to_json(written: Synthesized) -> dict[str, object]:
    return {
        'data': str(written.data),
        'contact_sheet': str(written.contact_sheet),
        'train': written.train,
        'val': written.val,
        'boxes': written.boxes,
    }
