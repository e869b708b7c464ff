"""What a part's symmetry leaves open at the robot's pose: analysed once per mesh, told always."""

from pathlib import Path

from inspection_cell.surface.coarse_field import CoarseField
from inspection_cell.surface.deviation import DeviationField
from inspection_cell.surface.kept_files import kept_file, written_whole
from inspection_cell.surface.symmetry import find_symmetry

_FORMAT = 1


def symmetry_note(field: DeviationField, folder: Path) -> str:
    """Which symmetry the robot's pose had to decide; empty for a part without.

    Args:
        field: of the reference.
        folder: of the caches; the answer is kept there by the mesh's hash.
    """
    path = kept_file(folder, f'{_FORMAT} {field.reference.sha256}', '.symmetry.txt')
    try:
        symmetry = path.read_text(encoding='utf-8')
    except FileNotFoundError:
        symmetry = find_symmetry(field, CoarseField(field.reference)).text
        with written_whole(path) as unfinished:
            unfinished.write_text(symmetry, encoding='utf-8')
    return symmetry and f"{symmetry}; the one nearest to the robot's pose is taken"
