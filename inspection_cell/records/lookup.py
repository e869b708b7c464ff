"""Finding records that people name, and the cell and recipe files that they were judged with."""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from inspection_cell.cell import Cell, load_cell
from inspection_cell.errors import ConfigError, StoreError
from inspection_cell.locations import share_folder
from inspection_cell.recipe import Recipe, load_recipe
from inspection_cell.records.store import FILE_NAME, Record, RecordStore


def open_records(data_dir: Path) -> RecordStore:
    """Open the records of a data folder; raises StoreError when there are none."""
    if not (data_dir / FILE_NAME).is_file():
        raise StoreError(f'{data_dir}: expected {FILE_NAME}, there is none; name it: --data-dir')
    return RecordStore(data_dir)


def find_record(store: RecordStore, name: str) -> Record:
    """The newest record of a part id, else that of an inspection id.

    Raises:
        StoreError: when neither is recorded.
    """
    of_part = store.ids(part_id=name)
    return store.get(of_part[0] if of_part else name)


def find_cell(sha256: str, beside: Sequence[Path] = ()) -> Cell | None:
    """The cell file with this hash: shipped, or near the recipes; None when it is not there.

    Args:
        sha256: as the record has it.
        beside: recipe files; looked at are their folders, and `cells` two folders above.
    """
    folders = [share_folder() / 'config' / 'cells']
    folders += [near for path in beside for near in _near(path.resolve())]
    for path in (p for folder in folders for p in sorted(folder.glob('*.yaml'))):
        # Calibration files count too: the hash is not that of the file's bytes alone.
        with suppress(ConfigError):
            cell = load_cell(path)
            if cell.sha256 == sha256:
                return cell
    return None


def find_recipe(sha256: str, beside: Sequence[Path] = ()) -> Recipe | None:
    """The recipe file with this hash: shipped, or near the cells; None when it is not there.

    A recipe whose reference mesh is gone is of no use: None too.
    """
    roots = [share_folder() / 'config', *(path.resolve().parent.parent for path in beside)]
    files = (p for root in roots for p in sorted(root.glob('recipes/*/recipe.yaml')))
    found = _with_hash(sha256, files)
    try:
        return load_recipe(found) if found else None
    except ConfigError:
        return None


def _near(recipe: Path) -> tuple[Path, ...]:
    return recipe.parent, recipe.parent.parent.parent / 'cells'


def _with_hash(sha256: str, files: Iterable[Path]) -> Path | None:
    for path in files:
        with suppress(OSError):
            if hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
                return path
    return None
