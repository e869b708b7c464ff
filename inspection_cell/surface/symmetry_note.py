"""What a part's symmetry leaves open at the robot's pose: analysed once per mesh, told always."""

import hashlib
import os
from pathlib import Path

from inspection_cell.surface.coarse_field import CoarseField
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.symmetry import find_symmetry

_FORMAT = 1


def symmetry_note(field: DeviationField, folder: Path) -> str:
    """Which symmetry the robot's pose had to decide; empty for a part without.

    Args:
        field: of the reference.
        folder: of the caches; the answer is kept there by the mesh's hash.
    """
    text = f'{_FORMAT} {field.reference.sha256}'
    path = folder / f'{hashlib.sha256(text.encode()).hexdigest()[:32]}.symmetry.txt'
    try:
        symmetry = path.read_text(encoding='utf-8')
    except FileNotFoundError:
        symmetry = find_symmetry(field, CoarseField(field.reference)).text
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f'.{os.getpid()}')
        unfinished.write_text(symmetry, encoding='utf-8')
        unfinished.replace(path)
    return symmetry and f"{symmetry}; the one nearest to the robot's pose is taken"
