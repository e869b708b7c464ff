"""Where the shipped, read-only files lie, and where the product writes at run time."""

import os
import sys
from pathlib import Path

from inspection_cell.errors import DataError

PACKAGE = 'inspection_cell'
DEMO_RECIPES = ('bracket', 'ring')


def share_folder() -> Path:
    """The folder that holds `config/` and `launch/`: a checkout, or an installed ament share.

    Raises:
        DataError: naming every place that was looked at.
    """
    prefixes = [Path(p) for p in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if p]
    folders = [Path(__file__).resolve().parent.parent]
    folders += [prefix / 'share' / PACKAGE for prefix in (*prefixes, Path(sys.prefix))]
    for folder in folders:
        if (folder / 'config' / 'cells').is_dir():
            return folder
    looked = ', '.join(str(folder) for folder in folders)
    raise DataError(f'expected config/cells of {PACKAGE} in one of: {looked}; is it installed?')


def demo_cell() -> Path:
    """The `cell.yaml` of the simulated demo cell."""
    return share_folder() / 'config' / 'cells' / 'demo.yaml'


def demo_recipes() -> tuple[Path, ...]:
    """The recipes of the demo's part types."""
    recipes = share_folder() / 'config' / 'recipes'
    return tuple(recipes / name / 'recipe.yaml' for name in DEMO_RECIPES)


def user_data_folder() -> Path:
    """The default of `--data-dir`: the user's data folder (XDG base directories)."""
    home = os.environ.get('XDG_DATA_HOME') or str(Path.home() / '.local' / 'share')
    return Path(home) / PACKAGE


def cache_folder(data_dir: Path) -> Path:
    """What can be computed again: below the data folder, or where INSPECTION_CELL_CACHE says."""
    return Path(os.environ.get('INSPECTION_CELL_CACHE') or data_dir / 'cache')
