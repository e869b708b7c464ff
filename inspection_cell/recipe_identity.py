"""Which recipe exactly: its file, and the files that it names."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from inspection_cell.errors import DataError
from inspection_cell.recipe import Recipe


@dataclass(frozen=True, slots=True)
class RecipeIdentity:
    """What two nodes compare to know that they work by the same recipe.

    Attributes:
        recipe_hash: sha256 of the recipe.yaml.
        side_hash: sha256 of the mesh and the learned reference that it names.
    """

    path: Path
    recipe_hash: str
    side_hash: str

    def same_content(self, other: 'RecipeIdentity') -> bool:
        """Whether both say the same, wherever their files lie."""
        return (self.recipe_hash, self.side_hash) == (other.recipe_hash, other.side_hash)


def identity_of(recipe: Recipe) -> RecipeIdentity:
    """The identity of a loaded recipe; raises DataError for a file that cannot be read.

    The detector is not part of it: it is exchanged on its own, and every verdict names it.
    """
    surface = recipe.file.surface
    learned = recipe.path.parent / surface.golden if surface and surface.golden else None
    total = hashlib.sha256()
    for file in (recipe.mesh_path, learned):
        try:
            total.update(hashlib.sha256(file.read_bytes() if file else b'').digest())
        except OSError as error:
            raise DataError(f'{file}: cannot be read: {error.strerror}') from error
    return RecipeIdentity(recipe.path, recipe.sha256, total.hexdigest())
