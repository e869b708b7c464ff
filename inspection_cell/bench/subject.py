"""What the rows measure with: the demo cell's recipe, model and reference."""

from inspection_cell.bench.result import Settings
from inspection_cell.locations import demo_recipes
from inspection_cell.models import ModelFolder, find_model, load_model_folder
from inspection_cell.recipe import Recipe, load_recipe


def bench_recipe() -> Recipe:
    """The recipe of the demo's first part type."""
    return load_recipe(demo_recipes()[0])


def bench_model(settings: Settings) -> ModelFolder:
    """The chosen model, or the demo recipe's; raises ModelError when there is none."""
    return load_model_folder(settings.model or find_model(bench_recipe()))
