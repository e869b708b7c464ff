"""What the rows measure with: the demo cell's recipe, model and reference."""

from inspection_cell.bench.result import Settings
from inspection_cell.cell import Cell
from inspection_cell.errors import DataError
from inspection_cell.locations import demo_recipes
from inspection_cell.models import ModelFolder, find_model, load_model_folder
from inspection_cell.recipe import Recipe, load_recipe


def bench_recipe() -> Recipe:
    """The recipe of the demo's first part type."""
    return load_recipe(demo_recipes()[0])


def bench_model(settings: Settings) -> ModelFolder:
    """The chosen model, or the demo recipe's; raises ModelError when there is none."""
    return load_model_folder(settings.model or find_model(bench_recipe()))


def with_finer_scanner(cell: Cell, sensor: str, finer: float = 2.0) -> Cell:
    """The cell with a scanner of so many times more points per side."""
    scanner = cell.scanners[sensor]
    coarse = scanner.intrinsics
    if coarse is None:
        raise DataError(f'{cell.path}: expected intrinsics of {sensor}, there are none')
    scaled = coarse.model_copy(
        update={key: round(getattr(coarse, key) * finer) for key in ('width', 'height')}
        | {key: getattr(coarse, key) * finer for key in ('fx', 'fy')}
        | {key: (getattr(coarse, key) + 0.5) * finer - 0.5 for key in ('cx', 'cy')}
    )
    sensors = {**cell.file.sensors, sensor: scanner.model_copy(update={'intrinsics': scaled})}
    return Cell(cell.path, cell.sha256, cell.file.model_copy(update={'sensors': sensors}))
