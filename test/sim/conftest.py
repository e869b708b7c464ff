from dataclasses import replace
from pathlib import Path

import pytest

from inspection_cell.cell import Cell, load_cell
from inspection_cell.recipe import Recipe, load_recipe

CONFIG = Path(__file__).parents[2] / 'config'


@pytest.fixture(scope='session')
def cell() -> Cell:
    return load_cell(CONFIG / 'cells' / 'demo.yaml')


@pytest.fixture(scope='session')
def clean_cell(cell: Cell) -> Cell:
    """The demo cell without any noise, pose error or light variation."""
    exact = dict.fromkeys(
        (
            *('pose_error_mm', 'pose_error_deg', 'range_noise_mm', 'dropout_share'),
            *('edge_outlier_share', 'image_noise', 'light_variation'),
        ),
        0.0,
    )
    simulation = cell.file.simulation.model_copy(update=exact)
    return replace(cell, file=cell.file.model_copy(update={'simulation': simulation}))


@pytest.fixture(scope='session')
def bracket() -> Recipe:
    return load_recipe(CONFIG / 'recipes' / 'bracket' / 'recipe.yaml')


@pytest.fixture(scope='session')
def ring() -> Recipe:
    return load_recipe(CONFIG / 'recipes' / 'ring' / 'recipe.yaml')
